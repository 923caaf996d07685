#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Runs a folder of malformed images through `pixmill apply` and judges how each of them ended.

    hostile.py BUILD CORPUS WORK

Called by hostile.sh. CORPUS has the images and a MANIFEST.tsv; WORK takes pipelines and renditions. A line for each
thing judged; the last line is "N passed, N failed".
"""
import collections
import csv
import ctypes
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import threading
import time

from PIL import Image

HEAD = """\
version: 1
trigger: { directory: { path: in } }
isolation: %(isolation)s
on_error: { retries: 0 }
limits: %(limits)s
outputs:
"""
PIPELINE = HEAD + """\
  large:
    steps: [ { resize: { width: 1600, height: 1600, fit: inside } }, { convert: { format: webp } } ]
    to: { file: { path: "out/{dir}/{name}_large.{ext}" } }
  thumb:
    steps: [ { resize: { width: 200, height: 150, fit: cover, gravity: attention } }, { convert: { format: jpeg } } ]
    to: { file: { path: "out/{dir}/{name}_thumb.{ext}" } }
  same:
    steps: [ { convert: {} } ]
    to: { file: { path: "out/{dir}/{name}_same.{ext}" } }
"""
# The picture itself is nobody's here: all renditions are scaled while it is decoded.
SCALED = HEAD + """\
  large:
    steps: [ { resize: { width: 600, height: 600, fit: inside } }, { convert: { format: webp } } ]
    to: { file: { path: "out/{dir}/{name}_large.{ext}" } }
  thumb:
    steps: [ { resize: { width: 8, height: 6, fit: cover, quality: fast } }, { convert: { format: jpeg } } ]
    to: { file: { path: "out/{dir}/{name}_thumb.{ext}" } }
  same:
    steps: [ { resize: { scale: 0.6 } }, { convert: {} } ]
    to: { file: { path: "out/{dir}/{name}_same.{ext}" } }
