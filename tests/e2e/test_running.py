# SPDX-License-Identifier: Apache-2.0
"""A worker in its life: holding messages, keeping order, being stopped, being killed."""
import io
import json
import os
import pathlib
import signal
import time

from PIL import Image

import events
from world import wait_for


def slow(time_, **more):
    return [{"fault-slow": {"time": time_, **more}}]


def test_messages_are_held_for_as_long_as_a_job_takes(world):
    """Far longer than the queue's visibility timeout; another consumer never sees the message."""
    world.make_queue(visibility=2)
    world.pipeline(steps=slow("7s"), limits={"wall_time": "30s"})
    upload = world.announced("in/a.jpg")
    running = world.start()
    wait_for(lambda: world.depth() == (0, 1), "taken")
    while running.so_far().results == []:
        stolen = world.sqs.receive_message(QueueUrl=world.queue_url).get("Messages", [])
        assert stolen == [] or running.so_far().results, "the message became visible"
        time.sleep(0.2)
    wait_for(lambda: world.depth() == (0, 0), "deleted")
    finished = running.terminate()
    assert [(result["status"], result["attempt"]) for result in finished.results] == [("ok", 1)]
    assert world.get("out/a.jpg.jpg")["Metadata"]["pixmill-src-etag"] == upload.etag


def test_waiting_messages_are_held_too(world):
    """Those that were fetched ahead, while one worker is busy."""
    world.make_queue(visibility=2)
    world.pipeline(steps=slow("1500ms"), workers=1)
    for i in range(4):
        world.announced(f"in/{i}.jpg", world.picture(width=64, height=48))
    finished = world.run()
    assert [(result["status"], result["attempt"]) for result in finished.results] == [("ok", 1)] * 4
    world.assert_all_settled()


def test_fifo_keeps_the_order_of_each_group(world):
    world.make_queue(fifo=True)
    world.pipeline(steps=slow("50ms"), workers=4)
    data = world.picture(width=64, height=48)
    names = [f"{group}{i}" for i in range(5) for group in "ab"]
    for name in names:
        upload = world.upload(f"in/{name}.jpg", data)
        world.send(events.aws(upload), MessageGroupId=name[0], MessageDeduplicationId=name)
    finished = world.run()
    done = [result["source"].rpartition("/")[2][:2] for result in finished.results]
    for group in "ab":
        assert [name for name in done if name[0] == group] == [name for name in names if name[0] == group]
    assert finished.statuses() == ["ok"] * 10
    world.assert_all_settled()


def test_fifo_dead_letter_makes_room_for_the_next(world):
    """It goes to a FIFO dead-letter queue, in its group."""
    world.make_queue(fifo=True)
    for i, data in enumerate([None, b"no picture", None]):
        upload = world.upload(f"in/{i}.jpg", data)
        world.send(events.aws(upload), MessageGroupId="g", MessageDeduplicationId=str(i))
    world.run(code=3)
    assert world.keys() == ["out/0.jpg.jpg", "out/2.jpg.jpg"]
    [letter] = world.dead()
    assert (letter.reason, letter.group) == ("bad_input", "g")
    world.assert_all_settled()


