# SPDX-License-Identifier: Apache-2.0
"""A store, a source or a right is gone for a while: it is the world that is broken, not the images. Nothing is used up meanwhile."""
import json
import os
import time

import pytest

import events
import faults
from test_failures import deny
from world import wait_for

BACKOFF = {"backoff": "100ms"}


def warnings(finished, event):
    return [line for line in finished.log if line["event"] == event]


@pytest.mark.parametrize("method", ["GET", "PUT"])
def test_outage_costs_a_message_one_receive(world, proxies, method):
    """S3 refuses while a queue is full, for longer than two messages would last. Every message is received once, or twice. The lease is
    long, so that a machine that stands still for half a minute does not look like an outage that costs receives."""
    world.make_queue(visibility=120, max_receive_count=3)
    world.pipeline(on_error=BACKOFF)
    picture = world.picture(width=64, height=48)
    uploads = [world.upload(f"in/{i}.jpg", picture) for i in range(60)]
    proxy = proxies(world.peers.s3_url)
    proxy.fail(faults.reset, method=method)
    world.announce(*uploads)
    running = world.start(env={"AWS_ENDPOINT_URL_S3": proxy.url})
    running.wait_for_log("dependency.failing")
    running.wait_for_results(10 + 3)  # all that there is room for, and some attempts
    visible, hidden = world.depth()
    assert hidden <= 25 and visible >= 35, (visible, hidden)
    proxy.heal()
    wait_for(lambda: len(world.keys()) == 60 and world.depth() == (0, 0), "all renditions")
    finished = running.terminate()
    assert world.dead() == []
    made = [(result["source"], result["attempt"]) for result in finished.results if result["status"] == "ok"]
    twice = sorted(one for one in made if sum(one[0] == other[0] for other in made) > 1)
    assert not twice, (twice, [line for line in finished.log if line["level"] != "info"])
    assert len(made) == 60 and max(attempt for source, attempt in made) <= 2
    world.assert_all_settled()
    name = f"s3://{world.source if method == 'GET' else world.target}"
    assert [line["dependency"] for line in warnings(finished, "dependency.failing")] == [name]
    assert [line["dependency"] for line in warnings(finished, "dependency.back")] == [name]
    assert {line["level"] for line in warnings(finished, "dependency.failing")} == {"warn"}


def test_one_of_two_stores_fails(world):
    """What the other one got stays, and is not made again."""
    missing = f"nowhere-{world.name}"
    steps = [{"resize": {"width": 64}}, {"convert": {"format": "jpeg"}}]
    world.pipeline(on_error=BACKOFF, outputs={
        "a": {"steps": steps, "to": {"s3": {"bucket": world.target, "key": "a/{name}.{ext}"}}},
        "b": {"steps": steps, "to": {"s3": {"bucket": missing, "key": "b/{name}.{ext}"}}}})
    for i in range(6):
        world.announced(f"in/{i}.jpg", world.picture(width=64, height=48))
    running = world.start()
    running.wait_for_log("dependency.failing")
    wait_for(lambda: len(world.keys()) == 6, "the other store's renditions")
    world.s3.create_bucket(Bucket=missing)
    wait_for(lambda: len(world.keys(missing)) == 6, "all renditions")
    finished = running.terminate()
    assert [line["dependency"] for line in warnings(finished, "dependency.failing")] == [f"s3://{missing}"]
    done = [result for result in finished.results if result["status"] == "ok"]
    assert len(done) == 6 and {result["attempt"] for result in done} == {1}
    assert world.dead() == []
    world.assert_all_settled()


def test_denied_prefix_does_not_stop_the_others(world):
    """Some keys may not be written: their messages are dead letters with a reason in the end, the others are done."""
    world.s3.put_bucket_policy(Bucket=world.target, Policy="""{"Version": "2012-10-17", "Statement": [{"Effect": "Deny",
        "Principal": "*", "Action": "s3:PutObject", "Resource": "arn:aws:s3:::%s/out/in/secret/*"}]}""" % world.target)
    world.pipeline(on_error=BACKOFF, place={"key": "out/{dir}/{name}.{ext}"})
    picture = world.picture(width=64, height=48)
    for i in range(40):
        world.announced(f"in/{'secret' if i % 2 else 'open'}/{i}.jpg", picture)
    running = world.start()
    wait_for(lambda: len(world.keys()) == 20, "those that may be written", 180)
    # From now on only the denied ones are left; new ones still come through.
    for i in range(3):
        world.announced(f"in/open/late-{i}.jpg", picture)
    wait_for(lambda: len(world.keys()) == 23, "what came later")
    # As long as nothing else works, those last ones look like an outage and are held; each image that works tells them apart.
    letters, more = [], iter(range(1000))

    def ended():
        world.announced(f"in/open/more-{next(more)}.jpg", picture)
        time.sleep(0.2)
        letters.extend(world.dead())
        return len(letters) >= 20
    wait_for(ended, "an end for each message", 180)
    wait_for(lambda: world.depth() == (0, 0), "an empty queue")
    assert running.terminate().code == 3
    assert len(letters) == 20
    assert all(letter.status == "bad_config" and "AccessDenied" in letter.message for letter in letters)


