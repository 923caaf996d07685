# SPDX-License-Identifier: Apache-2.0
"""Duplicates change nothing; an older version never replaces a newer one; what is gone is not a failure."""
import json

import pytest

import events

OUT = "out/a.jpg.jpg"


def test_duplicates_write_nothing(world):
    upload = world.announced("in/a.jpg")
    world.run()
    before = world.get(OUT)
    world.announce(upload, upload)
    world.send(events.sns(events.aws(upload)))
    finished = world.run()
    for result in finished.results:
        assert [output["stored"] for output in result["outputs"]] == ["current"]
    after = world.get(OUT)
    assert (after["LastModified"], after["ETag"], after["Bytes"]) == (before["LastModified"], before["ETag"], before["Bytes"])
    world.assert_all_settled()


def test_duplicates_at_the_same_moment(world):
    """Several workers want to write one key: one wins, the others find it current."""
    upload = world.upload("in/a.jpg")
    world.announce(*[upload] * 8)
    finished = world.run("--workers", "4")
    stored = [result["outputs"][0]["stored"] for result in finished.results]
    assert sorted(stored) == ["current"] * 7 + ["stored"]
    world.assert_all_settled()
    assert world.dead() == []


def test_another_pipeline_writes_again(world):
    upload = world.announced("in/a.jpg")
    world.run()
    first = world.get(OUT)
    world.pipeline(outputs={"small": {"steps": [{"resize": {"width": 32}}], "to": {"s3": {"bucket": world.target, "key": "out/{name}.jpg"}}}})
    world.announce(upload)
    world.run()
    second = world.get(OUT)
    assert second["Image"].size == (32, 24)
    assert second["Metadata"]["pixmill-digest"] != first["Metadata"]["pixmill-digest"]


def test_overwritten_source(world):
    """The old version's event is acknowledged as superseded; the new one's brings the rendition."""
    old = world.upload("in/a.jpg", world.picture(seed=1))
    new = world.upload("in/a.jpg", world.picture(seed=2))
    world.announce(old)
    finished = world.run()
    assert finished.result(old)["status"] == "skipped"
    assert world.keys() == []
    world.assert_all_settled()
    world.announce(new)
    assert world.run().result(new)["status"] == "ok"
    assert world.get(OUT)["Metadata"]["pixmill-src-etag"] == new.etag
    assert world.dead() == []


def test_older_event_never_replaces_newer(world):
    """The old content is back for a moment, so the late event's ETag matches; its sequencer tells."""
    one, two = world.picture(seed=1), world.picture(seed=2)
    oldest = world.upload("in/a.jpg", one)
    middle = world.upload("in/a.jpg", two)
    world.announce(middle)
    world.run()
    newest = world.upload("in/a.jpg", one)
    assert newest.etag == oldest.etag
    world.announce(oldest)
    [output] = world.run().result(oldest)["outputs"]
    assert output["stored"] == "stale"
    assert world.get(OUT)["Metadata"]["pixmill-src-etag"] == middle.etag
    world.announce(newest)
    world.run()
    found = world.get(OUT)["Metadata"]
    assert (found["pixmill-src-etag"], found["pixmill-src-sequencer"]) == (newest.etag, newest.sequencer)
    world.assert_all_settled()


def test_versions(world):
    """With versions every one can still be fetched; the newest wins in whatever order they come."""
    world.s3.put_bucket_versioning(Bucket=world.source, VersioningConfiguration={"Status": "Enabled"})
    uploads = [world.upload("in/a.jpg", world.picture(seed=seed)) for seed in (1, 2, 3)]
    assert all(upload.version_id for upload in uploads)
    for at, stored in ((1, "stored"), (0, "stale"), (2, "stored"), (1, "stale")):
        world.announce(uploads[at])
        [output] = world.run().result(uploads[at])["outputs"]
        assert output["stored"] == stored, at
    assert world.get(OUT)["Metadata"]["pixmill-src-etag"] == uploads[2].etag


