# SPDX-License-Identifier: Apache-2.0
"""What the proofs under kills and faults share: buckets, queues, sources and the events about them, runs of pixmill, and the oracle.

Oracle: every source that is there and is sound has both of its renditions, byte for byte what an undisturbed run makes of its
current version, stamped with that version; every damaged one is a dead letter, and nothing else is; the queue is empty; nothing
else lies where renditions go.
"""
import hashlib
import io
import json
import os
import pathlib
import random
import re
import signal
import subprocess
import time
import urllib.parse

PIPELINE = """\
version: 1
name: proof
on_error: {{ backoff: 300ms }}
trigger: {{ sqs: {{ queue_url: "{queue}", wait_time: 1s }} }}
source: {{ s3: {{ buckets: [{source}], prefix: in/ }} }}
{more}outputs:
  thumb:
    steps: [ {{ resize: {{ width: 60, height: 60, fit: cover }} }}, {{ convert: {{ format: webp }} }} ]
    to: {{ s3: {{ bucket: {target}, key: "out/{{stem}}_thumb.{{ext}}" }} }}
  small:
    steps: [ {{ resize: {{ width: 120 }} }} ]
    to: {{ s3: {{ bucket: {target}, key: "out/{{stem}}_small.{{ext}}" }} }}
"""
VISIBILITY_S = 4  # what a killed broker held comes back after this
GRACE_S = 20
RECEIVES_MAX = 100  # kills and faults must not make dead letters of good images
FINAL = ("ok", "skipped", "bad_input", "limit", "rejected")


def picture(number, version, size=(200, 150)):
    from PIL import Image
    rng = random.Random(number * 1000 + version)
    image = Image.new("RGB", size, tuple(rng.randrange(256) for _ in range(3)))
    for _ in range(20):
        x, y = rng.randrange(size[0] - 20), rng.randrange(size[1] - 20)
        image.paste(tuple(rng.randrange(256) for _ in range(3)), (x, y, x + rng.randrange(5, 60), y + rng.randrange(5, 60)))
    out = io.BytesIO()
    image.save(out, "JPEG", quality=85)
    return out.getvalue()


class World:
    def __init__(self, environment, rng):
        import boto3
        from botocore.config import Config
        self.environment = {**os.environ, **environment}
        config = Config(s3={"addressing_style": "path"}, retries={"max_attempts": 5}, max_pool_connections=20)
        keys = {"region_name": environment.get("AWS_REGION", "us-east-1"), "aws_access_key_id": environment["AWS_ACCESS_KEY_ID"],
                "aws_secret_access_key": environment["AWS_SECRET_ACCESS_KEY"], "config": config}
        self.s3 = boto3.client("s3", endpoint_url=environment["AWS_ENDPOINT_URL_S3"], **keys)
        self.sqs = boto3.client("sqs", endpoint_url=environment["AWS_ENDPOINT_URL_SQS"], **keys)
        self.rng, self.sequence, self.sent = rng, 0, 0
        self.sound, self.damaged, self.gone = {}, set(), set()  # sound: the ETag of each one's current version
        self.order = {}  # FIFO: keys of each group as they were sent
        self.fifo, self.groups, self.returns = False, 12, True

    # --- buckets and queues ---

    def bucket(self, name, versions=False):
        name = f"{name}-{os.getpid()}-{self.rng.randrange(10**9)}"
        self.s3.create_bucket(Bucket=name)
        if versions:
            self.s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
        return name

    def queue(self, fifo=False, visibility=VISIBILITY_S):
        """Makes the queue and its dead-letter queue, in the place of those before."""
        self.fifo = fifo
        kind, ending = ({"FifoQueue": "true"}, ".fifo") if fifo else ({}, "")
        name = f"proof-{os.getpid()}-{self.rng.randrange(10**9)}"
        self.dead = self.sqs.create_queue(QueueName=name + "-dead" + ending, Attributes=kind)["QueueUrl"]
        arn = self.sqs.get_queue_attributes(QueueUrl=self.dead, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        policy = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": str(RECEIVES_MAX)})
        attributes = {"VisibilityTimeout": str(visibility), "RedrivePolicy": policy, **kind}
        self.url = self.sqs.create_queue(QueueName=name + ending, Attributes=attributes)["QueueUrl"]

    def send(self, messages):
        for at in range(0, len(messages), 10):
            entries = []
            for i, (group, body) in enumerate(messages[at:at + 10]):
                more = {"MessageGroupId": group, "MessageDeduplicationId": f"{self.sent + at + i}"} if self.fifo else {}
                entries.append({"Id": str(i), "MessageBody": body, **more})
            self.sqs.send_message_batch(QueueUrl=self.url, Entries=entries)
        self.sent += len(messages)

    def counts(self, url):
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible", "ApproximateNumberOfMessagesDelayed"]
        found = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
        return [int(found.get(name, 0)) for name in names]

    def take_all(self, url):
        """All visible messages; takes them away."""
        while True:
            got = self.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, MessageAttributeNames=["All"]).get("Messages", [])
            if not got:
                return
            yield from got
            # All at once: a queue of thousands is slow to search.
            entries = [{"Id": str(i), "ReceiptHandle": message["ReceiptHandle"]} for i, message in enumerate(got)]
            failed = self.sqs.delete_message_batch(QueueUrl=url, Entries=entries).get("Failed")
            if failed:
                raise RuntimeError(f"{url}: not deleted: {failed}")

    def dead_sources(self):
        """(source, reason) of every dead letter; takes them away."""
        found = []
        for message in self.take_all(self.dead):
            attributes = {name: value["StringValue"] for name, value in message.get("MessageAttributes", {}).items()}
            found.append((attributes.get("pixmill.source", message["Body"][:200]), attributes.get("pixmill.reason", "none")))
        return found

    # --- objects ---

    def upload(self, bucket, key, body, content_type="image/jpeg"):
        """The event of it, not yet sent."""
        answer = self.s3.put_object(Bucket=bucket, Key=key, Body=body, ContentType=content_type)
        etag = answer["ETag"].strip('"')
        self.sequence += 1
        self.etag = etag
        stored = {"key": urllib.parse.quote_plus(key), "size": len(body), "eTag": etag, "sequencer": f"{self.sequence:016X}"}
        if "VersionId" in answer:
            stored["versionId"] = answer["VersionId"]
        record = {"eventVersion": "2.1", "eventSource": "aws:s3", "awsRegion": "us-east-1",
                  "eventTime": time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime()), "eventName": "ObjectCreated:Put",
                  "s3": {"bucket": {"name": bucket}, "object": stored}}
        return json.dumps({"Records": [record]})

    def renditions(self, bucket):
        """{key: (SHA-256, stamped ETag of the source)}"""
        found = {}
        for page in self.s3.get_paginator("list_objects_v2").paginate(Bucket=bucket):
            for entry in page.get("Contents", []):
                answer = self.s3.get_object(Bucket=bucket, Key=entry["Key"])
                found[entry["Key"]] = (hashlib.sha256(answer["Body"].read()).hexdigest(), answer["Metadata"].get("pixmill-src-etag"))
        return found


