#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Times pixmill beside other ways to the same renditions. Called by run.sh.

What counts is the ratio within one run: contenders take turns, each round times a short and a long list of the same photo, and
the difference is what one image costs once everything has started. Medians over rounds.
"""
import argparse
import ctypes
import os
import pathlib
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time

import numpy as np
from PIL import Image, ImageOps

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "samples"))
import make  # noqa: E402

PHOTOS = {"6M": (2725, 2225), "12M": (4000, 3000)}
ROWS = {  # name: photo, sizes (largest first)
    "one": ("6M", "720"),
    "cover": ("6M", "300x300"),
    "five": ("6M", "2048,1280,640,320,160"),
    "five12": ("12M", "2048,1280,640,320,160"),
}
TITLES = {"one": "one rendition, 720 px", "cover": "one rendition, 300x300 cover", "five": "five renditions, 2048 to 160 px",
          "five12": "five renditions of 12 Mpx"}
PIPELINE = """\
version: 1
trigger: {{ directory: {{ path: in }} }}
workers: {jobs}
outputs:
"""
OUTPUT = """\
  s{side}:
    steps: [ {{ resize: {{ {box}, quality: {rule} }} }}, {{ convert: {{ format: jpeg, quality: 80 }} }} ]
    to: {{ file: {{ path: "{{name}}_{side}.{{ext}}" }} }}
"""


def sides(sizes):
    return [(int(size.split("x")[0]), "x" in size) for size in sizes.split(",")]


# --- contenders: functions from (rule, jobs, sizes, files, out) to commands that run one after the other, or None ---

def pixmill(build):
    def commands(rule, jobs, sizes, files, out):
        text = PIPELINE.format(jobs=jobs) + "".join(
            OUTPUT.format(side=side, rule=rule, box=f"width: {side}, height: {side}, fit: {'cover' if cover else 'inside'}")
            for side, cover in sides(sizes))
        pipeline = out.parent / f"{out.name}.yaml"
        pipeline.write_text(text, encoding="utf-8")
        return [[f"{build}/bin/pixmill", "apply", str(pipeline), *files, "--out", str(out), "--json", "--log-level", "error"]]
    return commands


def bare(build):
    return lambda rule, jobs, sizes, files, out: [[f"{build}/tests/bench/bench_bare", str(jobs), rule, str(out), sizes, *files]]


def vipsthumbnail(rule, jobs, sizes, files, out):
    if jobs > 1 or rule != "balanced" or not shutil.which("vipsthumbnail"):
        return None
    return [["vipsthumbnail", "--vips-concurrency=1", "--size", f"{side}x{side}", *(["--smartcrop", "centre"] if cover else []),
             "-o", f"{out}/%s.jpg_{side}.jpg[Q=80]", *files] for side, cover in sides(sizes)]


def pillow(rule, jobs, sizes, files, out):
    return None if jobs > 1 else [["/usr/bin/python3", str(HERE / "pillow.py"), rule, str(out), sizes, *files]]


def imagemagick(program):
    def commands(rule, jobs, sizes, files, out):
        times = 1 if rule == "fast" else 2
        result = []
        for file in files if jobs == 1 else []:
            first, cover = sides(sizes)[0]
            hint = times * first * (2 if cover else 1)
            command = [program, "-limit", "thread", "1", "-define", f"jpeg:size={hint}x{hint}", file, "-quality", "80"]
            for side, cover in sides(sizes):
                box = ["-thumbnail", f"{side}x{side}^", "-gravity", "center", "-extent", f"{side}x{side}"] if cover else [
                    "-thumbnail", f"{side}x{side}"]
                command += ["(", "+clone", *box, "-write", f"{out}/{os.path.basename(file)}_{side}.jpg", "+delete", ")"]
            result.append([*command, "null:"])
        return result or None
    return commands


def sharp(folder):
    def commands(rule, jobs, sizes, files, out):
        if jobs > 1 or rule != "fast":  # it knows no other rule
            return None
        return [["node", str(HERE / "sharp.cjs"), folder, rule, str(out), sizes, *files]]
    return commands


# --- measuring ---

PR_SET_CHILD_SUBREAPER = 36


def adopt_orphans():
    """pixmill's workers end with their parent, which cannot count them any more: they become our children."""
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def orphans():
    """Their CPU seconds."""
    cpu = 0.0
    while True:
        try:
            _, _, usage = os.wait3(0)
        except ChildProcessError:
            return cpu
        cpu += usage.ru_utime + usage.ru_stime


