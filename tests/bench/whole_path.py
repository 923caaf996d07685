#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The whole path from queue to rendition, against a handler in Python (boto3 and Pillow) that does the same.

    whole_path.py --build DIR [--messages 300] [--rounds 3] [--queued 10000]

Both take S3 events from SQS, fetch the object, make 300x300 and store it, on the same radosgw and moto, one after the other,
in turns; the peers share the machine with both, so besides the wall time the processor time of the handler alone is told.
Then --queued messages are put into a queue and pixmill's memory is watched while it works on them.
"""
import argparse
import ctypes
import io
import json
import os
import pathlib
import resource
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.parse

PR_SET_CHILD_SUBREAPER = 36
ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "e2e"), str(ROOT / "samples")]
import make  # noqa: E402
import peers as peers_module  # noqa: E402

PIPELINE = """\
version: 1
name: bench
workers: {workers}
trigger: {{ sqs: {{ queue_url: "{queue}" }} }}
source: {{ s3: {{ buckets: [{source}] }} }}
outputs:
  thumb:
    steps: [ {{ resize: {{ width: 300, height: 300, fit: cover }} }}, {{ convert: {{ format: jpeg, quality: 80 }} }} ]
    to: {{ s3: {{ bucket: {target}, key: "{{stem}}.{{ext}}" }} }}
"""


def clients():
    import boto3
    from botocore.config import Config
    config = Config(s3={"addressing_style": "path"})
    region = os.environ.get("AWS_REGION", "us-east-1")
    return (boto3.client("s3", endpoint_url=os.environ["AWS_ENDPOINT_URL_S3"], region_name=region, config=config),
            boto3.client("sqs", endpoint_url=os.environ["AWS_ENDPOINT_URL_SQS"], region_name=region))


def handle(queue, target):
    """What such handlers look like: receive, fetch, crop and scale, store, delete; until the queue is empty."""
    from PIL import Image, ImageOps
    s3, sqs = clients()
    while True:
        messages = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10, WaitTimeSeconds=1).get("Messages", [])
        if not messages:
            return
        for message in messages:
            for record in json.loads(message["Body"])["Records"]:
                bucket, key = record["s3"]["bucket"]["name"], urllib.parse.unquote_plus(record["s3"]["object"]["key"])
                image = Image.open(io.BytesIO(s3.get_object(Bucket=bucket, Key=key)["Body"].read()))
                image.draft("RGB", (600, 600))
                image = ImageOps.fit(ImageOps.exif_transpose(image).convert("RGB"), (300, 300), Image.Resampling.LANCZOS)
                out = io.BytesIO()
                image.save(out, "JPEG", quality=80)
                s3.put_object(Bucket=target, Key=pathlib.Path(key).stem + ".jpg", Body=out.getvalue(), ContentType="image/jpeg")
            sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])


def fill(sqs, queue, events):
    for at in range(0, len(events), 10):
        sqs.send_message_batch(QueueUrl=queue, Entries=[{"Id": str(i), "MessageBody": e} for i, e in enumerate(events[at:at + 10])])


def timed(command):
    """Wall and processor seconds of a process and all that it waited for."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wall, until = time.monotonic() - began, time.monotonic() + 0.5
    while time.monotonic() < until:  # workers that ended with their parent are ours now, and count from when they are waited for
        try:
            os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            break
        time.sleep(0.01)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def family(pid):
    """A process and all below it."""
    found, parents = {pid}, {}
    for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(stat.parent.name)] = int(stat.read_text().rsplit(")", 1)[1].split()[1])
        except (OSError, IndexError, ValueError):
            continue
    grown = True
    while grown:
        grown = {p for p, parent in parents.items() if parent in found} - found
        found |= grown
    return found


