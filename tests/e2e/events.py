# SPDX-License-Identifier: Apache-2.0
"""What each sender writes into a queue when an object was uploaded, in its own form and encoding."""
import json
import urllib.parse

TIME = "2026-11-23T06:00:00.000Z"


def record(upload, name="ObjectCreated:Put", **changes):
    """S3's own: the key is written as in a form, though slashes stay."""
    stored = {"key": urllib.parse.quote_plus(upload.key, safe="/"), "size": upload.size, "eTag": upload.etag,
              "sequencer": upload.sequencer}
    if upload.version_id:
        stored["versionId"] = upload.version_id
    return {
        "eventVersion": "2.1", "eventSource": "aws:s3", "awsRegion": "eu-west-1", "eventTime": TIME, "eventName": name,
        "userIdentity": {"principalId": "AWS:AIDAEXAMPLE"}, "requestParameters": {"sourceIPAddress": "203.0.113.7"},
        "responseElements": {"x-amz-request-id": "C3D13FE58DE4C810", "x-amz-id-2": "FMyUVURIY8"},
        "s3": {"s3SchemaVersion": "1.0", "configurationId": "uploads",
               "bucket": {"name": upload.bucket, "ownerIdentity": {"principalId": "A3NL1KOZZKExample"},
                          "arn": f"arn:aws:s3:::{upload.bucket}"},
               "object": {**stored, **changes}}}


def aws(*uploads, **changes):
    return json.dumps({"Records": [record(upload, **changes) for upload in uploads]})


def test_event(bucket):
    return json.dumps({"Service": "Amazon S3", "Event": "s3:TestEvent", "Time": TIME, "Bucket": bucket,
                       "RequestId": "5582815E1AEA5ADF", "HostId": "8cLeGAmw098X5cv4Zkwcmo8vvZa3eH3eKxsPzbB9wrR"})


def sns(body):
    """A topic between S3 and the queue, without raw delivery."""
    topic = "arn:aws:sns:eu-west-1:123456789012:uploads"
    return json.dumps({"Type": "Notification", "MessageId": "9b1f0ef4-9e1c-5d6a-a4a7-52c1f2f4b0aa", "TopicArn": topic,
                       "Subject": "Amazon S3 Notification", "Message": body, "Timestamp": TIME, "SignatureVersion": "1",
                       "Signature": "bm90IGNoZWNrZWQ=", "SigningCertURL": "https://sns.eu-west-1.amazonaws.com/cert.pem",
                       "UnsubscribeURL": "https://sns.eu-west-1.amazonaws.com/?Action=Unsubscribe"})


def eventbridge(upload):
    """Through EventBridge the key is written as it is."""
    stored = {"key": upload.key, "size": upload.size, "etag": upload.etag, "sequencer": upload.sequencer}
    if upload.version_id:
        stored["version-id"] = upload.version_id
    return json.dumps({
        "version": "0", "id": "17793124-05d4-b198-2fde-7ededc63b103", "detail-type": "Object Created", "source": "aws.s3",
        "account": "123456789012", "time": "2026-11-23T06:00:00Z", "region": "eu-west-1",
        "resources": [f"arn:aws:s3:::{upload.bucket}"],
        "detail": {"version": "0", "bucket": {"name": upload.bucket}, "object": stored, "request-id": "N4N7GDK58NMKJ12R",
                   "requester": "123456789012", "source-ip-address": "203.0.113.7", "reason": "PutObject"}})


def minio(upload):
    """Slashes are encoded, too, and event names carry a prefix."""
    one = record(upload, "s3:ObjectCreated:Put", key=urllib.parse.quote_plus(upload.key, safe=""), contentType="image/jpeg",
                 userMetadata={"content-type": "image/jpeg"})
    one.update(eventVersion="2.0", eventSource="minio:s3", awsRegion="", source={"host": "203.0.113.7", "port": "", "userAgent": "mc"})
    return json.dumps({"EventName": "s3:ObjectCreated:Put", "Key": f"{upload.bucket}/{upload.key}", "Records": [one]})


def radosgw(upload):
    """The key as it is, a version that is always there and often empty, and no name for the region."""
    one = record(upload, key=upload.key, versionId=upload.version_id or "", metadata=[], tags=[])
    one.update(eventVersion="2.2", eventSource="ceph:s3", awsRegion="", eventId="1732342813.123456.abc")
    return json.dumps({"Records": [one]})