def run(commands):
    """Wall and CPU seconds, of all processes below, in one go."""
    wall, cpu = time.monotonic(), 0.0
    for command in commands:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        said = process.stderr.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            sys.exit(f"{' '.join(command[:6])} ...: {process.returncode}\n{said.decode(errors='replace')[-2000:]}")
        cpu += usage.ru_utime + usage.ru_stime + orphans()
    return time.monotonic() - wall, cpu


def descendants(pid):
    result, todo = [], [pid]
    while todo:
        pid = todo.pop()
        result.append(pid)
        try:
            for task in os.listdir(f"/proc/{pid}/task"):
                todo += map(int, pathlib.Path(f"/proc/{pid}/task/{task}/children").read_text(encoding="ascii").split())
        except OSError:
            pass
    return result


def peak_memory(commands):
    """MiB at the worst moment, shared pages counted once (PSS), of all processes together."""
    peak = [0]

    def watch(process):
        while process.poll() is None:
            total = 0
            for pid in descendants(process.pid):
                try:
                    found = re.search(r"^Pss:\s+(\d+)", pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii"), re.M)
                except OSError:
                    continue
                total += int(found[1]) if found else 0
            peak[0] = max(peak[0], total)
            time.sleep(0.004)

    for command in commands:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        watcher = threading.Thread(target=watch, args=(process,))
        watcher.start()
        watcher.join()
    return peak[0] / 1024


def ssim(a, b):
    """Structural similarity of two grey pictures over windows of 8x8."""
    def mean(x):
        sums = np.pad(x.cumsum(0).cumsum(1), ((1, 0), (1, 0)))
        return (sums[8:, 8:] - sums[:-8, 8:] - sums[8:, :-8] + sums[:-8, :-8]) / 64
    ma, mb = mean(a), mean(b)
    va, vb, cov = mean(a * a) - ma * ma, mean(b * b) - mb * mb, mean(a * b) - ma * mb
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    return float((((2 * ma * mb + c1) * (2 * cov + c2)) / ((ma * ma + mb * mb + c1) * (va + vb + c2))).mean())


def quality(photo, sizes, out):
    """Mean SSIM of what was written against a full decode scaled by Lanczos."""
    scores = []
    with Image.open(photo) as source:
        source = source.convert("RGB")
    for side, cover in sides(sizes):
        path = next(pathlib.Path(out).rglob(f"*_{side}.jpg"))
        with Image.open(path) as written:
            made = np.asarray(written.convert("L"), dtype=np.float64)
            size = written.size
        wanted = ImageOps.fit(source, size, Image.Resampling.LANCZOS) if cover else source.resize(size, Image.Resampling.LANCZOS)
        scores.append(ssim(np.asarray(wanted.convert("L"), dtype=np.float64), made))
    return statistics.mean(scores)


class Row:
    def __init__(self, name, rule, jobs, photo, short, long, contenders, work):
        self.title = f"{TITLES[name]}, {rule}, {jobs} at a time"
        self.sizes, self.photo, self.work = ROWS[name][1], photo, work
        self.lists = [[str(work / f"in/{name}{i}.jpg") for i in range(count)] for count in (short, long)]
        (work / "in").mkdir(exist_ok=True)
        for file in self.lists[1]:
            if not os.path.exists(file):
                shutil.copy(photo, file)
        self.contenders = {label: function for label, function in contenders.items()
                           if function(rule, jobs, self.sizes, self.lists[1], self.out(label))}
        self.commands = lambda label, files: contenders[label](rule, jobs, self.sizes, files, self.out(label))
        self.samples = {label: [] for label in self.contenders}
        self.memory, self.ssim = {}, {}

    def out(self, label):
        path = self.work / f"out-{label}"
        path.mkdir(exist_ok=True)
        return path

    def round(self):
        for label in self.contenders:
            (wall0, cpu0), (wall1, cpu1) = (run(self.commands(label, files)) for files in self.lists)
            images = len(self.lists[1]) - len(self.lists[0])
            self.samples[label].append(((wall1 - wall0) / images * 1000, (cpu1 - cpu0) / images * 1000))
        if not self.memory:
            for label in self.contenders:
                self.ssim[label] = quality(self.photo, self.sizes, self.out(label))
                self.memory[label] = peak_memory(self.commands(label, self.lists[0]))

    def table(self):
        pick = lambda label, which: [sample[which] for sample in self.samples[label]]
        ratio = lambda label, which: statistics.median(a / b for a, b in zip(pick(label, which), pick("bare C", which)))
        print(f"\n{self.title}\n")
        print("| | CPU ms | to bare C | wall ms | to bare C | MiB | SSIM |\n|---|---|---|---|---|---|---|")
        for label in self.contenders:
            print(f"| {label} | {statistics.median(pick(label, 1)):.1f} | {ratio(label, 1):.2f} | {statistics.median(pick(label, 0)):.1f} | "
                  f"{ratio(label, 0):.2f} | {self.memory[label]:.0f} | {self.ssim[label]:.4f} |", flush=True)


def genuine_imagemagick():
    """`magick` or `convert`, if it is ImageMagick's."""
    for name in filter(None, (os.environ.get("IMAGEMAGICK"), "magick", "convert")):
        program = shutil.which(name)
        with open(program, "rb") if program else open(os.devnull, "rb") as file:
            if file.read(4) == b"\x7fELF":
                return program
    return None


def main():
    parser = argparse.ArgumentParser(prog="run.sh [BUILD]", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build", help=argparse.SUPPRESS)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--images", type=int, default=40, help="in the long list; the short one has a fifth")
    parser.add_argument("--rows", default="one,cover,five,five12", help="of " + ", ".join(ROWS))
    parser.add_argument("--rules", default="balanced,fast", help="how far the decoder may shrink: balanced, fast")
    parser.add_argument("--jobs", default="1,2", help="images at the same time: 1, 2, ...")
    parser.add_argument("--only", help="contenders, comma-separated: pixmill,bare C,...")
    parser.add_argument("--photo", help="a JPEG to use instead of the made-up ones")
    parser.add_argument("--work", help="folder to work in, by default in /dev/shm: no disk, so that syncing costs nothing")
    args = parser.parse_args()
    adopt_orphans()

    contenders = {"pixmill": pixmill(args.build), "bare C": bare(args.build), "vipsthumbnail": vipsthumbnail, "Pillow": pillow}
    if genuine_imagemagick():
        contenders["ImageMagick"] = imagemagick(genuine_imagemagick())
    if os.environ.get("SHARP"):
        contenders["sharp"] = sharp(os.environ["SHARP"])
    if args.only:
        contenders = {label: contenders[label] for label in args.only.split(",")}
    print(f"{os.cpu_count()} cores; {subprocess.run(['vips', '--version'], stdout=subprocess.PIPE, text=True, check=True).stdout.strip()}; "
          f"medians of {args.rounds} rounds of {args.images} images")
    with tempfile.TemporaryDirectory(prefix="pixmill-bench.", dir=args.work or ("/dev/shm" if os.path.isdir("/dev/shm") else None)) as work:
        work, photos = pathlib.Path(work), {}
        for name, (width, height) in PHOTOS.items():
            photos[name] = args.photo or str(work / f"{name}.jpg")
            if not args.photo:
                make.make("photo", photos[name], width=width, height=height, quality=85)
        for name in args.rows.split(","):
            for rule in args.rules.split(","):
                for jobs in args.jobs.split(","):
                    if rule == "fast" and jobs != "1":
                        continue
                    row = Row(name, rule, int(jobs), photos[ROWS[name][0]], max(2, args.images // 5), args.images, contenders, work)
                    for _ in range(args.rounds):
                        row.round()
                    row.table()


if __name__ == "__main__":
    main()