def rss_kib(pid):
    try:
        return next(int(line.split()[1]) for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmRSS"))
    except (OSError, StopIteration):
        return 0


def watch_memory(command, seconds):
    """Broker's and all processes' RSS in MiB: early, and the most of the second half."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    samples, began = [], time.monotonic()
    while time.monotonic() - began < seconds and process.poll() is None:
        time.sleep(0.25)
        samples.append((rss_kib(process.pid) / 1024, sum(rss_kib(pid) for pid in family(process.pid)) / 1024))
    process.terminate()
    process.wait(timeout=60)
    half = len(samples) // 2
    return samples[min(8, half)], (max(s[0] for s in samples[half:]), max(s[1] for s in samples[half:]))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=pathlib.Path, required=True)
    parser.add_argument("--messages", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--queued", type=int, default=10000)
    parser.add_argument("--handle", nargs=2, metavar=("QUEUE", "BUCKET"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.handle:
        return handle(*options.handle)
    try:
        with peers_module.Peers() as peers, tempfile.TemporaryDirectory(prefix="pixmill-bench-") as folder:
            os.environ.update(peers.environment())
            ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
            measure(options, pathlib.Path(folder))
    except peers_module.Unavailable as why:
        print(f"skipped: {why}")
    return 0


def measure(options, folder):
    s3, sqs = clients()
    for bucket in ("bench-source", "bench-python", "bench-pixmill", "bench-memory"):
        s3.create_bucket(Bucket=bucket)
    dead = sqs.create_queue(QueueName="bench-dead")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    redrive = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": "5"})
    queue = sqs.create_queue(QueueName="bench", Attributes={"RedrivePolicy": redrive})["QueueUrl"]
    events = []
    for i in range(options.messages):
        make.make("photo", folder / "a.jpg", width=1600, height=1200, seed=i % 20)
        body = (folder / "a.jpg").read_bytes()
        etag = s3.put_object(Bucket="bench-source", Key=f"{i}.jpg", Body=body)["ETag"].strip('"')
        events.append(json.dumps({"Records": [{"eventVersion": "2.1", "eventSource": "aws:s3", "eventName": "ObjectCreated:Put", "s3": {
            "bucket": {"name": "bench-source"}, "object": {"key": f"{i}.jpg", "size": len(body), "eTag": etag}}}]}))
    results = {"python": [], "pixmill": []}
    for turn in range(options.rounds):
        s3.create_bucket(Bucket=f"bench-target-{turn}")  # nothing is current there
        pipeline = folder / f"{turn}.yaml"
        pipeline.write_text(PIPELINE.format(queue=queue, source="bench-source", target=f"bench-target-{turn}", workers=os.cpu_count()))
        fill(sqs, queue, events)
        results["python"].append(timed(["/usr/bin/python3", __file__, "--build", ".", "--handle", queue, "bench-python"]))
        fill(sqs, queue, events)
        results["pixmill"].append(timed([str(options.build / "bin" / "pixmill"), "run", str(pipeline), "--once"]))
    print(f"{options.messages} messages, 1600x1200 JPEG to 300x300 JPEG, {options.rounds} rounds, medians")
    print(f"{'':10}{'wall s':>8}{'messages/s':>12}{'CPU ms/message':>16}")
    medians = {}
    for name, runs in results.items():
        wall, cpu = (statistics.median(run[i] for run in runs) for i in (0, 1))
        medians[name] = (wall, cpu)
        print(f"{name:10}{wall:8.2f}{options.messages / wall:12.1f}{cpu / options.messages * 1000:16.2f}")
    print(f"ratio pixmill/python: wall {medians['pixmill'][0] / medians['python'][0]:.2f}, CPU {medians['pixmill'][1] / medians['python'][1]:.2f}")
    if options.queued > 0:
        fill(sqs, queue, [events[i % len(events)] for i in range(options.queued)])
        early, late = watch_memory([str(options.build / "bin" / "pixmill"), "run", str(folder / "0.yaml")], 30)
        print(f"{options.queued} messages queued, 30 s: broker {early[0]:.0f} MiB early, {late[0]:.0f} MiB at most later; "
              f"all processes {early[1]:.0f} MiB early, {late[1]:.0f} MiB at most later")


if __name__ == "__main__":
    sys.exit(main())
