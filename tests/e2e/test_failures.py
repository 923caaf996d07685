# SPDX-License-Identifier: Apache-2.0
"""What goes wrong: with the image, a plugin, the rights, the network. Nothing is lost, and everything is told."""
import datetime
import hashlib
import json
import os
import pathlib
import signal
import time

import pytest

import events
import faults
from world import PATIENCE, wait_for

OUT = "out/a.jpg.jpg"


# --- images and plugins ---

BAD_IMAGES = {
    "no image": (lambda world: b"GIF87 this is not", "bad_input"),
    "empty": (lambda world: b"", "bad_input"),
    "bomb": (lambda world: world.picture("bomb", "png", width=50000, height=50000), "limit"),
    "extreme shape": (lambda world: world.picture("extreme", "png", width=8000, height=8), "limit"),
    "not let in": (lambda world: b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>', "bad_input"),
}


@pytest.mark.parametrize("kind", BAD_IMAGES)
def test_bad_image(world, kind):
    make, reason = BAD_IMAGES[kind]
    upload = world.upload("in/a.jpg", make(world))
    body = events.aws(upload)
    world.send(body)
    world.run(code=3)
    [letter] = world.dead()
    assert letter.body == body
    assert (letter.reason, letter.status) == (reason, reason)
    assert letter.message
    assert (letter.source, letter.pipeline) == (f"s3://{world.source}/in/a.jpg", "e2e")
    assert world.keys() == []
    world.assert_all_settled()


def test_failure_is_logged_with_all_that_names_it(world):
    upload = world.announced("in/a.jpg", b"no picture")
    good = world.announced("in/b.jpg")
    finished = world.run(code=3)
    [failed] = [line for line in finished.log if line["event"] == "image.failed"]
    assert failed["level"] == "error" and failed["source"] == f"s3://{world.source}/in/a.jpg"
    assert (failed["etag"], failed["sequencer"], failed["status"], failed["attempt"]) == (upload.etag, upload.sequencer, "bad_input", "1")
    result = finished.result(upload)
    assert result["message_id"] == failed["message_id"] and len(failed["message_id"]) == 36
    assert result["level"] == "error" and finished.result(good)["level"] == "info"
    assert result["host"] and result["time"].endswith("Z")


def test_larger_than_allowed(world):
    world.pipeline(limits={"file_size": "10KiB"})
    told, untold = world.upload("in/told.jpg"), world.upload("in/untold.jpg")
    world.announce(told)
    world.send(events.aws(untold, size=100))
    world.run(code=3)
    letters = {letter.source.rpartition("/")[2]: letter for letter in world.dead()}
    assert {name: letter.reason for name, letter in letters.items()} == {"told.jpg": "limit", "untold.jpg": "limit"}
    assert "limits.file_size" in letters["told.jpg"].message and "limits.file_size" in letters["untold.jpg"].message


def test_letter_names_the_step(world):
    world.pipeline(steps=[{"fault-null": {}}])
    world.announced("in/a.jpg")
    world.run(code=3)
    [letter] = world.dead()
    assert letter.step == "steps[0]" and letter.plugin == "fault-null"
    assert letter.reason == letter.status == "bug"


@pytest.mark.parametrize("fault,tag", [("segv", "SIGSEGV"), ("abort", "SIGABRT"), ("exit", "exit"), ("stack", "SIGSEGV")])
def test_plugin_that_kills_its_worker(world, fault, tag):
    """Tried twice, then set aside by name; the other images never notice."""
    world.pipeline(steps=[{f"fault-{fault}": {"key": "poison"}}])
    world.announced("in/poison.jpg")
    for i in range(4):
        world.announced(f"in/{i}.jpg", world.picture(width=64, height=48))
    finished = world.run(code=3)
    assert finished.statuses() == ["bug"] + ["ok"] * 4 + ["retry"]
    [letter] = world.dead()
    assert letter.reason.startswith(f"plugin_crash:fault-{fault}:{tag}"), letter.reason
    assert letter.attempts == "2"
    assert len(world.keys()) == 4
    world.assert_all_settled()


def test_plugin_that_kills_itself(world):
    """Does not pass for killed from outside: the sandbox lets nobody send itself SIGKILL."""
    world.pipeline(steps=[{"fault-kill": {"key": "poison"}}], sandbox={"minimum": "T2"})
    world.announced("in/poison.jpg")
    world.announced("in/good.jpg")
    finished = world.run(code=None)
    if "sandbox.minimum" in finished.err:
        pytest.skip("this host gives no T2")
    assert finished.code == 3
    [letter] = world.dead()
    assert letter.reason == "plugin_crash:fault-kill:SIGSYS"
    assert world.keys() == ["out/good.jpg.jpg"]


def test_worker_killed_from_outside(world):
    """As the kernel does when memory runs out: nobody's fault that is known, so tried for as long as the queue allows. The last
    time it is set aside with the reason, which the queue would not know."""
    world.pipeline(steps=[{"fault-hang": {"key": "poison"}}], limits={"wall_time": "5m"})
    poison = world.announced("in/poison.jpg")
    world.announced("in/good.jpg")
    running = world.start("--once", "--workers", "2")
    running.wait_for_results(1)  # the good one; now the other hangs, as often as it is tried

    def over():
        for pid in running.relatives():
            try:
                if pathlib.Path(f"/proc/{pid}/comm").read_text() == "pixmill-child\n":
                    os.kill(pid, signal.SIGKILL)
            except (FileNotFoundError, ProcessLookupError):
                pass  # it went meanwhile
        time.sleep(0.3)
        return running.process.poll() is not None

    wait_for(over, "the end", PATIENCE * 2)
    finished = running.wait()
    assert finished.code == 3, finished.err
    assert "1 done, 1 failed," in finished.err
    assert finished.statuses() == ["ok"] + ["retry"] * 2 + ["transient"]
    assert "SIGKILL" in finished.result(poison)["error"]["message"]
    assert world.keys() == ["out/good.jpg.jpg"]
    [letter] = world.dead()
    assert letter.body == events.aws(poison)
    assert letter.attempts == "3" and "SIGKILL" in letter.message
    world.assert_all_settled()


def test_plugin_that_hangs(world):
    world.pipeline(steps=[{"fault-hang": {"key": "poison"}}], limits={"wall_time": "1s"})
    world.announced("in/poison.jpg")
    world.announced("in/good.jpg")
    world.run(code=3)
    [letter] = world.dead()
    assert letter.source.endswith("/in/poison.jpg")
    assert world.keys() == ["out/good.jpg.jpg"]
    world.assert_all_settled()


# --- rights and names ---

def assert_waits(world, upload, said, env=None):
    """It says what is wrong, and the message is there for when that is mended."""
    running = world.start(env=env)
    running.wait_for_results(1)
    finished = running.terminate()
    result = finished.result(upload)
    assert result["status"] in ("retry", "released")
    for word in said:
        assert word in result["error"]["message"] + result["error"].get("where", ""), result["error"]
    assert sum(world.depth()) == 1
    assert world.dead() == []


def test_wrong_secret(world):
    world.announced("in/a.jpg")
    finished = world.run(code=2, env={"AWS_SECRET_ACCESS_KEY": "canary-of-a-secret"})
    assert "SignatureDoesNotMatch" in finished.err or "InvalidSignature" in finished.err
    assert "p.yaml:" in finished.err and "trigger: sqs" in finished.err
    assert "canary" not in finished.out + finished.err
    assert world.depth() == (1, 0)


def test_no_credentials(world):
    world.announced("in/a.jpg")
    finished = world.run(code=2, env={"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""})
    assert "credentials" in finished.err
    assert world.depth() == (1, 0)


def test_secret_is_never_said(world):
    world.announced("in/a.jpg")
    finished = world.run("--log-level", "debug")
    assert world.peers.secret_key not in finished.out + finished.err
    assert world.peers.secret_key not in json.dumps(world.get(OUT)["Metadata"])


def test_missing_destination_bucket(world):
    world.pipeline(place={"bucket": "nowhere-" + world.name}, on_error={"backoff": "30s"})
    assert_waits(world, world.announced("in/a.jpg"), ["NoSuchBucket", f"s3://nowhere-{world.name}/"])
    world.s3.create_bucket(Bucket="nowhere-" + world.name)
    time.sleep(1.2)  # the service's end of the poll that was under way would take the message
    world.announced("in/a.jpg")
    assert world.run().statuses()[0] == "ok"
    assert world.keys("nowhere-" + world.name) == [OUT]


def deny(world, bucket, action):
    world.s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps({"Version": "2012-10-17", "Statement": [
        {"Effect": "Deny", "Principal": "*", "Action": action, "Resource": f"arn:aws:s3:::{bucket}/*"}]}))


@pytest.mark.parametrize("bucket,action", [("source", "s3:GetObject"), ("target", "s3:PutObject")])
def test_access_denied(world, bucket, action):
    deny(world, getattr(world, bucket), action)
    world.pipeline(on_error={"backoff": "30s"})
    assert_waits(world, world.announced("in/a.jpg"), ["AccessDenied", f"s3://{getattr(world, bucket)}/"])


def test_failure_that_passes_is_retried(world):
    """Within one run: `--once` waits for what it has given back itself."""
    deny(world, world.target, "s3:PutObject")
    upload = world.announced("in/a.jpg")
    running = world.start("--once")
    running.wait_for_results(1)
    world.s3.delete_bucket_policy(Bucket=world.target)
    finished = running.wait()
    assert [result["status"] for result in finished.results] == ["retry", "ok"]
    assert world.get(OUT)["Metadata"]["pixmill-src-etag"] == upload.etag
    world.assert_all_settled()


def test_dead_letter_that_is_refused(world, proxies):
    """First the reason gives way, then the body, to a short event that asks for the same work; nothing is lost, and it ends."""
    bodies = []
    for times in (1, 2):
        upload = world.upload(f"in/{times}.jpg", b"no picture")
        world.announce(upload)
        proxy = proxies(world.peers.sqs_url)
        rule = proxy.fail(faults.sqs_error(400, "InvalidMessageContents"), target="SendMessage", times=times)
        world.run(code=3, env={"AWS_ENDPOINT_URL_SQS": proxy.url})
        assert rule.struck == times
        [letter] = world.dead()
        assert letter.reason == "bad_input" and letter.source == f"s3://{world.source}/in/{times}.jpg"
        assert "where" not in letter.attributes and "queue" not in str(letter.attributes.keys())
        bodies.append((letter.body, upload))
        world.assert_all_settled()
    assert bodies[0][0] == events.aws(bodies[0][1])
    claim, upload = json.loads(bodies[1][0]), bodies[1][1]
    original = events.aws(upload)
    assert claim["pixmill"]["body_size"] == len(original.encode())
    assert claim["pixmill"]["body_sha256"] == hashlib.sha256(original.encode()).hexdigest()
    world.upload("in/2.jpg")
    again = events.aws(world.upload("in/3.jpg"))
    claim["Records"][0]["s3"]["object"] = json.loads(again)["Records"][0]["s3"]["object"]
    world.send(json.dumps(claim))
    assert world.run().statuses() == ["ok"]


def test_dead_letter_that_is_always_refused(world, proxies):
    """It stays in its own queue, and is not sent without end: as often as the queue hands it out."""
    world.announced("in/a.jpg", b"no picture")
    proxy = proxies(world.peers.sqs_url)
    rule = proxy.fail(faults.sqs_error(400, "InvalidMessageContents"), target="SendMessage")
    world.run(code=3, env={"AWS_ENDPOINT_URL_SQS": proxy.url})
    assert rule.struck == 3 * 3
    world.sqs.receive_message(QueueUrl=world.queue_url)
    assert len(world.dead()) == 1


def test_queue_without_dead_letter_queue(world):
    world.make_queue(dead=False)
    world.announced("in/a.jpg")
    finished = world.run(code=2)
    assert "dead-letter queue" in finished.err and "hint: " in finished.err and "redrive policy" in finished.err
    assert world.depth() == (1, 0)


def test_dead_letter_queue_of_the_pipeline(world):
    world.make_queue(dead=False)
    world.dead_url = world.sqs.create_queue(QueueName=world.name + "-letters")["QueueUrl"]
    world.pipeline(trigger={"dead_letter_url": world.dead_url})
    world.announced("in/a.jpg", b"no picture")
    world.run(code=3)
    assert [letter.reason for letter in world.dead()] == ["bad_input"]


def test_missing_queue(world):
    world.queue_url += "-gone"
    finished = world.run(code=2)
    assert "NonExistentQueue" in finished.err or "QueueDoesNotExist" in finished.err
    assert "p.yaml:" in finished.err


# --- the network ---

S3_FAULTS = {
    "throttled": (faults.s3_error(503, "SlowDown"), None),
    "internal error": (faults.s3_error(500, "InternalError"), None),
    "gateway's page": (faults.status(502, b"<html>bad gateway</html>", Content_Type="text/html"), None),
    "reset": (faults.reset, None),
    "reset of GET": (faults.reset, "GET"),
    "cut body": (faults.cut, "GET"),
    "error in a 200": (faults.s3_error(200, "InternalError"), "PUT"),
    "lost answer": (faults.lose, "PUT"),
    "conflict": (faults.s3_error(409, "ConditionalRequestConflict"), "PUT"),
    "slow": (faults.delay(2), None),
}


@pytest.mark.parametrize("name", S3_FAULTS)
def test_s3_fault(world, proxies, name):
    """It passes, and so does the upload; what was written is whole."""
    fault, method = S3_FAULTS[name]
    upload = world.announced("in/a.jpg")
    proxy = proxies(world.peers.s3_url)
    rules = [proxy.fail(fault, method=one, times=1) for one in ([method] if method else ["GET", "HEAD", "PUT"])]
    finished = world.run(env={"AWS_ENDPOINT_URL_S3": proxy.url})
    assert [rule.struck for rule in rules] == [1] * len(rules)
    assert finished.statuses()[0] == "ok", finished.out
    found = world.get(OUT)
    assert found["Image"].size == (64, 48) and found["Image"].load()
    assert found["Metadata"]["pixmill-src-etag"] == upload.etag
    world.assert_all_settled()
    assert world.dead() == []


def test_flipped_bit(world, proxies):
    """As many bytes as promised, but not those that were uploaded: the ETag tells."""
    data = world.picture("flat", "png", width=64, height=48)
    upload = world.upload("in/a.png", data)
    world.pipeline(outputs={"same": {"steps": [], "to": {"s3": {"bucket": world.target, "key": "same.png"}}}})
    proxy = proxies(world.peers.s3_url)
    rule = proxy.fail(faults.flip, method="GET", times=1)
    world.announce(upload)
    finished = world.run(env={"AWS_ENDPOINT_URL_S3": proxy.url})
    assert rule.struck == 1
    assert finished.statuses()[0] == "ok", finished.out
    undisturbed = world.get("same.png")["Bytes"]
    world.s3.delete_object(Bucket=world.target, Key="same.png")
    world.announce(upload)
    world.run()
    assert world.get("same.png")["Bytes"] == undisturbed


SQS_FAULTS = {
    "throttled poll": (faults.sqs_error(400, "RequestThrottled"), "ReceiveMessage"),
    "throttling exception": (faults.sqs_error(400, "ThrottlingException"), "GetQueueAttributes"),
    "failing poll": (faults.sqs_error(503, "ServiceUnavailable"), "ReceiveMessage"),
    "cut answer": (faults.cut, "ReceiveMessage"),
    "reset": (faults.reset, "ReceiveMessage"),
    "delete fails": (faults.sqs_error(500, "InternalFailure"), "DeleteMessageBatch"),
    "delete is lost": (faults.lose, "DeleteMessageBatch"),
}


@pytest.mark.parametrize("name", SQS_FAULTS)
def test_sqs_fault(world, proxies, name):
    fault, operation = SQS_FAULTS[name]
    world.make_queue(visibility=4)
    world.pipeline()
    world.announced("in/a.jpg")
    world.announced("in/b.jpg", b"no picture")
    proxy = proxies(world.peers.sqs_url)
    rule = proxy.fail(fault, target=operation, times=1)
    running = world.start(env={"AWS_ENDPOINT_URL_SQS": proxy.url})
    wait_for(lambda: rule.struck == 1 and world.keys() == [OUT] and world.depth() == (0, 0), "settled")
    assert running.terminate().code == 3
    assert [letter.source for letter in world.dead()] == [f"s3://{world.source}/in/b.jpg"]
    world.assert_all_settled()


def test_batch_answer_with_failures(world, proxies):
    """200, and inside some entries failed: those again, not the others."""
    world.announced("in/a.jpg")
    proxy = proxies(world.peers.sqs_url)

    def refuse(handler, forward):
        body = b'{"Successful":[],"Failed":[{"Id":"0","SenderFault":false,"Code":"InternalError","Message":"made up"}]}'
        handler.answer(faults.Answer(200, [("Content-Type", "application/x-amz-json-1.0")], body))
    rule = proxy.fail(refuse, target="DeleteMessageBatch", times=1)
    world.run(env={"AWS_ENDPOINT_URL_SQS": proxy.url})
    assert rule.struck == 1
    world.assert_all_settled()


def test_every_kind_of_fault_at_once(world, proxies):
    """One request in five goes wrong. Every picture comes out, as without faults."""
    uploads = [world.upload(f"in/{i}.jpg", world.picture(width=64, height=48, seed=i)) for i in range(12)]
    world.announce(*uploads)
    world.run()
    undisturbed = world.bodies()
    for key in world.keys():
        world.s3.delete_object(Bucket=world.target, Key=key)

    world.make_queue(visibility=5, max_receive_count=100)
    world.pipeline()
    world.announce(*uploads, *uploads[:4])
    proxy = proxies(world.peers.s3_url)
    share = 0.2 / 5
    rules = [proxy.fail(fault, method=method, share=share)
             for fault, method in ((faults.reset, None), (faults.s3_error(503, "SlowDown"), None), (faults.cut, "GET"),
                                   (faults.s3_error(200, "InternalError"), "PUT"), (faults.lose, "PUT"))]
    world.run(code=None, env={"AWS_ENDPOINT_URL_S3": proxy.url})
    assert sum(rule.struck for rule in rules) > 0
    assert world.bodies() == undisturbed
    world.assert_all_settled()
    assert world.dead() == []


def test_queue_is_gone_for_a_while(world, proxies):
    """Said once, not once a poll; then it goes on."""
    proxy = proxies(world.peers.sqs_url)
    rule = proxy.fail(faults.sqs_error(503, "ServiceUnavailable"), target="ReceiveMessage")
    running = world.start(env={"AWS_ENDPOINT_URL_SQS": proxy.url})
    running.wait_for_log("queue.outage")
    struck = rule.struck
    world.announced("in/a.jpg")
    proxy.heal()
    running.wait_for_results(1)
    finished = running.terminate()
    assert finished.code == 0
    assert struck <= 10, "a busy loop"
    assert [line["event"] for line in finished.log].count("queue.outage") == 1
    assert "queue.back" in [line["event"] for line in finished.log]
    assert world.keys() == [OUT]


@pytest.mark.parametrize("offset", ["+20m", "-20m"])
def test_a_clock_that_is_wrong_is_corrected(world, offset):
    """S3 refuses what is signed more than 15 minutes off, and says its own time."""
    library = next(iter(sorted(pathlib.Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))), None)
    if library is None or "ASAN_OPTIONS" in world.environment():
        pytest.skip("no libfaketime, or sanitizers, which want to be loaded first")
    world.announced("in/a.jpg")
    world.announced("in/b.jpg")
    finished = world.run(env={"LD_PRELOAD": str(library), "FAKETIME": offset, "FAKETIME_DONT_FAKE_MONOTONIC": "1",
                              "FAKETIME_NO_CACHE": "1"})
    assert world.keys() == ["out/a.jpg.jpg", "out/b.jpg.jpg"]
    assert finished.statuses() == ["ok", "ok"], finished.out
    # The log was written by the wrong clock: it was in force.
    written = datetime.datetime.fromisoformat(finished.log[0]["time"].replace("Z", "+00:00"))
    off = (written - datetime.datetime.now(datetime.timezone.utc)).total_seconds()
    assert abs(abs(off) - 1200) < 60 and (off > 0) == (offset[0] == "+")
    world.assert_all_settled()
