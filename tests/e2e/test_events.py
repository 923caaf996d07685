# SPDX-License-Identifier: Apache-2.0
"""What messages may say, and what becomes of those that say something else."""
import json
import unicodedata
import urllib.parse

import pytest

import events

KEY = "in/é a+b%41.jpg"
FORMS = {
    "aws": events.aws,
    "sns": lambda upload: events.sns(events.aws(upload)),
    "eventbridge": events.eventbridge,
    "minio": events.minio,
    "radosgw": events.radosgw,
    "sns of radosgw": lambda upload: events.sns(events.radosgw(upload)),
    "aws, multipart": lambda upload: json.dumps({"Records": [events.record(upload, "ObjectCreated:CompleteMultipartUpload")]}),
    "aws, no sequencer": lambda upload: events.aws(upload, sequencer=None),
    "aws, unknown fields": lambda upload: json.dumps({"Records": [{**events.record(upload), "eventVersion": "2.9", "new": {"a": [1]}}]}),
}


@pytest.mark.parametrize("form", FORMS)
def test_form(world, form):
    upload = world.upload(KEY)
    world.send(FORMS[form](upload))
    finished = world.run()
    assert finished.statuses() == ["ok"], finished.out
    [key] = world.keys()
    assert key == "out/é a+b%41.jpg.jpg"
    assert world.get(key)["Metadata"]["pixmill-src-etag"] == upload.etag
    world.assert_all_settled()


def test_key_encoding_can_be_told(world):
    """A sender that says nothing of itself and does not encode."""
    upload = world.upload("in/a+b.jpg")
    record = events.record(upload, key=upload.key)
    world.pipeline(trigger={"key_encoding": "raw"})
    world.send(json.dumps({"Records": [record]}))
    world.run()
    assert world.keys() == ["out/a+b.jpg.jpg"]


def test_nothing_to_do(world):
    """Taken off the queue, nothing made, nobody alarmed."""
    upload = world.upload("in/a.jpg")
    world.send(events.test_event(world.source))
    world.send(events.sns(events.test_event(world.source)))
    world.send(json.dumps({"Records": [events.record(upload, "ObjectRemoved:Delete")]}))
    world.send(json.dumps({"Records": [events.record(upload, "ObjectTagging:Put")]}))
    world.send(json.dumps({"Records": []}))
    world.run()
    assert world.keys() == []
    world.assert_all_settled()
    assert world.dead() == []


def test_event_filter(world):
    world.pipeline(trigger={"events": ["ObjectCreated:Copy"]})
    put, copy = world.upload("in/put.jpg"), world.upload("in/copy.jpg")
    world.send(json.dumps({"Records": [events.record(put), events.record(copy, "ObjectCreated:Copy")]}))
    world.run()
    assert world.keys() == ["out/copy.jpg.jpg"]
    world.assert_all_settled()


def test_many_records_in_a_message(world):
    data = world.picture(width=64, height=48)
    uploads = [world.upload(f"in/{i:03}.jpg", data) for i in range(30)]
    world.send(events.aws(*uploads))
    finished = world.run()
    assert finished.statuses() == ["ok"] * 30
    assert world.keys() == [f"out/{i:03}.jpg.jpg" for i in range(30)]
    world.assert_all_settled()


def test_a_bad_record_condemns_the_message_after_the_others_are_done(world):
    """Its letter is whole, so that all of it can be sent again: what is done already is then found current."""
    good = [world.upload(f"in/{i}.jpg") for i in range(3)]
    bad = world.upload("in/bad.jpg", b"no picture at all")
    body = events.aws(good[0], bad, *good[1:])
    world.send(body)
    finished = world.run(code=3)
    assert finished.statuses() == ["bad_input", "ok", "ok", "ok"]
    assert world.keys() == [f"out/{i}.jpg.jpg" for i in range(3)]
    [letter] = world.dead()
    assert letter.body == body and letter.reason == "bad_input"
    assert letter.source == f"s3://{world.source}/in/bad.jpg"
    world.assert_all_settled()


