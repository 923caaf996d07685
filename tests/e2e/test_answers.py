# SPDX-License-Identifier: Apache-2.0
"""Only S3's own word ends a message: not the page of a load balancer, not an empty 200, not half an object."""
import io

import pytest

import events
import faults
from test_commands import classifier  # noqa: F401  (a fixture)
from world import Upload

OUT = "out/a.jpg.jpg"
INGRESS = faults.status(404, b"default backend - 404", Content_Type="text/plain")


def halve(handler, forward):
    """Half of the body, with a Content-Length to match."""
    answer = forward()
    answer.body = answer.body[:len(answer.body) // 2]
    answer.headers = [(name, value) for name, value in answer.headers if name.lower() != "content-length"]
    handler.answer(answer)


def in_parts(world, key, data):
    """An upload whose ETag is no MD5."""
    put = {"Bucket": world.source, "Key": key}
    upload = world.s3.create_multipart_upload(**put)
    part = world.s3.upload_part(**put, UploadId=upload["UploadId"], PartNumber=1, Body=io.BytesIO(data))
    answer = world.s3.complete_multipart_upload(**put, UploadId=upload["UploadId"],
                                                MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]})
    answer["ETag"] = world.s3.head_object(**put)["ETag"]
    assert answer["ETag"].strip('"').endswith("-1")
    return Upload(world.source, key, answer, len(data))


def versioned(world, bucket):
    world.s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})


@pytest.mark.parametrize("method,fault", [
    ("GET", INGRESS),
    ("GET", faults.status(412)),
    ("GET", faults.status(400, b"<html>Bad Request</html>", Content_Type="text/html")),
    ("GET", faults.status(200)),
    ("GET", faults.status(200, b"<html>Maintenance</html>", Content_Type="text/html")),
    ("GET", halve),
    ("HEAD", INGRESS),
    ("HEAD", faults.status(200)),
    ("PUT", INGRESS),
    ("PUT", faults.status(200)),
    ("PUT", faults.status(413, b"<html>Request Entity Too Large</html>", Content_Type="text/html")),
], ids=["get-404-page", "get-412", "get-400-page", "get-empty-200", "get-200-page", "get-half", "head-404-page", "head-empty-200",
        "put-404-page", "put-empty-200", "put-413-page"])
def test_what_stands_before_s3_ends_no_message(world, proxies, method, fault):
    proxy = proxies(world.peers.s3_url)
    rule = proxy.fail(fault, method=method, times=2)
    uploads = [in_parts(world, f"in/{name}.jpg", world.picture()) for name in "abc"]
    world.announce(*uploads)
    world.run(env={"AWS_ENDPOINT_URL_S3": proxy.url}, code=None)
    assert rule.struck == 2
    assert world.keys() == [f"out/{name}.jpg.jpg" for name in "abc"], "lost"
    assert all(world.get(key)["Image"].size == (64, 48) for key in world.keys())
    assert world.dead() == []
    world.assert_all_settled()


def test_rendition_deleted_between_look_and_put(world, proxies):
    """PUT If-Match is answered 404: decided again, not dead."""
    world.announced("in/a.jpg")
    world.run()
    proxy = proxies(world.peers.s3_url)

    def delete_first(handler, forward):
        world.s3.delete_object(Bucket=world.target, Key=OUT)
        handler.answer(forward())
    rule = proxy.fail(delete_first, method="PUT", times=1)
    newer = world.announced("in/a.jpg", world.picture(seed=7))
    [output] = world.run(env={"AWS_ENDPOINT_URL_S3": proxy.url}).result(newer)["outputs"]
    assert (rule.struck, output["stored"]) == (1, "stored")
    assert world.get(OUT)["Metadata"]["pixmill-src-etag"] == newer.etag
    assert world.dead() == []
    world.assert_all_settled()


def test_one_refusal_does_not_switch_conditions_off(world, proxies):
    """InvalidArgument of one put, for whatever reason: the next ones are as careful as before."""
    proxy = proxies(world.peers.s3_url)
    rule = proxy.fail(faults.s3_error(400, "InvalidArgument"), method="PUT", times=2)
    world.announced("in/b.jpg")
    finished = world.run(env={"AWS_ENDPOINT_URL_S3": proxy.url}, code=3)
    assert rule.struck == 2
    assert "store.unconditional" not in finished.err
    [letter] = world.dead()
    assert "InvalidArgument" in letter.message
    world.assert_all_settled()


