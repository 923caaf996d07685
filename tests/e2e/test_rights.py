# SPDX-License-Identifier: Apache-2.0
"""The policy of `pixmill iam` against the requests that a run really makes, seen on the wire."""
import json
import subprocess
import urllib.parse

import pytest

# Source: Service Authorization Reference. (method, what the query holds) of S3's REST API.
S3 = {("GET", ""): "s3:GetObject", ("GET", "versionId"): "s3:GetObjectVersion", ("HEAD", ""): "s3:GetObject",
      ("HEAD", "versionId"): "s3:GetObjectVersion", ("GET", "tagging"): "s3:GetObjectTagging",
      ("GET", "tagging versionId"): "s3:GetObjectVersionTagging", ("PUT", ""): "s3:PutObject", ("DELETE", ""): "s3:DeleteObject",
      ("GET", "list-type"): "s3:ListBucket"}


def action(request):
    method, path, target = request
    if target:
        return "sqs:" + target.split(".")[1].removesuffix("Batch")
    query = urllib.parse.parse_qs(urllib.parse.urlsplit(path).query, keep_blank_values=True)
    return S3[method, " ".join(sorted(set(query) & {"versionId", "tagging", "list-type", "uploads", "uploadId"}))]


@pytest.mark.parametrize("more", [{}, {"copy_tags": True, "copy_metadata": True, "tags": {"kind": "small"}, "acl": "private"}],
                         ids=["plain", "everything"])
def test_every_request_of_a_run_is_in_the_policy(world, proxies, more):
    world.s3.put_bucket_versioning(Bucket=world.source, VersioningConfiguration={"Status": "Enabled"})
    world.pipeline(place=more)
    s3, sqs = proxies(world.peers.s3_url), proxies(world.peers.sqs_url)
    old, new, bad = world.upload("in/a.jpg", Tagging="a=b"), world.upload("in/a.jpg", world.picture(seed=2)), world.upload("in/b.jpg", b"x")
    world.announce(old, new, bad)
    world.run(code=3, env={"AWS_ENDPOINT_URL_S3": s3.url, "AWS_ENDPOINT_URL_SQS": sqs.url})
    done = subprocess.run([world.build / "bin" / "pixmill", "iam", "p.yaml", "--for", "container"], cwd=world.folder, text=True,
                          env=world.environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert done.returncode == 0, done.stderr
    allowed = {name for statement in json.loads(done.stdout)["Statement"] for name in statement["Action"]}
    used = {action(request) for request in s3.seen + sqs.seen}
    assert {"s3:GetObject", "s3:GetObjectVersion", "s3:PutObject", "sqs:ReceiveMessage", "sqs:SendMessage"} <= used
    assert not more or "s3:GetObjectVersionTagging" in used
    assert used <= allowed
    # rights that headers of a put take, and not calls
    assert ("s3:PutObjectTagging" in allowed, "s3:PutObjectAcl" in allowed) == (bool(more), bool(more))
