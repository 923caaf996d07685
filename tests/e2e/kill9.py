#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Kills the broker again and again while it works through a queue, then looks whether anything was lost.

    kill9.py --build DIR [--messages 2000] [--kills 20] [--seed N] [--how broker|workers|term]

--how workers: one broker, whose worker processes are killed; it must outlive them all. --how term: the broker is told to end, as
at a deployment; it must do so in its grace time.

Sources are uploaded, overwritten (so that stale events are about), deleted or damaged; 30 % of the messages come twice
and some before the one that they follow. Oracle: every source that is there and is sound has both of its renditions,
byte for byte what an undisturbed run makes of its current version; every damaged one is a dead letter; the queue is
empty; nothing else is where renditions go. The last line is "N passed, N failed".
"""
import argparse
import hashlib
import io
import json
import os
import pathlib
import random
import signal
import subprocess
import sys
import tempfile
import time
import urllib.parse

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import peers as peers_module  # noqa: E402

PIPELINE = """\
version: 1
name: kill9
trigger: {{ sqs: {{ queue_url: "{queue}", wait_time: 1s }} }}
source: {{ s3: {{ buckets: [{source}], prefix: in/ }} }}
outputs:
  thumb:
    steps: [ {{ resize: {{ width: 60, height: 60, fit: cover }} }}, {{ convert: {{ format: webp }} }} ]
    to: {{ s3: {{ bucket: {target}, key: "out/{{stem}}_thumb.{{ext}}" }} }}
  small:
    steps: [ {{ resize: {{ width: 120 }} }} ]
    to: {{ s3: {{ bucket: {target}, key: "out/{{stem}}_small.{{ext}}" }} }}