def test_last_receive_is_dead_with_the_reason(world):
    """The queue would set it aside by itself, and nobody would know why."""
    world.make_queue(max_receive_count=1)
    world.pipeline(on_error={"backoff": "100ms", "retries": 0})
    deny(world, world.target, "s3:PutObject")
    upload = world.announced("in/a.jpg")
    world.run(code=3)
    [letter] = world.dead()
    assert letter.body == events.aws(upload)
    assert letter.status == "bad_config" and "AccessDenied" in letter.message and letter.attempts == "1"
    world.assert_all_settled()


def test_once_ends_and_leaves_the_queue_as_it_was(world):
    deny(world, world.target, "s3:PutObject")
    picture = world.picture(width=64, height=48)
    for i in range(30):
        world.announced(f"in/{i}.jpg", picture)
    finished = world.run(code=3)
    assert [line["dependency"] for line in warnings(finished, "run.gave_up")] == [f"s3://{world.target}"]
    assert world.depth() == (30, 0) and world.dead() == []
    assert all(result["attempt"] == 1 for result in finished.results)
    world.s3.delete_bucket_policy(Bucket=world.target)
    again = world.run()
    assert again.statuses() == ["ok"] * 30
    assert max(result["attempt"] for result in again.results) <= 2


def test_stopped_during_an_outage(world):
    deny(world, world.target, "s3:PutObject")
    for i in range(4):
        world.announced(f"in/{i}.jpg")
    running = world.start()
    running.wait_for_log("dependency.failing")
    running.wait_for_results(4)
    running.terminate()
    assert world.depth() == (4, 0) and world.dead() == []


# --- folders ---

def folder_pipeline(world, target):
    (world.folder / "in").mkdir()
    (world.folder / "p.yaml").write_text(f"""
version: 1
name: e2e
on_error: {{ backoff: 100ms, retries: 1 }}
trigger: {{ directory: {{ path: in }} }}
source: {{ file: {{}} }}
outputs: {{ small: {{ steps: [{{ resize: {{ width: 64 }} }}, {{ convert: {{ format: jpeg }} }}], to: {{ file: {{ path: "{target}/{{stem}}.{{ext}}" }} }} }} }}
""")
    for i in range(12):
        (world.folder / "in" / f"{i}.jpg").write_bytes(world.picture(width=64, height=48))


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes where it likes")
def test_folder_that_cannot_be_written(world):
    out = world.folder / "out"
    out.mkdir()
    out.chmod(0o555)
    folder_pipeline(world, "out")
    running = world.start()
    check_folders(world, running, lambda: out.chmod(0o755), f"file:{out}")


def test_store_of_a_folder_pipeline_fails(world):
    """A file is in the place of the folder: every write fails, no source is set aside, and all are done when it is mended."""
    (world.folder / "out").write_text("in the way")
    folder_pipeline(world, "out")
    running = world.start()
    check_folders(world, running, lambda: (world.folder / "out").unlink(), f"file:{world.folder}/out")


def check_folders(world, running, mend, name):
    running.wait_for_log("dependency.failing")
    running.wait_for_results(8)  # more attempts than on_error.retries
    assert not (world.folder / "in" / "failed").exists()
    assert len(list((world.folder / "in").glob("*.jpg"))) == 12
    mend()
    wait_for(lambda: len(list((world.folder / "in" / "done").glob("*.jpg"))) == 12, "all sources done")
    finished = running.terminate()
    assert len(list((world.folder / "out").glob("*.jpg"))) == 12
    assert not (world.folder / "in" / "failed").exists()
    assert [line["dependency"] for line in warnings(finished, "dependency.failing")] == [name]
    assert [line["dependency"] for line in warnings(finished, "dependency.back")] == [name]


def test_once_leaves_the_files(world):
    (world.folder / "out").write_text("in the way")
    folder_pipeline(world, "out")
    finished = world.run(code=3)
    assert warnings(finished, "run.gave_up")
    assert not (world.folder / "in" / "failed").exists()
    assert len(list((world.folder / "in").glob("*.jpg"))) == 12
