# SPDX-License-Identifier: Apache-2.0
"""What one test has to itself: two buckets, a queue with a dead-letter queue, a folder, and pixmill to run on them."""
import io
import itertools
import json
import os
import pathlib
import signal
import subprocess
import sys
import threading
import time
import uuid

import boto3
import botocore.config
from PIL import Image

import events

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "samples"))
import make  # noqa: E402

PATIENCE = 60
SEQUENCE = itertools.count(1)
MAX_RECEIVE_COUNT = 3


def wait_for(condition, what, seconds=PATIENCE):
    until = time.monotonic() + seconds
    while True:
        result = condition()
        if result:
            return result
        assert time.monotonic() < until, f"{what}: not within {seconds} s"
        time.sleep(0.05)


def client(peers, service):
    url = peers.s3_url if service == "s3" else peers.sqs_url
    config = botocore.config.Config(s3={"addressing_style": "path"}, retries={"max_attempts": 3}, connect_timeout=5, read_timeout=30)
    return boto3.client(service, endpoint_url=url, region_name=peers.region, aws_access_key_id=peers.access_key,
                        aws_secret_access_key=peers.secret_key, config=config)


class Upload:
    """A version of an object, as its event speaks of it."""

    def __init__(self, bucket, key, answer, size):
        self.bucket, self.key, self.size = bucket, key, size
        self.etag = answer["ETag"].strip('"')
        self.version_id = answer.get("VersionId")
        self.sequencer = f"0055AED6DC{next(SEQUENCE):08X}"


class Finished:
    """What a run of pixmill said."""

    def __init__(self, code, out, err):
        self.code, self.out, self.err = code, out, err
        self.results = [json.loads(line) for line in out.splitlines() if line.startswith("{")]
        self.log = [json.loads(line) for line in err.splitlines() if line.startswith("{")]

    def result(self, upload):
        """The last result for this object."""
        return [one for one in self.results if one["source"] == f"s3://{upload.bucket}/{upload.key}"][-1]

    def statuses(self):
        return sorted(one["status"] for one in self.results)


class Running:
    """pixmill in the background; what it says is read as it comes."""

    def __init__(self, command, env, folder):
        self.process = subprocess.Popen(command, env=env, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, start_new_session=True)
        self._said = {"out": [], "err": []}
        self._readers = [threading.Thread(target=self._read, args=(stream, self._said[name]), daemon=True)
                         for name, stream in (("out", self.process.stdout), ("err", self.process.stderr))]
        for reader in self._readers:
            reader.start()

    @staticmethod
    def _read(stream, lines):
        for line in stream:
            lines.append(line.decode("utf-8", "surrogateescape"))

    def so_far(self):
        return Finished(self.process.poll(), "".join(self._said["out"]), "".join(self._said["err"]))

    def wait_for_results(self, count):
        def enough():
            assert self.process.poll() is None or len(self.so_far().results) >= count, f"it ended: {self.so_far().err}"
            return len(self.so_far().results) >= count
        wait_for(enough, f"{count} results")

    def wait_for_log(self, text):
        wait_for(lambda: text in self.so_far().err, f"\"{text}\" in the log")

    def signal(self, number):
        self.process.send_signal(number)

    def wait(self, seconds=PATIENCE):
        self.process.wait(seconds)
        for reader in self._readers:
            reader.join(5)
        return self.so_far()

    def terminate(self, seconds=PATIENCE):
        self.signal(signal.SIGTERM)
        return self.wait(seconds)

    def end(self):
        """Whatever is left, the workers too."""
        for pid in self.relatives():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.process.wait()

    def relatives(self):
        """Processes of its session that are still there, itself among them."""
        found = []
        for entry in pathlib.Path("/proc").iterdir():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split() if entry.name.isdigit() else None
            except OSError:
                continue
            if fields and int(fields[3]) == self.process.pid and fields[0] != "Z":
                found.append(int(entry.name))
        return found


class Dead:
    def __init__(self, message):
        self.body = message["Body"]
        self.group = message["Attributes"].get("MessageGroupId")
        self.attributes = {name: value["StringValue"] for name, value in message.get("MessageAttributes", {}).items()}

    def __getattr__(self, name):
        try:
            return self.attributes[f"pixmill.{name}"]
        except KeyError:
            raise AttributeError(f"no pixmill.{name} among {self.attributes}") from None


