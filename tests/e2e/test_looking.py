# SPDX-License-Identifier: Apache-2.0
"""What lies at a rendition's key is looked at while its pixels are computed; what changes until it is written is seen."""
import pytest

import faults
from world import wait_for

OUT = "out/a.jpg.jpg"


@pytest.fixture
def slow(world):
    """Pixels that take their time, in milliseconds."""
    def prepare(milliseconds=0, fault="slow", **place):
        more = {"time": f"{milliseconds}ms"} if fault == "slow" else {}
        steps = [{"resize": {"width": 64}}, {f"fault-{fault}": {"at": "pixels", **more}}, {"convert": {"format": "jpeg"}}]
        world.pipeline(outputs={"small": {"steps": steps, "to": {"s3": {"bucket": world.target, "key": "out/{name}.{ext}", **place}}}})
    return prepare


def looks(world, proxy):
    return [method for method, path, _ in proxy.seen if path.startswith(f"/{world.target}/") and method in ("HEAD", "PUT")]


def test_the_look_costs_no_time_of_its_own(world, slow, proxies):
    slow(800)
    proxy = proxies(world.peers.s3_url)
    proxy.fail(faults.delay(0.6), method="HEAD")
    upload = world.announced("in/a.jpg")
    result = world.run(env={"AWS_ENDPOINT_URL_S3": proxy.url}).result(upload)
    assert result["outputs"][0]["stored"] == "stored"
    assert result["timings"]["store_ms"] < 400, result["timings"]
    assert looks(world, proxy) == ["HEAD", "PUT"]


def test_the_bytes_may_be_there_first(world, slow, proxies):
    slow(1)
    proxy = proxies(world.peers.s3_url)
    proxy.fail(faults.delay(0.6), method="HEAD")
    upload = world.announced("in/a.jpg")
    result = world.run(env={"AWS_ENDPOINT_URL_S3": proxy.url}).result(upload)
    assert result["outputs"][0]["stored"] == "stored"
    assert looks(world, proxy) == ["HEAD", "PUT"]
    world.assert_all_settled()


def test_a_newer_one_that_comes_meanwhile_stays(world, slow, proxies):
    slow(1500)
    proxy = proxies(world.peers.s3_url)
    upload = world.announced("in/a.jpg")
    running = world.start("--once", env={"AWS_ENDPOINT_URL_S3": proxy.url})
    wait_for(lambda: looks(world, proxy) == ["HEAD"], "the look")
    newer = {"pixmill-src-etag": "newer", "pixmill-src-sequencer": "F" * 16, "pixmill-digest": "other"}
    world.s3.put_object(Bucket=world.target, Key=OUT, Body=b"newer", Metadata=newer)
    result = running.wait().result(upload)
    assert result["outputs"][0]["stored"] == "stale"
    assert world.get(OUT)["Bytes"] == b"newer"
    assert looks(world, proxy) == ["HEAD", "PUT", "HEAD"]
    world.assert_all_settled()


def test_a_look_that_fails_is_repeated(world, slow, proxies):
    slow(300)
    proxy = proxies(world.peers.s3_url)
    rule = proxy.fail(faults.s3_error(403, "AccessDenied"), method="HEAD", times=1)
    upload = world.announced("in/a.jpg")
    result = world.run(env={"AWS_ENDPOINT_URL_S3": proxy.url}).result(upload)
    assert (rule.struck, result["attempt"], result["outputs"][0]["stored"]) == (1, 1, "stored")
    assert looks(world, proxy) == ["HEAD", "HEAD", "PUT"]


def test_metadata_of_the_source_is_there_before_the_bytes(world, slow, proxies):
    slow(800, copy_metadata=True, copy_tags=True)
    proxy = proxies(world.peers.s3_url)
    upload = world.announced("in/a.jpg", Metadata={"photographer": "anna"}, Tagging="kind=cat")
    result = world.run(env={"AWS_ENDPOINT_URL_S3": proxy.url}).result(upload)
    assert result["outputs"][0]["stored"] == "stored"
    assert world.get(OUT)["Metadata"]["photographer"] == "anna"
    assert world.s3.get_object_tagging(Bucket=world.target, Key=OUT)["TagSet"] == [{"Key": "kind", "Value": "cat"}]


def test_what_is_never_made_is_never_written(world, slow, proxies):
    slow(fault="segv")
    proxy = proxies(world.peers.s3_url)
    upload = world.announced("in/a.jpg")
    world.run(code=None, env={"AWS_ENDPOINT_URL_S3": proxy.url})
    assert set(looks(world, proxy)) == {"HEAD"}
    assert world.keys() == []
    [letter] = world.dead()
    assert letter.reason.startswith("plugin_crash:fault-segv"), upload.key