def test_fifo_head_that_fails_uses_up_no_receive_of_its_followers(world):
    """It is tried again under its own lease until it is dead; those behind it keep their place, and are received once."""
    world.make_queue(fifo=True, max_receive_count=3)
    world.s3.put_bucket_policy(Bucket=world.target, Policy=json.dumps({"Version": "2012-10-17", "Statement": [
        {"Effect": "Deny", "Principal": "*", "Action": "s3:PutObject", "Resource": f"arn:aws:s3:::{world.target}/out/head.*"}]}))
    world.pipeline(workers=4)
    data = world.picture(width=64, height=48)

    def send(group, name):
        upload = world.upload(f"in/{name}.jpg", data)
        world.send(events.aws(upload), MessageGroupId=group, MessageDeduplicationId=name)
    send("a", "head")
    for i in range(5):
        send("a", f"a{i}")
    running = world.start()
    others = iter(range(1000))

    def over():  # another group's images work, so it is the head's own failure
        send("b", f"b{next(others)}")
        return sum("/a" in key for key in world.keys()) == 5
    wait_for(over, "the followers")
    finished = running.terminate()
    heads = [result for result in finished.results if result["source"].endswith("/head.jpg")]
    followers = [result for result in finished.results if "/in/a" in result["source"]]
    assert heads[-1]["attempt"] == 3 and heads[-1]["status"] == "bad_config"
    assert [result["attempt"] for result in followers] == [1] * 5
    assert [result["source"].rpartition("/")[2] for result in followers] == [f"a{i}.jpg" for i in range(5)]
    [letter] = world.dead()
    assert letter.group == "a" and letter.source.endswith("/head.jpg") and "AccessDenied" in letter.message


def test_sigterm_finishes_what_is_under_way(world):
    """What no worker has begun is back in the queue at once, and the next run does it."""
    world.pipeline(steps=slow("700ms"), workers=1)
    data = world.picture(width=64, height=48)
    uploads = [world.announced(f"in/{i}.jpg", data) for i in range(8)]
    running = world.start()
    running.wait_for_results(2)
    finished = running.terminate()
    assert finished.code == 0
    done = [result for result in finished.results if result["status"] == "ok"]
    assert 2 <= len(done) < 8
    assert len(world.keys()) == len(done)
    assert world.depth() == (8 - len(done), 0)
    wait_for(lambda: running.relatives() == [], "no process left", 2)
    world.pipeline()
    world.run()
    assert world.keys() == [f"out/{i}.jpg.jpg" for i in range(len(uploads))]
    world.assert_all_settled()


def test_grace_time_ends(world):
    """A job that does not finish in time goes back; nothing of it is half-written."""
    world.pipeline(steps=slow("30s"), limits={"wall_time": "60s"})
    world.announced("in/a.jpg")
    running = world.start("--grace", "1s")
    wait_for(lambda: world.depth() == (0, 1), "taken")
    time.sleep(0.5)
    started = time.monotonic()
    running.terminate()
    assert time.monotonic() - started < 5
    assert world.depth() == (1, 0) and world.keys() == []
    wait_for(lambda: running.relatives() == [], "no process left", 2)


def test_second_signal_ends_at_once(world):
    world.pipeline(steps=slow("30s"), limits={"wall_time": "60s"})
    world.announced("in/a.jpg")
    running = world.start()
    wait_for(lambda: world.depth() == (0, 1), "taken")
    running.signal(signal.SIGTERM)
    time.sleep(0.3)
    started = time.monotonic()
    running.terminate()
    assert time.monotonic() - started < 5
    assert world.depth() == (1, 0)


def in_a_long_poll(world, wait_time):
    """A broker that has nothing to do but to wait for the queue."""
    world.make_queue(visibility=60)
    world.pipeline(trigger={"wait_time": wait_time})
    world.announced("in/first.jpg")
    running = world.start()
    running.wait_for_results(1)
    wait_for(lambda: world.depth() == (0, 0), "deleted")
    return running


def test_what_the_last_poll_brings_is_back_at_once(world):
    """The service hands messages to a poll even if nobody waits for the answer: a broker that is told to stop still does."""
    running = in_a_long_poll(world, "5s")
    running.signal(signal.SIGTERM)
    running.wait_for_log("a second signal does not wait for it")
    world.announced("in/second.jpg")
    finished = running.wait()
    assert finished.code == 0 and len(finished.results) == 1
    assert world.depth() == (1, 0)


def test_second_signal_does_not_wait_for_the_poll(world):
    running = in_a_long_poll(world, "20s")
    running.signal(signal.SIGTERM)
    running.wait_for_log("a second signal does not wait for it")
    assert running.so_far().code is None
    started = time.monotonic()
    assert running.terminate().code == 0
    assert time.monotonic() - started < 3
    assert "grace" not in running.so_far().err