def test_later_record_of_a_key_speaks_for_it(world):
    first = world.upload("in/a.jpg", world.picture(seed=1))
    second = world.upload("in/a.jpg", world.picture(seed=2))
    world.send(events.aws(first, second))
    finished = world.run()
    assert finished.statuses() == ["ok"]
    assert world.get("out/a.jpg.jpg")["Metadata"]["pixmill-src-etag"] == second.etag


class Forged:
    """Speaks of an object that nobody uploaded."""
    size, etag, version_id, sequencer = 10, "0" * 32, None, "01"

    def __init__(self, bucket, key):
        self.bucket, self.key = bucket, key


@pytest.mark.parametrize("bucket,key", [("other", "in/a.jpg"), ("source", "private/a.jpg"), ("source", "in")])
def test_outside_the_allow_list(world, bucket, key):
    """A sender to the queue cannot make pixmill read elsewhere."""
    body = events.aws(Forged(world.source if bucket == "source" else world.target, key))
    world.send(body)
    world.run(code=3)
    [letter] = world.dead()
    assert letter.body == body
    assert letter.reason == "bad_input" and letter.status == "bad_input"
    assert "source.s3" in letter.message
    assert (letter.pipeline, letter.queue, letter.attempts) == ("e2e", world.queue_url, "1")
    assert world.keys() == []
    world.assert_all_settled()


HOSTILE = {
    "no JSON": "Hello & <b>goodbye</b>",
    "another document": "{}",
    "a number": "17",
    "cut off": '{"Records": [{"eventVersion": "2.1", "s3": {',
    "deep": "[" * 5000 + "]" * 5000,
    "deep objects": '{"Records":' * 200 + "1" + "}" * 200,
    "records of the wrong kind": '{"Records": {"a": 1}}',
    "too many records": json.dumps({"Records": [{}] * 101}),
    "no bucket": '{"Records": [{"eventVersion": "2.1", "eventName": "ObjectCreated:Put", "s3": {"object": {"key": "in/a"}}}]}',
    "another major version": '{"Records": [{"eventVersion": "3.0", "eventName": "ObjectCreated:Put"}]}',
    "NUL in the key": "in/a%00b.jpg",
    "control character in the key": "in/a%0Ab.jpg",
    "no UTF-8 in the key": "in/%C3%28.jpg",
    "half an escape in the key": "in/a%4",
    "huge key": "in/" + "a" * 1100,
    "SNS in SNS": events.sns(events.sns("{}")),
    "SNS of nonsense": events.sns("nonsense"),
    "somebody else's event": json.dumps({"source": "aws.ec2", "detail-type": "x", "detail": {"a": 1}}),
    "backwards": "\u202e{\"Records\": 1}",
}


def test_hostile_messages(world):
    """All end in the dead-letter queue, each with a reason, and a good one among them is done."""
    bodies = {}
    for name, body in HOSTILE.items():
        if body.startswith("in/"):
            record = events.record(Forged(world.source, "in/a.jpg"))
            record["s3"]["object"]["key"] = body
            body = json.dumps({"Records": [record]})
        bodies[body] = name
        world.send(body)
    world.announced("in/good.jpg")
    world.run(code=3)
    assert world.keys() == ["out/good.jpg.jpg"]
    letters = world.dead()
    assert sorted(bodies[letter.body] for letter in letters) == sorted(HOSTILE)
    for letter in letters:
        assert letter.reason == "bad_input", bodies[letter.body]
        assert letter.message and all(unicodedata.category(c) != "Cc" for c in letter.message), bodies[letter.body]
    world.assert_all_settled()


def test_key_cannot_climb_out_of_its_output(world):
    """Dots are nothing special in S3, but to whatever reads the bucket as files they may be."""
    world.pipeline(place={"key": "out/{key}"})
    world.announced("in/../../a.jpg")
    world.run(code=3)
    assert world.keys() == []
    [letter] = world.dead()
    assert letter.reason == "bad_input" and "segment" in letter.message
