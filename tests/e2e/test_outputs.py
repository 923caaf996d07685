# SPDX-License-Identifier: Apache-2.0
"""From an upload to what is in the bucket afterwards."""
import urllib.parse

import pytest

CONVERTED = {"jpeg": ("JPEG", "image/jpeg", "jpg"), "png": ("PNG", "image/png", "png"), "webp": ("WEBP", "image/webp", "webp")}


def test_upload_becomes_rendition(world):
    upload = world.announced("in/2026/cat.final.JPG", world.picture(width=640, height=480))
    finished = world.run()
    assert finished.statuses() == ["ok"]
    [made] = finished.result(upload)["outputs"]
    assert made["stored"] == "stored"
    assert made["location"] == f"s3://{world.target}/out/cat.final.JPG.jpg"
    found = world.get("out/cat.final.JPG.jpg")
    assert found["Image"].format == "JPEG" and found["Image"].size == (64, 48)
    assert found["ContentType"] == "image/jpeg"
    assert found["Metadata"]["pixmill-src-etag"] == upload.etag
    assert found["Metadata"]["pixmill-src-sequencer"] == upload.sequencer
    assert len(found["Metadata"]["pixmill-digest"]) >= 32
    world.assert_all_settled()
    assert world.dead() == []


@pytest.mark.parametrize("format", CONVERTED)
def test_content_type_is_that_of_what_was_written(world, format):
    """Whatever the upload claimed to be."""
    world.pipeline(outputs={"a": {"steps": [{"convert": {"format": format}}],
                                  "to": {"s3": {"bucket": world.target, "key": "{stem}.{ext}"}}}})
    world.announced("in/a.bin", ContentType="text/html")
    world.run()
    name, mime, ending = CONVERTED[format]
    found = world.get(f"in/a.{ending}" if f"in/a.{ending}" in world.keys() else f"a.{ending}")
    assert (found["ContentType"], found["Image"].format) == (mime, name)


def test_two_outputs_share_a_source(world):
    def to(key):
        return {"s3": {"bucket": world.target, "key": key}}
    world.pipeline(outputs={
        "large": {"steps": [{"resize": {"width": 200}}], "to": to("{output}/{dir}/{name}")},
        "thumb": {"steps": [{"resize": {"width": 50, "height": 50, "fit": "cover"}}, {"convert": {"format": "webp"}}],
                  "to": to("{output}/{dir}/{stem}.{ext}")},
        "huge": {"when": {"width": ">=4000"}, "steps": [], "to": to("{output}/{dir}/{name}")}})
    upload = world.announced("in/x/a.jpg")
    result = world.run().result(upload)
    assert world.keys() == ["large/in/x/a.jpg", "thumb/in/x/a.webp"]
    assert world.get("large/in/x/a.jpg")["Image"].size == (200, 150)
    assert world.get("thumb/in/x/a.webp")["Image"].size == (50, 50)
    assert list(result["not_made"]) == ["huge"]


def test_headers_metadata_and_tags(world):
    world.pipeline(place={"cache_control": "public, max-age=31536000", "content_disposition": "inline; filename=\"a b.jpg\"",
                          "metadata": {"made-for": "web shop", "zone": "b=c&d"}, "tags": {"team": "a b&c=d/é", "kind": "thumb"}})
    world.announced("in/a.jpg")
    world.run()
    found = world.get("out/a.jpg.jpg")
    assert found["CacheControl"] == "public, max-age=31536000"
    assert found["ContentDisposition"] == "inline; filename=\"a b.jpg\""
    assert (found["Metadata"]["made-for"], found["Metadata"]["zone"]) == ("web shop", "b=c&d")
    tags = world.s3.get_object_tagging(Bucket=world.target, Key="out/a.jpg.jpg")["TagSet"]
    assert {tag["Key"]: tag["Value"] for tag in tags} == {"team": "a b&c=d/é", "kind": "thumb"}


def test_metadata_and_tags_come_along(world):
    world.pipeline(place={"copy_metadata": True, "copy_tags": True, "metadata": {"owner": "ours"}})
    tags = urllib.parse.urlencode({"album": "summer 26", "who": "a+b"}, quote_via=urllib.parse.quote)
    world.announced("in/a.jpg", Metadata={"owner": "theirs", "camera": "x100"}, Tagging=tags)
    world.run()
    found = world.get("out/a.jpg.jpg")
    assert found["Metadata"]["camera"] == "x100"
    assert found["Metadata"]["owner"] == "ours", "the pipeline's own value wins"
    copied = world.s3.get_object_tagging(Bucket=world.target, Key="out/a.jpg.jpg")["TagSet"]
    assert {tag["Key"]: tag["Value"] for tag in copied} == {"album": "summer 26", "who": "a+b"}