"""
EVERY_FORMAT = "formats: [jpeg, png, webp, gif, tiff, avif, heif, jxl, svg, pdf]"
WIDE_OPEN = "{ pixels: 4G, side: 1M, aspect: 1M, frames: 9999, " + EVERY_FORMAT + " }"
PASSES = [
    ("shared workers", PIPELINE, "shared", "{}"),
    ("a worker for each image", PIPELINE, "per-job", "{}"),
    ("one pass", SCALED, "shared", "{}"),
    # Bombs reach the decoders: only memory and time hold them.
    ("limits wide open", PIPELINE, "shared", WIDE_OPEN),
    ("one pass, limits wide open", SCALED, "shared", WIDE_OPEN),
]
SECONDS = 90            # for one pass; four times that under sanitizers
BROKER_MIB = 128        # it never holds a decoded picture
WORKER_MIB = 640        # limits.memory, 512 MiB beyond its start
MAGIC = {"jpeg": b"\xff\xd8\xff", "png": b"\x89PNG\r\n\x1a\n", "webp": b"RIFF", "gif": b"GIF8", "tiff": (b"II", b"MM"), "avif": b"ftyp",
         "heif": b"ftyp", "jxl": (b"\xff\x0a", b"\0\0\0\x0cJXL ")}
# What an operator must be able to act on: the format that is broken, or the key of the limit.
TELLING = re.compile(r"^the [a-z]+ is damaged|\blimits\.[a-z_]+|not an image of a format|file is empty|don't fit into|^writing [a-z]+|"
                     r"can't hold|would be [0-9]+x[0-9]+|(is|that is) not supported by this build|^the [a-z]+ has .* which have no agreed meaning")

passed = failed = 0


def judge(name, wrong):
    """Counts one thing as passed, or failed for each line of `wrong`."""
    global passed, failed
    if not wrong:
        passed += 1
        print(f"ok      {name}")
        return
    failed += 1
    print(f"FAILED  {name}")
    for line in wrong[:20]:
        print(f"        {line}")
    if len(wrong) > 20:
        print(f"        and {len(wrong) - 20} more")


class Watched:
    """A command, its memory, and whether it leaves processes behind: this process adopts what it orphans."""

    def __init__(self, command, out, err, seconds):
        self.broker_kib = 0
        started = time.monotonic()
        with open(out, "wb") as stdout, open(err, "wb") as stderr:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr)
        watcher = threading.Thread(target=self.watch, args=(process.pid,), daemon=True)
        watcher.start()
        expired = threading.Timer(seconds, process.kill)
        expired.start()
        _, status, usage = os.wait4(process.pid, 0)
        expired.cancel()
        process.returncode = os.waitstatus_to_exitcode(status)
        self.seconds, self.code = time.monotonic() - started, process.returncode
        self.largest_kib = usage.ru_maxrss  # of the broker and of every process that was waited for below it
        self.cpu = usage.ru_utime + usage.ru_stime
        self.left = self.orphans()

    def watch(self, pid):
        while True:
            try:
                status = pathlib.Path(f"/proc/{pid}/status").read_text(encoding="ascii")
            except OSError:
                return
            peak = re.search(r"VmHWM:\s+(\d+)", status)
            if not peak:
                return
            self.broker_kib = max(self.broker_kib, int(peak[1]))
            time.sleep(0.02)

    @staticmethod
    def orphans():
        until = time.monotonic() + 2
        while True:
            try:
                if os.waitpid(-1, os.WNOHANG)[0] == 0 and time.monotonic() > until:
                    return ["a process outlived pixmill"]
            except ChildProcessError:
                return []
            time.sleep(0.01)


def wrong_of_result(result, out, expects):
    """What is wrong with how one image ended, or None."""
    error = result.get("error")
    if result["status"] == "skipped":  # by its name no image of a format that is let in, and said so
        return None if result.get("skipped") else "skipped without a reason"
    if result["status"] == "ok":
        names = sorted(o["output"] for o in result["outputs"])
        if names != expects:
            return f"ended well with {names}"
        for output in result["outputs"]:
            path = pathlib.Path(output["location"])
            if out.resolve() not in path.resolve().parents:
                return f"{path} is not below {out}"
            trouble = wrong_of_rendition(path, output)
            if trouble:
                return f"{output['output']}: {trouble}"
        return None
    if not error:
        return f"{result['status']} without an error"
    if result["status"] not in ("bad_input", "limit"):
        return f"{result['status']}: {error['message']}"
    if not TELLING.search(error["message"]):
        return f"says neither what is broken nor which limit: {error['message']}"
    return None


def wrong_of_rendition(path, output):
    head = path.read_bytes()[:32]
    magic = MAGIC[output["format"]]
    if not (head[4:].startswith(magic) if magic == b"ftyp" else head.startswith(magic)):
        return f"no {output['format']}: {head[:12]!r}"
    if output["format"] in ("jpeg", "png", "webp", "gif"):
        with Image.open(path) as image:
            if image.size != (output["width"], output["height"]):
                return f"{image.size} instead of the {output['width']}x{output['height']} told"
            image.load()
    return None


def sanitized(build):
    return b"__asan_init" in pathlib.Path(build, "bin/pixmill-worker").read_bytes()


def run_pass(build, corpus, work, files, number, name, text, isolation, limits):
    pipeline, out = work / f"{number}.yaml", work / f"out{number}"
    pipeline.write_text(text % {"isolation": isolation, "limits": limits}, encoding="utf-8")
    seconds = SECONDS * (4 if sanitized(build) else 1)
    json_path, log_path = work / f"{number}.json", work / f"{number}.log"
    run = Watched([f"{build}/bin/pixmill", "apply", str(pipeline), str(corpus), "--out", str(out), "--json", "--log-level", "error"],
                  json_path, log_path, seconds)
    log = log_path.read_text(encoding="utf-8", errors="replace")
    judge(f"{name}: the broker ends by itself, exit code 3", [] if run.code == 3 else [f"exit code {run.code}", *log.splitlines()[-5:]])
    judge(f"{name}: done within {seconds} s", [] if run.seconds < seconds else [f"took {run.seconds:.1f} s"])
    judge(f"{name}: leaves no process behind", run.left)
    if not sanitized(build):  # limits.memory is not set there: shadow memory needs the address space
        judge(f"{name}: memory is bounded", [f"{who}: {kib // 1024} MiB, more than {most}" for who, kib, most in
                                             [("broker", run.broker_kib, BROKER_MIB), ("largest process", run.largest_kib, WORKER_MIB)]
                                             if kib > most * 1024])
    if run.code != 3:
        return
    report = json.loads(json_path.read_text(encoding="utf-8"))
    results = {r["source"]: r for r in report["results"]}
    judge(f"{name}: every file ends once", [f"{f}: no result" for f in files if f not in results] +
          ([] if len(report["results"]) == len(results) == len(files) else [f"{len(report['results'])} results for {len(files)} files"]))
    crashes = [f"{s}: {r['error']['message']}" for s, r in results.items()
               if "died of SIG" in r.get("error", {}).get("message", "") or "crash" in r]
    judge(f"{name}: no worker crashes", crashes)
    wrong = {s: wrong_of_result(r, out, ["large", "same", "thumb"]) for s, r in results.items()}
    judge(f"{name}: each ends as sound renditions or an error that tells", [f"{s}: {w}" for s, w in wrong.items() if w])
    counts = collections.Counter(r["status"] for r in results.values())
    slowest = max(results.values(), key=lambda r: r["ms"])
    print(f"        {', '.join(f'{n} {s}' for s, n in counts.most_common())}; {len(results)} files in {run.seconds:.1f} s, "
          f"{run.cpu:.1f} s of CPU; broker {run.broker_kib // 1024} MiB, largest process {run.largest_kib // 1024} MiB; "
          f"slowest {slowest['ms']} ms")


def main(build, corpus, work):
    ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER
    signal.signal(signal.SIGINT, signal.default_int_handler)
    corpus, work = pathlib.Path(corpus), pathlib.Path(work)
    manifest = corpus / "MANIFEST.tsv"
    with manifest.open(encoding="utf-8", newline="") as rows:
        files = [row["file"] for row in csv.DictReader(rows, delimiter="\t")]
    manifest.unlink()
    judge(f"the corpus has the {len(files)} files of its manifest", [f"{f}: missing" for f in files if not (corpus / f).is_file()])
    for number, settings in enumerate(PASSES):
        run_pass(build, corpus, work, files, number, *settings)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    sys.exit(main(*sys.argv[1:]))