@pytest.mark.parametrize("versioned", [True, False], ids=["versioned", "plain"])
def test_the_same_bytes_come_back(world, versioned):
    """Uploads A, B, A: the third makes the same bytes as the first, and the second, late, must not be stored over them."""
    if versioned:
        world.s3.put_bucket_versioning(Bucket=world.source, VersioningConfiguration={"Status": "Enabled"})
    one, two = world.picture(seed=1), world.picture(seed=2)
    uploads = [world.upload("in/a.jpg", data) for data in (one, two, one)]
    assert uploads[0].etag == uploads[2].etag != uploads[1].etag
    stored = []
    for at in (0, 2, 0, 1):
        if at == 1 and not versioned:
            world.upload("in/a.jpg", two)  # for a moment: late event, matching ETag
        world.announce(uploads[at])
        [output] = world.run().result(uploads[at])["outputs"]
        stored.append(output["stored"])
    assert stored == ["stored", "stored", "current", "stale"]
    found = world.get(OUT)["Metadata"]
    assert (found["pixmill-src-etag"], found["pixmill-src-sequencer"]) == (uploads[2].etag, uploads[2].sequencer)
    world.assert_all_settled()


def test_two_sources_of_one_rendition(world):
    """Their sequencers cannot be compared: the later event wins, whatever the order of delivery."""
    world.pipeline(place={"key": "out/{stem}.{ext}"})
    late, early = world.upload("in/a.jpg"), world.upload("in/a.png", world.picture(ending="png"))
    assert late.sequencer < early.sequencer
    for upload, time, stored in ((late, "2026-11-23T06:00:02.000Z", "stored"), (early, "2026-11-23T06:00:01.000Z", "stale"),
                                 (late, "2026-11-23T06:00:02.000Z", "current")):
        one = events.record(upload)
        one["eventTime"] = time
        world.send(json.dumps({"Records": [one]}))
        [output] = world.run().result(upload)["outputs"]
        assert output["stored"] == stored, upload.key
    found = world.get("out/a.jpg")["Metadata"]
    assert found["pixmill-src-etag"] == late.etag
    assert "in/a" not in str(found), "the name of an original is not for everyone who may read a rendition"


def test_event_pins_its_version(world):
    """What is worked on is the version of the event, not the newest."""
    world.s3.put_bucket_versioning(Bucket=world.source, VersioningConfiguration={"Status": "Enabled"})
    wide = world.upload("in/a.jpg", world.picture(width=400, height=100))
    world.upload("in/a.jpg", world.picture(width=100, height=400))
    world.announce(wide)
    world.run()
    assert world.get(OUT)["Image"].size == (64, 16)


def test_deleted_source(world):
    upload = world.upload("in/a.jpg")
    world.s3.delete_object(Bucket=world.source, Key="in/a.jpg")
    world.announce(upload)
    finished = world.run()
    assert finished.result(upload)["status"] == "skipped"
    world.assert_all_settled()
    assert world.dead() == [] and world.keys() == []


def test_foreign_object_at_the_outputs_key_is_replaced(world):
    """Not ours, so it cannot be newer; conditionally, so that a change meanwhile is seen."""
    world.upload("out/a.jpg.jpg", b"older site's thumbnail", bucket=world.target)
    upload = world.announced("in/a.jpg")
    world.run()
    assert world.get(OUT)["Metadata"]["pixmill-src-etag"] == upload.etag


def test_own_renditions_are_no_sources(world):
    """A second pipeline reads what the first writes, or a rendition was copied back: no loop, no second generation."""
    world.announced("in/a.jpg")
    world.run()
    world.s3.copy_object(Bucket=world.source, Key="in/back.jpg", CopySource={"Bucket": world.target, "Key": OUT})
    head = world.s3.head_object(Bucket=world.source, Key="in/back.jpg")
    assert "pixmill-digest" in head["Metadata"]
    from world import Upload
    back = Upload(world.source, "in/back.jpg", head, head["ContentLength"])
    world.announce(back)
    assert world.run().result(back)["status"] == "skipped"
    assert world.keys() == [OUT]


def test_loop_is_refused_at_the_start(world):
    world.pipeline(place={"bucket": world.source, "key": "in/small/{name}"})
    world.announced("in/a.jpg")
    finished = world.run(code=2)
    assert "outputs.small: can write to s3://" in finished.err and "hint: " in finished.err, finished.err
    assert world.keys(world.source) == ["in/a.jpg"]
    assert sum(world.depth()) == 1