def make_messages(world, bucket, count, first=0, damaged=0.03):
    """Sources and the (group, event) about them, in the order in which they are sent. In a FIFO queue that is the order of
    uploads; elsewhere the events of a source come in any order, and 30 % of all come twice."""
    rng, messages, number = world.rng, [], first
    while len(messages) < count:
        number += 1
        key, group = f"in/{number:05d}.jpg", f"g{number % world.groups}"
        kind = rng.random()
        if kind < damaged:
            events = [world.upload(bucket, key, picture(number, 0)[:700])]
            world.damaged.add(key)
        elif kind < damaged + 0.02:
            events = [world.upload(bucket, key, picture(number, 0))]
            world.s3.delete_object(Bucket=bucket, Key=key)
            world.gone.add(key)
        else:
            # A; A, B; or A, B, A, whose third upload has the first one's bytes and ETag.
            history = [0] if kind < 0.75 else [0, 1] if kind < 0.87 or not world.returns else [0, 1, 0]
            events = [world.upload(bucket, key, picture(number, version)) for version in history]
            world.sound[key] = world.etag
        if not world.fifo:
            rng.shuffle(events)
        messages += [(group, event) for event in events]
        world.order.setdefault(group, []).append(key)
        if not world.fifo and rng.random() < 0.3:
            messages.append(rng.choice(messages[-20:]))
    return messages


# --- pixmill ---

def run(build, folder, pipeline, *extra, env=None, command=("run",)):
    with open(folder / "broker.log", "a", encoding="utf-8") as log:
        return subprocess.Popen([str(build / "bin" / "pixmill"), *command, str(pipeline), *extra], stdin=subprocess.DEVNULL, stdout=log,
                                stderr=log, cwd=folder, start_new_session=True, env=env)


def work(build, folder, pipeline, world, *extra, **changes):
    return run(build, folder, pipeline, "--json", "--log-format", "json", *extra, env={**world.environment, **changes})


def stop(broker):
    """SIGTERM. What was wrong with its end, or None."""
    began = time.time()
    os.kill(broker.pid, signal.SIGTERM)
    try:
        code = broker.wait(GRACE_S + 7)
    except subprocess.TimeoutExpired:
        broker.kill()
        broker.wait()
        return f"it did not end within {time.time() - began:.1f} s"
    return None if code in (0, 3) else f"it ended with {code}"