def test_a_bucket_without_conditional_writes(world, proxies):
    proxy = proxies(world.peers.s3_url)

    def refuse_conditions(handler, forward):
        if handler.headers.get("If-None-Match") or handler.headers.get("If-Match"):
            faults.s3_error(501, "NotImplemented")(handler, forward)
        else:
            handler.answer(forward())
    proxy.fail(refuse_conditions, method="PUT")
    world.announced("in/a.jpg")
    world.announced("in/b.jpg")
    finished = world.run("--workers", "1", env={"AWS_ENDPOINT_URL_S3": proxy.url})
    assert world.keys() == ["out/a.jpg.jpg", "out/b.jpg.jpg"]
    [warning] = [line for line in finished.log if line["event"] == "store.unconditional"]
    assert warning["bucket"] == world.target


def test_deleted_object_of_a_versioned_bucket(world):
    """Its bytes could still be fetched by their version, and nobody wants its rendition."""
    versioned(world, world.source)
    upload = world.upload("in/a.jpg")
    world.s3.delete_object(Bucket=world.source, Key="in/a.jpg")
    assert world.s3.get_object(Bucket=world.source, Key="in/a.jpg", VersionId=upload.version_id)["ContentLength"] == upload.size
    world.announce(upload)
    assert world.run().result(upload)["status"] == "skipped"
    assert world.keys() == [] and world.dead() == []
    world.assert_all_settled()
    back = world.announced("in/a.jpg")
    assert world.run().result(back)["status"] == "ok"
    assert world.keys() == [OUT]


def test_versions_cost_no_request_more(world, proxies):
    versioned(world, world.source)
    proxy = proxies(world.peers.s3_url)
    world.announced("in/a.jpg")
    world.run(env={"AWS_ENDPOINT_URL_S3": proxy.url})
    assert [method for method, path, _ in proxy.seen if path.startswith(f"/{world.source}/")] == ["GET"]


def test_a_rejected_original_that_is_copied_back_is_processed(world, classifier):  # noqa: F811
    """After review, metadata and all. In the quarantine itself it is not a source, so two pipelines cannot feed each other for ever."""
    reject = [{"nsfw-hook": {"mode": "http", "endpoint": classifier[0]}, "on_reject": "quarantine"}]
    world.pipeline(steps=reject, quarantine={"s3": {"bucket": world.target, "key": "q/{name}"}})
    upload = world.announced("in/a.jpg")
    assert world.run(code=None).result(upload)["status"] == "rejected"
    held = world.get("q/a.jpg", bucket=world.target)
    assert held["Metadata"]["pixmill-src-etag"] == upload.etag and "pixmill-digest" not in held["Metadata"]
    assert held["Bytes"] == world.get("in/a.jpg", bucket=world.source)["Bytes"]
    # duplicates write nothing
    world.announce(upload)
    [output] = world.run(code=None).result(upload)["outputs"]
    assert output["stored"] == "current"
    # a pipeline that watches the quarantine, and whose own would feed the first one
    world.pipeline(steps=reject, quarantine={"s3": {"bucket": world.source, "key": "in/{name}"}},
                   source={"buckets": [world.target], "prefix": "q/"}, place={"key": "elsewhere/{name}"})
    there = Upload(world.target, "q/a.jpg", world.s3.head_object(Bucket=world.target, Key="q/a.jpg"), len(held["Bytes"]))
    world.send(events.aws(there))
    assert world.run().result(there)["status"] == "skipped"
    # reviewed
    world.pipeline()
    world.s3.copy_object(Bucket=world.source, Key="in/a.jpg", CopySource={"Bucket": world.target, "Key": "q/a.jpg"})
    back = Upload(world.source, "in/a.jpg", world.s3.head_object(Bucket=world.source, Key="in/a.jpg"), len(held["Bytes"]))
    world.announce(back)
    assert world.run().result(back)["status"] == "ok"
    assert world.get(OUT)["Image"].size == (64, 48)
    world.assert_all_settled()