class World:
    def __init__(self, peers, s3, sqs, build, folder):
        self.peers, self.s3, self.sqs, self.build, self.folder = peers, s3, sqs, pathlib.Path(build), folder
        self.name = f"t{uuid.uuid4().hex[:10]}"
        self.source, self.target = f"{self.name}-source", f"{self.name}-target"
        self.running = []
        for bucket in (self.source, self.target):
            s3.create_bucket(Bucket=bucket)
        self.queue_url = self.dead_url = None
        self.make_queue()

    def close(self):
        for one in self.running:
            one.end()

    # --- queues ---

    def make_queue(self, visibility=30, fifo=False, dead=True, max_receive_count=MAX_RECEIVE_COUNT):
        """Replaces the test's queue."""
        kind = {"FifoQueue": "true"} if fifo else {}
        ending = ".fifo" if fifo else ""
        name = f"{self.name}-{next(SEQUENCE)}"
        attributes = {"VisibilityTimeout": str(visibility), **kind}
        if dead:
            self.dead_url = self.sqs.create_queue(QueueName=f"{name}-dead{ending}", Attributes=kind)["QueueUrl"]
            arn = self.sqs.get_queue_attributes(QueueUrl=self.dead_url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
            attributes["RedrivePolicy"] = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": max_receive_count})
        self.queue_url = self.sqs.create_queue(QueueName=name + ending, Attributes=attributes)["QueueUrl"]

    def send(self, body, **more):
        self.sqs.send_message(QueueUrl=self.queue_url, MessageBody=body, **more)

    def depth(self):
        """(visible, in flight)"""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        found = self.sqs.get_queue_attributes(QueueUrl=self.queue_url, AttributeNames=names)["Attributes"]
        return tuple(int(found[name]) for name in names)

    def dead(self):
        """All dead letters; takes them away."""
        letters = []
        while True:
            found = self.sqs.receive_message(QueueUrl=self.dead_url, MaxNumberOfMessages=10, MessageAttributeNames=["All"],
                                             AttributeNames=["All"]).get("Messages", [])
            if not found:
                return letters
            for message in found:
                letters.append(Dead(message))
                self.sqs.delete_message(QueueUrl=self.dead_url, ReceiptHandle=message["ReceiptHandle"])

    def assert_all_settled(self):
        assert self.depth() == (0, 0), "messages are left in the queue"

    # --- objects ---

    def picture(self, recipe="photo", ending="jpg", **parameters):
        path = self.folder / f"picture-{next(SEQUENCE)}.{ending}"
        make.make(recipe, path, **{"width": 320, "height": 240, **parameters})
        return path.read_bytes()

    def upload(self, key, data=None, bucket=None, **options):
        data = self.picture() if data is None else data
        bucket = bucket or self.source
        return Upload(bucket, key, self.s3.put_object(Bucket=bucket, Key=key, Body=data, **options), len(data))

    def announce(self, *uploads):
        """A message for each."""
        for upload in uploads:
            self.send(events.aws(upload))

    def announced(self, key, data=None, **options):
        upload = self.upload(key, data, **options)
        self.announce(upload)
        return upload

    def keys(self, bucket=None):
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=bucket or self.target)
        return sorted(item["Key"] for page in pages for item in page.get("Contents", []))

    def get(self, key, bucket=None):
        answer = self.s3.get_object(Bucket=bucket or self.target, Key=key)
        answer["Bytes"] = answer["Body"].read()
        answer["Image"] = Image.open(io.BytesIO(answer["Bytes"])) if answer["ContentType"].startswith("image/") else None
        return answer

    def bodies(self):
        return {key: self.get(key)["Bytes"] for key in self.keys()}

    # --- pixmill ---

    def pipeline(self, steps=None, outputs=None, trigger=None, source=None, place=None, **top):
        """Writes the pipeline; without arguments one 64x48 JPEG per upload, out/NAME.jpg."""
        to = {"s3": {"bucket": self.target, "key": "out/{name}.{ext}", **(place or {})}}
        whole = {
            "version": 1, "name": "e2e", "workers": 2,
            "on_error": {"backoff": "100ms"},
            "trigger": {"sqs": {"queue_url": self.queue_url, "wait_time": "1s", **(trigger or {})}},
            "source": {"s3": {"buckets": [self.source], "prefix": "in/", **(source or {})}},
            "steps": steps or [],
            "outputs": outputs or {"small": {"steps": [{"resize": {"width": 64}}, {"convert": {"format": "jpeg"}}], "to": to}},
            **top}
        (self.folder / "p.yaml").write_text(json.dumps(whole, indent=1, ensure_ascii=False))

    def environment(self, **changes):
        env = {name: os.environ[name] for name in ("PATH", "ASAN_OPTIONS", "LSAN_OPTIONS", "UBSAN_OPTIONS") if name in os.environ}
        env.update(HOME=str(self.folder), **self.peers.environment())
        env.update({name: value for name, value in changes.items() if value is not None})
        return env

    def start(self, *arguments, env=None):
        if not (self.folder / "p.yaml").exists():
            self.pipeline()
        command = [str(self.build / "bin" / "pixmill"), "run", "p.yaml", "--json", "--log-format", "json", "--plugin-dir",
                   f"{self.build}/plugins:{self.build}/test-plugins", *arguments]
        running = Running(command, self.environment(**(env or {})), self.folder)
        self.running.append(running)
        return running

    def run(self, *arguments, code=0, env=None):
        """Until the queue is empty. Fails unless it ends with `code` (None: any)."""
        finished = self.start("--once", *arguments, env=env).wait(PATIENCE * 2)
        assert code is None or finished.code == code, f"exit {finished.code}\n{finished.out}\n{finished.err}"
        return finished
