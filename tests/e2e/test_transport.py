# SPDX-License-Identifier: Apache-2.0
"""Connections that go silent, answers that drip, pages in place of answers: nothing of it is the image's fault, and none takes long."""
import threading
import time

import faults
from world import wait_for

RECOVERED = 30  # seconds after an outage


def silent(handler, forward):
    """Takes the request, and never says a word."""
    handler.close_connection = True
    threading.Event().wait(300)


def silent_after(handler, forward):
    """The same, but what was asked for is done."""
    forward()
    silent(handler, forward)


def silent_in_body(handler, forward):
    answer = forward()
    handler.answer(answer, body=answer.body[:len(answer.body) // 2])
    handler.wfile.flush()
    silent(handler, forward)


def drip(handler, forward):
    """A byte at a time."""
    answer = forward()
    handler.answer(answer, body=b"")
    for i in range(len(answer.body)):
        handler.wfile.write(answer.body[i:i + 1])
        handler.wfile.flush()
        time.sleep(0.02)


def uploads(world, count):
    made = [world.upload(f"in/{i}.jpg", world.picture(width=64, height=48, seed=i)) for i in range(count)]
    world.announce(*made)
    return made


def assert_all_done(world, count):
    assert len(world.keys()) == count
    for key in world.keys():
        assert world.get(key)["Image"].load()
    world.assert_all_settled()
    assert world.dead() == []


def test_some_connections_go_silent(world, proxies):
    """One in twelve, before and after the service has done its work, and in the middle of a body."""
    world.make_queue(visibility=60, max_receive_count=10)
    world.pipeline(workers=4)
    uploads(world, 24)
    s3, sqs = proxies(world.peers.s3_url), proxies(world.peers.sqs_url)
    rules = [s3.fail(silent, share=0.04), s3.fail(silent_after, method="PUT", share=0.04), s3.fail(silent_in_body, method="GET", share=0.04)]
    rules += [sqs.fail(silent, target="DeleteMessageBatch", times=1), sqs.fail(silent, target="ReceiveMessage", times=1)]
    began = time.monotonic()
    running = world.start(env={"AWS_ENDPOINT_URL_S3": s3.url, "AWS_ENDPOINT_URL_SQS": sqs.url})
    wait_for(lambda: len(world.keys()) == 24 and world.depth() == (0, 0), "all done", 110)
    took = time.monotonic() - began
    finished = running.terminate()
    assert finished.code == 0, finished.err
    assert sum(rule.struck for rule in rules) >= 3
    assert took < 90, "silence was waited for"
    assert_all_done(world, 24)


def test_s3_unreachable_for_a_while(world, proxies):
    """What was under way, and what came meanwhile, is done soon after it is back."""
    world.make_queue(visibility=60, max_receive_count=50)
    world.pipeline(workers=2, on_error={"backoff": "1s"})
    uploads(world, 4)
    proxy = proxies(world.peers.s3_url)
    running = world.start(env={"AWS_ENDPOINT_URL_S3": proxy.url})
    running.wait_for_results(4)
    rule = proxy.fail(silent)
    for i in range(12):
        world.announced(f"in/late-{i}.jpg", world.picture(width=64, height=48, seed=100 + i))
    wait_for(lambda: rule.struck >= 3, "calls into the silence")
    time.sleep(12)
    assert len(world.keys()) == 4
    proxy.heal()
    wait_for(lambda: len(world.keys()) > 4, "the first rendition after the outage", RECOVERED)
    wait_for(lambda: len(world.keys()) == 16 and world.depth() == (0, 0), "all done", 90)
    assert running.terminate().code == 0
    assert_all_done(world, 16)


def test_queue_unreachable_for_a_while(world, proxies):
    world.make_queue(visibility=60, max_receive_count=50)
    world.pipeline(workers=2)
    proxy = proxies(world.peers.sqs_url)
    running = world.start(env={"AWS_ENDPOINT_URL_SQS": proxy.url})
    wait_for(lambda: proxy.seen, "a poll")
    rule = proxy.fail(silent)
    uploads(world, 4)
    wait_for(lambda: rule.struck >= 2, "calls into the silence")
    proxy.heal()
    running.wait_for_results(1)
    wait_for(lambda: len(world.keys()) == 4 and world.depth() == (0, 0), "all done", RECOVERED)
    assert running.terminate().code == 0
    assert_all_done(world, 4)


def test_sigterm_beside_a_silent_connection(world, proxies):
    """What waits for an answer is done over another connection, inside the grace time."""
    world.announced("in/a.jpg")
    proxy = proxies(world.peers.s3_url)
    rule = proxy.fail(silent, method="GET", times=1)
    running = world.start("--grace", "30s", env={"AWS_ENDPOINT_URL_S3": proxy.url})
    wait_for(lambda: rule.struck == 1, "a call into the silence")
    began = time.monotonic()
    finished = running.terminate()
    assert finished.code == 0 and finished.statuses() == ["ok"]
    assert time.monotonic() - began < 25
    world.assert_all_settled()


def test_answers_that_drip(world, proxies):
    """A source of 20 KB would take 7 minutes."""
    made = world.announced("in/a.jpg", world.picture(width=640, height=480))
    assert made.size > 15000
    proxy = proxies(world.peers.s3_url)
    rule = proxy.fail(drip, method="GET", times=1)
    began = time.monotonic()
    finished = world.run(env={"AWS_ENDPOINT_URL_S3": proxy.url})
    assert rule.struck == 1 and finished.statuses() == ["ok"]
    assert time.monotonic() - began < 60
    world.assert_all_settled()


def test_answers_that_name_no_reason(world, proxies):
    """A bare 400 to HEAD, a balancer's pages, a 503 with megabytes of body: each is tried again, none is the image's end."""
    world.make_queue(visibility=30, max_receive_count=20)
    world.pipeline(workers=4)
    uploads(world, 12)
    proxy = proxies(world.peers.s3_url)
    page = b"<html><body>not now</body></html>"
    rules = [proxy.fail(faults.status(400), method="HEAD", share=0.2), proxy.fail(faults.status(403), method="HEAD", share=0.1),
             proxy.fail(faults.status(400, page, Content_Type="text/html"), share=0.1),
             proxy.fail(faults.status(503, b"x" * (60 << 20)), method="GET", share=0.2)]
    running = world.start(env={"AWS_ENDPOINT_URL_S3": proxy.url})
    wait_for(lambda: len(world.keys()) == 12 and world.depth() == (0, 0), "all done", 90)
    peak = next(int(line.split()[1]) for line in open(f"/proc/{running.process.pid}/status") if line.startswith("VmHWM"))
    assert running.terminate().code == 0
    assert sum(rule.struck for rule in rules) >= 3
    assert peak < 80 << 10 or "ASAN_OPTIONS" in world.environment(), f"{peak} KiB for bodies that nobody wants"
    assert_all_done(world, 12)


def test_heartbeats_beside_slow_puts(world, proxies):
    """80 puts of 6 seconds each, and messages that are visible again after 4: each is worked on once."""
    world.make_queue(visibility=4, max_receive_count=2)
    outputs = {f"o{i}": {"steps": [{"resize": {"width": 16}}, {"convert": {"format": "jpeg"}}],
                         "to": {"s3": {"bucket": world.target, "key": "out/{name}-%d.{ext}" % i}}} for i in range(40)}
    world.pipeline(outputs=outputs, workers=2)
    uploads(world, 2)
    proxy = proxies(world.peers.s3_url)
    rule = proxy.fail(faults.delay(6), method="PUT")
    running = world.start(env={"AWS_ENDPOINT_URL_S3": proxy.url})
    wait_for(lambda: world.depth() == (0, 2), "two messages in flight")
    visible = set()

    def done():
        visible.add(world.depth()[0])
        return len(running.so_far().results) >= 2
    wait_for(done, "both done")
    finished = running.terminate()
    assert rule.struck == 80
    assert visible == {0}, "a message was handed out again while it was worked on"
    assert [result["attempt"] for result in finished.results] == [1, 1]
    assert finished.statuses() == ["ok", "ok"]
    assert len(world.keys()) == 80
    world.assert_all_settled()
    assert world.dead() == []