def kill(broker):
    os.kill(broker.pid, signal.SIGKILL)
    broker.wait()


def descendants(pid):
    children = {}
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except (OSError, IndexError):
                continue  # it is gone
            children.setdefault(parent, []).append(int(entry.name))
    found = [pid]
    for one in found:
        found += children.get(one, [])
    return found[1:]


def drain(build, folder, pipeline, world, seconds=240):
    """Until the queue is empty, what killed brokers held included. False: not in time."""
    deadline = time.time() + seconds
    while time.time() < deadline:
        broker = work(build, folder, pipeline, world, "--once")
        try:
            broker.wait(timeout=max(1, deadline - time.time()))
        except subprocess.TimeoutExpired:
            stop(broker)
            return False
        if sum(world.counts(world.url)) == 0:
            return True
        time.sleep(1)
    return False


def undisturbed(build, folder, world, source):
    """{key: (SHA-256, ETag)} of what one calm run makes of each sound source's current version, with a queue of its own."""
    url, dead, fifo, sent = world.url, world.dead, world.fifo, world.sent
    world.queue()
    calm = world.bucket("calm")
    pipeline = folder / "reference.yaml"
    pipeline.write_text(PIPELINE.format(queue=world.url, source=source, target=calm, more=""))
    record = {"eventVersion": "2.1", "eventSource": "aws:s3", "eventName": "ObjectCreated:Put"}
    world.send([("", json.dumps({"Records": [{**record, "s3": {"bucket": {"name": source}, "object": {"key": key}}}]}))
                for key in world.sound])
    drain(build, folder, pipeline, world)
    world.url, world.dead, world.fifo, world.sent = url, dead, fifo, sent
    return world.renditions(calm)


def results(folder):
    """What the brokers said of each source, in the order in which they did."""
    for line in (folder / "broker.log").read_text(errors="replace").splitlines():
        if line.startswith('{') and '"source"' in line and '"status"' in line:
            try:
                one = json.loads(line)
            except ValueError:
                continue  # cut off by a kill
            if "attempt" in one and "key" in one:
                yield one


def setbacks(accepted):
    """What was once replaced by the rendition of an older version, among the puts that a proxy saw the store take."""
    newest, found = {}, []
    for path, sequencer in accepted:
        if sequencer and sequencer < newest.get(path, ""):
            found.append(f"{path}: {sequencer} after {newest[path]}")
        newest[path] = max(sequencer or "", newest.get(path, ""))
    return found


CRASH = re.compile("Sanitizer|died of SIG|runtime error")


def crashes(folder):
    return [line for line in (folder / "broker.log").read_text(errors="replace").splitlines() if CRASH.search(line)]


def judge(world, source, target, want, left, dead):
    """{what must hold: what is wrong with it}: all empty when nothing is."""
    got = world.renditions(target)
    dead_keys = {name.split(f"s3://{source}/", 1)[-1] for name, _ in dead}
    wanted = {f"out/{pathlib.PurePath(key).stem}_{name}": etag for key, etag in world.sound.items() for name in ("small.jpg", "thumb.webp")}
    return {
        "the queue is empty": [] if sum(left) == 0 else [f"{left} messages"],
        "every sound source has its two renditions": sorted(set(wanted) - set(got)),
        "they are what an undisturbed run makes": [key for key in wanted if key in got and got[key][0] != want.get(key, "")[0]],
        "each is stamped with the source's current version": [key for key, etag in wanted.items() if key in got and got[key][1] != etag],
        "nothing else was written": sorted(set(got) - set(wanted)),
        "every damaged source is a dead letter, and nothing else is":
            sorted(f"no dead letter: {key}" for key in world.damaged - dead_keys) +
            sorted(f"{key}: {reason}" for key, reason in dead if key.split(f"s3://{source}/", 1)[-1] not in world.damaged),
    }


def report(checks, folder=None):
    """Prints each, and what is wrong. Returns (passed, failed)."""
    for name, wrong in checks.items():
        print(f"{'FAILED' if wrong else 'ok    '}  {name}")
        for one in wrong[:10]:
            print(f"          {one}")
        if len(wrong) > 10:
            print(f"          and {len(wrong) - 10} more")
    bad = sum(bool(wrong) for wrong in checks.values())
    if bad and folder:
        said = (folder / "broker.log").read_text(errors="replace").splitlines()
        for line in [one for one in said if '"status":"ok"' not in one][-30:]:
            print(f"          | {line[:500]}")
    return len(checks) - bad, bad
