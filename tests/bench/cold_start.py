#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The cold start of a Lambda function: pixmill from its zip, a handler in Python (boto3 and Pillow) and one in JavaScript (AWS SDK and
sharp), each started as Lambda starts a runtime, for the same SQS event, on the same S3 peer.

    cold_start.py --bundle BUILD/bundle [--rounds 15] [--size 2725x2225]

Told are the times from exec to the first `next` (ready) and to the answer that follows the stored rendition (first output), medians
of all rounds, in which the contenders take turns; and their ratios, each to pixmill with the same rule of how far the decoder may
shrink: balanced beside Pillow's draft(), which leaves twice the size, fast beside sharp, whose rule it is. Without draft(), as most handlers are, Pillow decodes
all. Files are in the page cache: a fresh machine would also read them, 40 MB of pixmill's, more of the others'. node and its packages
come by npm; without them that contender is left out.

Where the target bench_bare is built, a line of its own tells what is left when all but the picture is taken away: a process with the
bundle's libvips that reads a file and writes one, with neither sandbox nor HTTP.
"""
import argparse
import io
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import uuid

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "e2e"), str(HERE.parent / "samples")]
import events  # noqa: E402
import make  # noqa: E402
import peers as peers_module  # noqa: E402
import runtime_api  # noqa: E402
import world  # noqa: E402
from PIL import Image  # noqa: E402


def node_modules():
    """Where handler.mjs finds its packages, or None."""
    if not shutil.which("npm") or not shutil.which("node"):
        return None
    folder = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "pixmill" / "bench-cold"
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("package.json", "handler.mjs"):
        shutil.copy(HERE / "cold" / name, folder / name)
    done = subprocess.run(["npm", "install", "--no-audit", "--no-fund", "--loglevel=error", "--no-package-lock"], cwd=folder)
    return folder if done.returncode == 0 else None


def once(command, env, event):
    """Milliseconds from exec to ready, and to the answer."""
    api = runtime_api.RuntimeApi()
    answer = []
    asking = threading.Thread(target=lambda: answer.append((api.invoke(event, timeout=30), time.perf_counter())))
    asking.start()
    time.sleep(0.02)  # the event lies there before anybody asks
    began = time.perf_counter()
    process = subprocess.Popen(command, env={**env, "AWS_LAMBDA_RUNTIME_API": api.host}, stdin=subprocess.DEVNULL,
                               stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    asking.join()
    process.kill()
    said = process.stderr.read().decode(errors="replace")
    process.wait()
    api.close()
    if not answer or answer[0][0].kind != "response" or answer[0][0].json != {"batchItemFailures": []}:
        sys.exit(f"{command}: {answer and answer[0][0].raw}\n{said}")
    return (api.first_next - began) * 1000, (answer[0][1] - began) * 1000


def once_bare(libraries, program, rule, folder):
    """Milliseconds from exec to the end."""
    began = time.perf_counter()
    subprocess.run([libraries / "ld.so", "--inhibit-cache", "--library-path", libraries, program, "1", rule, folder, "300x300",
                    pathlib.Path(folder) / "photo.jpg"], check=True, stdout=subprocess.DEVNULL)
    return (time.perf_counter() - began) * 1000


def measure(options, peers):
    s3 = world.client(peers, "s3")
    source, target = (f"cold-{kind}-{uuid.uuid4().hex[:8]}" for kind in ("source", "target"))
    for bucket in (source, target):
        s3.create_bucket(Bucket=bucket)
    photo = io.BytesIO()
    make.image(*options.size, 1).save(photo, "JPEG", quality=80)
    s3.put_object(Bucket=source, Key="photo.jpg", Body=photo.getvalue())
    upload = world.Upload(source, "photo.jpg", s3.head_object(Bucket=source, Key="photo.jpg"), photo.tell())
    record = {"messageId": "m1", "receiptHandle": "r", "body": events.aws(upload), "attributes": {}, "messageAttributes": {},
              "eventSource": "aws:sqs", "eventSourceARN": "arn:aws:sqs:us-east-1:123456789012:q", "awsRegion": "us-east-1"}
    with tempfile.TemporaryDirectory(dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None) as folder:
        (pathlib.Path(folder) / "photo.jpg").write_bytes(photo.getvalue())
        for quality in ("balanced", "fast"):
            (pathlib.Path(folder) / f"{quality}.yaml").write_text(json.dumps({
                "version": 1, "source": {"s3": {"buckets": [source]}},
                "outputs": {"thumb": {"steps": [{"resize": {"width": 300, "height": 300, "fit": "cover", "quality": quality}},
                                                {"convert": {"format": "jpeg", "quality": 80}}],
                                      "to": {"s3": {"bucket": target, "key": "{stem}.{ext}"}}}}}))
        env = {"PATH": os.environ["PATH"], "HOME": folder, "TARGET": target, "LAMBDA_TASK_ROOT": folder,
               "AWS_EC2_METADATA_DISABLED": "true", **peers.environment()}
        pixmill = str(options.bundle / "bootstrap")
        # How much of the picture the decoder leaves to the kernel: five times the size at 1/2 (balanced), or three times (fast).
        contenders = {"pixmill, balanced": ["env", "_HANDLER=balanced.yaml", pixmill],
                      "Python, Pillow": ["/usr/bin/python3", str(HERE / "cold" / "handler.py")],
                      "Python, Pillow, draft()": ["env", "DRAFT=1", "/usr/bin/python3", str(HERE / "cold" / "handler.py")],
                      "pixmill, fast": ["env", "_HANDLER=fast.yaml", pixmill]}
        bare, libraries = options.bundle.parent / "tests" / "bench" / "bench_bare", options.bundle / "lib"
        modules = node_modules()
        if modules:
            contenders["node, AWS SDK, sharp"] = ["node", str(modules / "handler.mjs")]
        else:
            print("without node and sharp: npm cannot install them here")
        times = {name: [] for name in contenders}
        for turn in range(options.rounds + 1):
            for rule in ("balanced", "fast") if bare.exists() else ():
                took = once_bare(libraries, bare, rule, folder)
                if turn > 0:
                    times.setdefault(f"bare C, {rule}", []).append((None, took))
            for name, command in contenders.items():
                s3.delete_object(Bucket=target, Key="photo.jpg")
                taken = once(command, env, {"Records": [record]})
                made = Image.open(io.BytesIO(s3.get_object(Bucket=target, Key="photo.jpg")["Body"].read()))
                assert (made.size, made.format) == ((300, 300), "JPEG"), f"{name} made {made}"
                if turn > 0:  # the first one warms the page cache
                    times[name].append(taken)
    return times


def report(options, times):
    medians = {name: [statistics.median(column) for column in zip(*rows) if column[0] is not None] for name, rows in times.items()}
    print(f"{options.rounds} rounds, a JPEG of {options.size[0]}x{options.size[1]} to 300x300; ms from exec\n")
    print(f"{'':24}{'ready':>8}{'first output':>15}{'pixmill to it: ready':>23}{'first output':>15}")
    equal = {"Python, Pillow": "pixmill, balanced", "Python, Pillow, draft()": "pixmill, balanced", "node, AWS SDK, sharp": "pixmill, fast"}
    for name, found in medians.items():
        if len(found) == 1:
            print(f"{name:24}{'':8}{found[0]:15.1f}")
            continue
        ready, first = found
        ratios = [mine / its for mine, its in zip(medians[equal.get(name, name)], (ready, first))]
        print(f"{name:24}{ready:8.1f}{first:15.1f}{ratios[0]:23.3f}{ratios[1]:15.3f}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bundle", type=pathlib.Path, required=True)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--size", type=lambda text: tuple(map(int, text.split("x"))), default=(2725, 2225))
    parser.add_argument("--peers", help="use those that `peers.py --json FILE` has started")
    options = parser.parse_args()
    options.bundle = options.bundle.resolve()
    if options.peers:
        times = measure(options, peers_module.Peers.from_json(json.loads(pathlib.Path(options.peers).read_text())))
    else:
        with peers_module.Peers() as peers:
            times = measure(options, peers)
    report(options, times)


if __name__ == "__main__":
    main()