def test_killed_broker_loses_nothing(world):
    """kill -9 again and again. In the end every rendition is there, with the bytes of an undisturbed run."""
    uploads = [world.upload(f"in/{i:02}.jpg", world.picture(width=64, height=48, seed=i)) for i in range(16)]
    world.announce(*uploads)
    world.pipeline(steps=slow("200ms"))
    world.run()
    undisturbed = world.bodies()
    for key in undisturbed:
        world.s3.delete_object(Bucket=world.target, Key=key)

    world.make_queue(visibility=2, max_receive_count=50)
    world.pipeline(steps=slow("200ms"))
    world.announce(*uploads, *uploads[:4])
    for kill in range(1, 4):
        running = world.start()
        wait_for(lambda: len(world.keys()) >= 3 * kill, f"renditions before kill {kill}")
        running.signal(signal.SIGKILL)
        running.wait()
        wait_for(lambda: running.relatives() == [], "workers gone with their broker", 5)
    assert len(world.keys()) < 16
    time.sleep(1.2)  # the service's end of a poll may still take messages
    for _ in range(5):  # the poll of a killed broker may still take a message, which is out of sight for two seconds then
        wait_for(lambda: world.depth()[1] == 0, "messages visible again")
        world.run()
        if world.depth() == (0, 0):
            break
    assert world.bodies() == undisturbed
    world.assert_all_settled()
    assert world.dead() == []


def test_killed_workers_lose_nothing(world):
    """kill -9 of the processes that decode: the broker goes on, and so do the images."""
    world.make_queue(visibility=10, max_receive_count=50)
    world.pipeline(steps=slow("300ms"))
    for i in range(10):
        world.announced(f"in/{i}.jpg", world.picture(width=64, height=48))
    running = world.start()
    for kill in range(3):
        running.wait_for_results(1 + 2 * kill)
        children = [pid for pid in running.relatives() if pid != running.process.pid]
        try:
            os.kill(max(children), signal.SIGKILL)
        except ProcessLookupError:
            pass
    wait_for(lambda: len(world.keys()) == 10 and world.depth() == (0, 0), "all done")
    assert running.process.poll() is None, "the broker died"
    assert running.terminate().code == 0
    assert world.dead() == []


def test_two_brokers_share_a_queue(world):
    """Neither does what the other did, and together they do all."""
    data = world.picture(width=64, height=48)
    world.pipeline(steps=slow("100ms"))
    for i in range(20):
        world.announced(f"in/{i:02}.jpg", data)
    brokers = [world.start("--once"), world.start("--once")]
    results = [result for broker in brokers for result in broker.wait().results]
    assert sorted(result["source"] for result in results) == [f"s3://{world.source}/in/{i:02}.jpg" for i in range(20)]
    assert {result["status"] for result in results} == {"ok"}
    world.assert_all_settled()


def test_forged_sizes_evade_no_budget(world):
    """Events that claim 0 bytes: sources wait in memory as many bytes as four of the largest allowed, all the same."""
    size = 900
    noise = io.BytesIO()
    Image.frombytes("RGB", (size, size), os.urandom(3 * size * size)).save(noise, "PNG")
    data = noise.getvalue()
    world.pipeline(steps=slow("150ms"), workers=2, limits={"file_size": len(data)})
    for i in range(14):
        world.send(events.aws(world.upload(f"in/{i}.png", data), size=0))
    running = world.start()
    most = 0

    def over():
        nonlocal most
        held = {}  # by inode: a worker's job has a descriptor of its own
        for fd in pathlib.Path(f"/proc/{running.process.pid}/fd").iterdir():
            try:
                if "memfd:source" in os.readlink(fd):
                    held[fd.stat().st_ino] = fd.stat().st_size
            except FileNotFoundError:
                pass
        most = max(most, sum(held.values()))
        return len(world.keys()) == 14
    wait_for(over, "all renditions")
    running.terminate()
    assert len(data) < most <= 4 * len(data) + 10 * 64 * 1024, most