"""
VISIBILITY_S = 4  # what a killed broker held comes back after this
GRACE_S = 20
RECEIVES_MAX = 100  # kills must not make dead letters of good images


def picture(number, version):
    from PIL import Image
    rng = random.Random(number * 1000 + version)
    image = Image.new("RGB", (200, 150), tuple(rng.randrange(256) for _ in range(3)))
    for _ in range(20):
        x, y = rng.randrange(180), rng.randrange(130)
        image.paste(tuple(rng.randrange(256) for _ in range(3)), (x, y, x + rng.randrange(5, 60), y + rng.randrange(5, 60)))
    out = io.BytesIO()
    image.save(out, "JPEG", quality=85)
    return out.getvalue()


class World:
    def __init__(self, environment, rng):
        import boto3
        from botocore.config import Config
        for name, value in environment.items():
            os.environ[name] = value
        config = Config(s3={"addressing_style": "path"}, retries={"max_attempts": 5})
        region = environment.get("AWS_REGION", "us-east-1")
        self.s3 = boto3.client("s3", endpoint_url=environment["AWS_ENDPOINT_URL_S3"], region_name=region, config=config)
        self.sqs = boto3.client("sqs", endpoint_url=environment["AWS_ENDPOINT_URL_SQS"], region_name=region, config=config)
        self.rng, self.sequence, self.sent = rng, 0, 0
        self.sound, self.damaged, self.gone = {}, set(), set()

    def bucket(self, name):
        name = f"{name}-{os.getpid()}-{self.rng.randrange(10**6)}"
        self.s3.create_bucket(Bucket=name)
        return name

    def queue(self):
        name = f"kill9-{os.getpid()}-{self.rng.randrange(10**6)}"
        self.dead = self.sqs.create_queue(QueueName=name + "-dead")["QueueUrl"]
        arn = self.sqs.get_queue_attributes(QueueUrl=self.dead, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        policy = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": str(RECEIVES_MAX)})
        self.url = self.sqs.create_queue(QueueName=name, Attributes={"VisibilityTimeout": str(VISIBILITY_S),
                                                                      "RedrivePolicy": policy})["QueueUrl"]

    def upload(self, bucket, key, body):
        """The event of it, not yet sent."""
        etag = self.s3.put_object(Bucket=bucket, Key=key, Body=body)["ETag"].strip('"')
        self.sequence += 1
        record = {"eventVersion": "2.1", "eventSource": "aws:s3", "awsRegion": "us-east-1",
                  "eventTime": time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime()), "eventName": "ObjectCreated:Put",
                  "s3": {"bucket": {"name": bucket}, "object": {"key": urllib.parse.quote_plus(key), "size": len(body), "eTag": etag,
                                                                "sequencer": f"{self.sequence:016X}"}}}
        return json.dumps({"Records": [record]})

    def send(self, bodies):
        for at in range(0, len(bodies), 10):
            entries = [{"Id": str(i), "MessageBody": body} for i, body in enumerate(bodies[at:at + 10])]
            self.sqs.send_message_batch(QueueUrl=self.url, Entries=entries)
        self.sent += len(bodies)

    def counts(self, url):
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible", "ApproximateNumberOfMessagesDelayed"]
        found = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
        return [int(found.get(name, 0)) for name in names]

    def renditions(self, bucket):
        found, more = {}, {}
        while True:
            page = self.s3.list_objects_v2(Bucket=bucket, **more)
            for entry in page.get("Contents", []):
                body = self.s3.get_object(Bucket=bucket, Key=entry["Key"])["Body"].read()
                found[entry["Key"]] = hashlib.sha256(body).hexdigest()
            if not page.get("IsTruncated"):
                return found
            more = {"ContinuationToken": page["NextContinuationToken"]}

    def dead_sources(self):
        sources = []
        while True:
            got = self.sqs.receive_message(QueueUrl=self.dead, MaxNumberOfMessages=10, MessageAttributeNames=["All"])
            if not got.get("Messages"):
                return sources
            for message in got["Messages"]:
                attributes = message.get("MessageAttributes", {})
                sources.append((attributes.get("pixmill.source", {}).get("StringValue", message["Body"][:200]),
                                attributes.get("pixmill.reason", {}).get("StringValue", "none")))
                self.sqs.delete_message(QueueUrl=self.dead, ReceiptHandle=message["ReceiptHandle"])


def make_messages(world, bucket, count):
    """Sources and the events about them, in the order in which they are sent."""
    rng, messages, number = world.rng, [], 0
    while len(messages) < count:
        number += 1
        key = f"in/{number:05d}.jpg"
        kind = rng.random()
        if kind < 0.03:
            messages.append(world.upload(bucket, key, picture(number, 0)[:700]))
            world.damaged.add(key)
        elif kind < 0.05:
            messages.append(world.upload(bucket, key, picture(number, 0)))
            world.s3.delete_object(Bucket=bucket, Key=key)
            world.gone.add(key)
        elif kind < 0.20:  # overwritten: the older event may come last
            both = [world.upload(bucket, key, picture(number, 0)), world.upload(bucket, key, picture(number, 1))]
            rng.shuffle(both)
            messages += both
            world.sound[key] = 1
        else:
            messages.append(world.upload(bucket, key, picture(number, 0)))
            world.sound[key] = 0
        if rng.random() < 0.3:
            messages.append(rng.choice(messages[-20:]))
    return messages


def run(build, folder, pipeline, *extra):
    log = open(folder / "broker.log", "a", encoding="utf-8")
    return subprocess.Popen([str(build / "bin" / "pixmill"), "run", str(pipeline), *extra], stdout=log, stderr=log, cwd=folder,
                            start_new_session=True)


def stop_broker(broker, how):
    """What was wrong with its end, or None."""
    if how == "broker":
        os.kill(broker.pid, signal.SIGKILL)
        broker.wait()
        return None
    began = time.time()
    os.kill(broker.pid, signal.SIGTERM)
    try:
        code = broker.wait(GRACE_S + 2)
    except subprocess.TimeoutExpired:
        broker.kill()
        broker.wait()
        return f"it did not end within {time.time() - began:.1f} s"
    return None if code in (0, 3) else f"it ended with {code}"


def disturb(build, folder, pipeline, world, messages, kills, how):
    """Sends while brokers come and go, each somewhere else in its work. What was wrong with that."""
    share, wrong = len(messages) // (kills + 1), []
    for i in range(kills):
        world.send(messages[i * share:(i + 1) * share])
        broker = run(build, folder, pipeline, "--grace", f"{GRACE_S}s")
        time.sleep(world.rng.uniform(0.15, 2.0))
        wrong.append(stop_broker(broker, how))
    world.send(messages[kills * share:])
    return [one for one in wrong if one]


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


def kill_workers(build, folder, pipeline, world, messages, kills):
    """One broker; any of its other processes, while it works. What was wrong with it."""
    share = max(1, len(messages) // kills)
    broker = run(build, folder, pipeline)
    for i in range(kills):
        world.send(messages[i * share:(i + 1) * share if i + 1 < kills else None])
        time.sleep(world.rng.uniform(0.02, 0.3))
        workers = descendants(broker.pid)
        if workers:
            try:
                os.kill(world.rng.choice(workers), signal.SIGKILL)
            except ProcessLookupError:
                pass
        if broker.poll() is not None:
            return [f"the broker ended with {broker.returncode} after {i + 1} kills"]
    wrong = stop_broker(broker, "term")
    return [wrong] if wrong else []


def undisturbed(build, folder, pipeline, world, bucket):
    """The same sources, one event each, one run."""
    world.send([json.dumps({"Records": [{"eventVersion": "2.1", "eventSource": "aws:s3", "eventName": "ObjectCreated:Put",
                                         "s3": {"bucket": {"name": bucket}, "object": {"key": key}}}]}) for key in world.sound])
    drain(build, folder, pipeline, world)


def drain(build, folder, pipeline, world):
    """Until the queue is empty, what killed brokers held included, or what it still handed to their last poll."""
    deadline = time.time() + 900
    while time.time() < deadline:
        run(build, folder, pipeline, "--once").wait(timeout=900)
        if sum(world.counts(world.url)) == 0:
            return
        time.sleep(1)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", required=True, type=pathlib.Path)
    parser.add_argument("--messages", type=int, default=2000)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--how", choices=["broker", "workers", "term"], default="broker")
    options = parser.parse_args()
    try:
        with peers_module.Peers() as peers, tempfile.TemporaryDirectory(prefix="pixmill-kill9-") as folder:
            return prove(options, peers.environment(), pathlib.Path(folder))
    except peers_module.Unavailable as why:
        print(f"skipped: {why}")
        return 0


def prove(options, environment, folder):
    build = options.build.resolve()
    world = World(environment, random.Random(options.seed))
    world.queue()
    source, target, calm = world.bucket("source"), world.bucket("target"), world.bucket("calm")
    pipeline, reference = folder / "p.yaml", folder / "reference.yaml"
    pipeline.write_text(PIPELINE.format(queue=world.url, source=source, target=target))
    reference.write_text(PIPELINE.format(queue=world.url, source=source, target=calm))

    messages = make_messages(world, source, options.messages)
    started = time.time()
    if options.how == "workers":
        wrong = kill_workers(build, folder, pipeline, world, messages, options.kills)
    else:
        wrong = disturb(build, folder, pipeline, world, messages, options.kills, options.how)
    drain(build, folder, pipeline, world)
    took, left = time.time() - started, world.counts(world.url)
    dead = world.dead_sources()
    undisturbed(build, folder, reference, world, source)
    got, want = world.renditions(target), world.renditions(calm)

    dead_keys = {name.split(f"s3://{source}/", 1)[-1] for name, _ in dead}
    crashed = [line for line in (folder / "broker.log").read_text().splitlines() if "Sanitizer" in line or "died of" in line]
    checks = {
        "the queue is empty": sum(left) == 0,
        "every sound source has its two renditions": len(want) == 2 * len(world.sound) and set(want) <= set(got),
        "they are what an undisturbed run makes": all(got.get(key) == value for key, value in want.items()),
        "nothing else was written": set(got) <= set(want),
        "every damaged source is a dead letter, and nothing else is": dead_keys == world.damaged,
        "nothing crashed": not crashed,
        "every broker ended as it was told": not wrong,
    }
    print(f"{world.sent - len(world.sound)} messages about {len(world.sound)} sound, {len(world.damaged)} damaged and {len(world.gone)} deleted "
          f"sources; {options.kills} kills; {took:.0f} s; {len(dead)} dead letters")
    for name, good in checks.items():
        print(f"{'ok    ' if good else 'FAILED'}  {name}")
    if not all(checks.values()):
        print("missing:", sorted(set(want) - set(got))[:10], "different:", [k for k in want if k in got and got[k] != want[k]][:10],
              "dead:", dead[:5], "undead:", sorted(world.damaged - dead_keys)[:5], "left:", left, *wrong[:5], *crashed[:5], sep="\n  ")
        sys.stdout.write("".join((folder / "broker.log").read_text().splitlines(True)[-30:]))
    good = sum(checks.values())
    print(f"{good} passed, {len(checks) - good} failed")
    return 0 if good == len(checks) else 1


if __name__ == "__main__":
    sys.exit(main())