ODD_KEYS = ["in/é a+b.jpg", "in/a//b.jpg", "in/%41.jpg", "in/&?#.jpg", "in/a=b;c,d@e$!*'().jpg", "in/日本 語.jpg", "in/ .jpg",
            "in/" + "n" * 900 + ".jpg", "in/a%20b%2Bc.jpg", "in/~_-.jpg", "in/\"<>[]{}|^`\\.jpg"]


def test_odd_keys(world):
    """Each is fetched and stored under exactly its name."""
    world.pipeline(outputs={"a": {"steps": [{"resize": {"width": 32}}], "to": {"s3": {"bucket": world.target, "key": "copy/{key}"}}}})
    data = world.picture(width=64, height=48)
    uploads = [world.announced(key, data) for key in ODD_KEYS]
    finished = world.run()
    assert finished.statuses() == ["ok"] * len(ODD_KEYS), finished.out
    assert world.keys() == sorted(f"copy/{key}" for key in ODD_KEYS)
    for upload in uploads:
        assert world.get(f"copy/{upload.key}")["Metadata"]["pixmill-src-etag"] == upload.etag


def test_every_source_format(world):
    world.pipeline(outputs={"a": {"steps": [{"resize": {"width": 50}}, {"convert": {"format": "png"}}],
                                  "to": {"s3": {"bucket": world.target, "key": "{stem}.png"}}}})
    recipes = {"photo": "jpg", "cmyk": "jpg", "alpha": "png", "deep": "png", "palette": "png", "webp": "webp", "tiff": "tif",
               "animated_gif": "gif"}
    for recipe, ending in recipes.items():
        world.announced(f"in/{recipe}.{ending}", world.picture(recipe, ending))
    finished = world.run()
    assert finished.statuses() == ["ok"] * len(recipes), finished.out
    assert {world.get(f"{recipe}.png")["Image"].size[0] for recipe in recipes} == {50}


def test_large_source_goes_through(world):
    """Some megabytes each way: more than any buffer."""
    data = world.picture(width=2400, height=1600, quality=98)
    assert len(data) > 1 << 20
    world.pipeline(outputs={"a": {"steps": [{"convert": {"format": "jpeg", "quality": 98}}],
                                  "to": {"s3": {"bucket": world.target, "key": "{stem}.jpg"}}}},
                   limits={"wall_time": "60s", "cpu_time": "60s"})
    world.announced("in/a.jpg", data)
    world.run()
    found = world.get("a.jpg")
    assert found["Image"].size == (2400, 1600) and found["ContentLength"] > 1 << 20


def test_quarantine_to_s3(world):
    data = world.picture()
    world.pipeline(steps=[{"nsfw-hook": {"mode": "stub", "stub_scores": ["*beach*=0.95"]}, "on_reject": "quarantine"}],
                   quarantine={"s3": {"bucket": world.target, "key": "set-aside/{dir}/{name}", "tags": {"why": "verdict"}}})
    beach, office = world.announced("in/beach.jpg", data), world.announced("in/office.jpg", data)
    finished = world.run()
    assert world.keys() == ["out/office.jpg.jpg", "set-aside/in/beach.jpg"]
    assert world.get("set-aside/in/beach.jpg")["Bytes"] == data, "the source as it came"
    assert finished.result(beach)["status"] == "rejected" and finished.result(office)["status"] == "ok"
    world.assert_all_settled()
    assert world.dead() == []


def test_rejected_without_quarantine_is_a_dead_letter(world):
    world.pipeline(steps=[{"nsfw-hook": {"mode": "stub", "stub_score": 0.9}}])
    world.announced("in/a.jpg")
    world.run()
    assert world.keys() == []
    [letter] = world.dead()
    assert letter.reason == "rejected"


def test_outputs_to_files(world):
    world.pipeline(outputs={"a": {"steps": [{"resize": {"width": 50}}], "to": {"file": {"path": "made/{dir}/{name}"}}}})
    world.announced("in/a.jpg")
    world.run()
    assert (world.folder / "made" / "in" / "a.jpg").read_bytes()[:2] == b"\xff\xd8"
    assert world.keys() == []
