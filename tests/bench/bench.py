#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Times pixmill beside other ways to the same renditions. Called by run.sh.

What counts is the ratio within one run: contenders take turns, each turn times a short and a long list of photographs, and the
difference is what one image costs once everything has started: processor time of all processes together. Medians over rounds.
Beside it stands how like the pixels are, before they are encoded, to a full decode scaled by Lanczos: a speed that comes from decoding less
is no gain.
"""
import argparse
import ctypes
import json
import os
import pathlib
import platform
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
sys.path[:0] = [str(HERE), str(HERE.parent / "samples")]
import contenders as contenders_module  # noqa: E402
import make  # noqa: E402
import page  # noqa: E402
import photographs  # noqa: E402

JOBS = contenders_module.JOBS
SHORT = {"rounds": 2, "rows": "one,five,strip", "ssim": 1, "only": "pixmill, fast;pixmill, balanced;sharp;Pillow, draft()"}
TRIAL = {"rounds": 1, "rows": "cover,strip,watermark", "ssim": 1, "only": "pixmill, fast;bare C, fast;Pillow, draft()"}

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


class References:
    """Every photograph, decoded wholly and scaled by Lanczos, in grey. A shape that is cut may lie a pixel to either side."""

    def __init__(self):
        self.decoded, self.scaled = None, {}

    def of(self, photo, size, cover):
        key = (str(photo), size, cover)
        if key not in self.scaled:
            if self.decoded is None or self.decoded[0] != photo:
                with Image.open(photo) as image:
                    self.decoded = (photo, image.convert("RGB"))
            image = self.decoded[1]
            if cover:
                factor = max(size[0] / image.width, size[1] / image.height)
                whole = image.resize((round(image.width * factor), round(image.height * factor)), Image.Resampling.LANCZOS)
                spare = (whole.width - size[0], whole.height - size[1])
                at = {(x // 2, y // 2) for x in (spare[0], spare[0] + 1) for y in (spare[1], spare[1] + 1)}
                wanted = [whole.crop((x, y, x + size[0], y + size[1])) for x, y in at]
                wanted.append(ImageOps.fit(image, size, Image.Resampling.LANCZOS))
            else:
                wanted = [image.resize(size, Image.Resampling.LANCZOS)]
            self.scaled[key] = [np.asarray(one.convert("L"), dtype=np.float64) for one in wanted]
        return self.scaled[key]


def grey(path):
    with Image.open(path) as image:
        return np.asarray(image.convert("L"), dtype=np.float64), image.size


class Row:
    def __init__(self, name, at_once, photos, everyone, work):
        self.name, self.job, self.at_once, self.photos, self.work = name, JOBS[name], at_once, photos, work
        self.long = []
        for number, photo in enumerate([*photos[:2], *photos]):
            file = work / f"in/{name}{number}.jpg"
            shutil.copy(photo, file)
            self.long.append(str(file))
        self.short = self.long[:2]
        self.everyone = {label: function for label, function in everyone.items() if function(self.task(label, self.long))}
        self.samples = {label: [] for label in self.everyone}
        self.memory, self.ssim = {}, {}

    def task(self, label, files, lossless=False):
        out = self.work / "out" / re.sub(r"\W+", "-", f"{self.name}-{label}-{lossless}")
        out.mkdir(parents=True, exist_ok=True)
        return contenders_module.Task(self.job, self.at_once, files, out, str(self.work / "mark.png"), lossless)

    def commands(self, label, files, lossless=False):
        return self.everyone[label](self.task(label, files, lossless))

    def round(self):
        for label in self.everyone:
            (wall0, cpu0), (wall1, cpu1) = (run(self.commands(label, files)) for files in (self.short, self.long))
            images = len(self.long) - len(self.short)
            self.samples[label].append(((wall1 - wall0) / images * 1000, (cpu1 - cpu0) / images * 1000))

    def look(self, references, count):
        """What memory it takes, and how like its pixels are to the reference: mean and worst rendition of count photographs."""
        for label in self.everyone:
            self.memory[label] = peak_memory(self.commands(label, self.short))
            strip = self.job.kind == "strip"
            if self.job.kind == "watermark" or not self.commands(label, self.short, not strip):
                continue
            files = self.long[2:2 + count]
            run(self.commands(label, files, not strip))
            task, scores = self.task(label, files, not strip), []
            for file in files:
                for side, cover in [(0, False)] if strip else task.boxes():
                    made, size = grey(task.out / f"{os.path.basename(file)}_{side}.{task.ext()}")
                    scores.append(max(ssim(wanted, made) for wanted in references.of(file, size, cover)))
            self.ssim[label] = (statistics.mean(scores), min(scores))

    def result(self):
        ratio_to = "sharp" if "sharp" in self.everyone else "bare C, fast" if "bare C, fast" in self.everyone else next(iter(self.everyone))
        result = {"name": self.name, "title": self.job.title, "at_once": self.at_once, "ratio_to": ratio_to, "rounds": len(self.samples[ratio_to]), "contenders": {}}
        for label, samples in self.samples.items():
            wall, cpu = zip(*samples)
            to = [a[1] / max(b[1], 0.001) for a, b in zip(samples, self.samples[ratio_to])]
            result["contenders"][label] = {"cpu": statistics.median(cpu), "all_cpu": cpu, "wall": statistics.median(wall), "ratio": statistics.median(to),
                                           "mib": self.memory.get(label), "ssim": self.ssim.get(label)}
        return result


def machine(args, names):
    cpu = re.search(r"^model name\s*:\s*(.*)$", pathlib.Path("/proc/cpuinfo").read_text(encoding="utf-8"), re.M)
    system = platform.freedesktop_os_release().get("PRETTY_NAME", "")
    version = subprocess.run([f"{args.build}/bin/pixmill", "--version"], stdout=subprocess.PIPE, text=True, check=True).stdout.split("\n")[0]
    vips = subprocess.run(["vips", "--version"], stdout=subprocess.PIPE, text=True, check=True).stdout.split("\n")[0] if shutil.which("vips") else "?"
    imagemagick = contenders_module.genuine_imagemagick()
    said = subprocess.run([imagemagick, "-version"], stdout=subprocess.PIPE, text=True, check=True).stdout if imagemagick else ""
    return {"cpu": cpu[1] if cpu else platform.machine(), "cores": os.cpu_count(), "system": system, "pixmill": version, "vips": vips,
            "pillow": Image.__version__, "imagemagick": (re.search(r"ImageMagick (\S+)", said) or [None, None])[1],
            "sharp": contenders_module.SHARP if "sharp" in names else None, "load": os.getloadavg()[0]}


def pictures(args, work, name):
    """The photographs, or made-up pictures where those cannot be had; and whether they are real."""
    size = photographs.SIZES[name]
    real = [] if args.photo or args.trial else photographs.photographs(contenders_module.cache(), name)
    if real or args.photo:
        return real or [args.photo], True
    if not args.trial:
        print(f"photographs of {name} are left out: the wallpaper packages cannot be had; a made-up picture stands in", flush=True)
    made = work / f"{name}.jpg"
    size = (800, 600) if args.trial else size
    make.make("photo", str(made), width=size[0], height=size[1], quality=90)
    return [made] * 2, False


def main():
    parser = argparse.ArgumentParser(prog="run.sh [BUILD]", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build", help=argparse.SUPPRESS)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--rows", default="one,cover,five,eight,watermark,webp,strip", help="of " + ", ".join(JOBS))
    parser.add_argument("--jobs", default="1", help="images at the same time: 1, 2, ...")
    parser.add_argument("--bundle", help="a second build, with the prebuilt libvips")
    parser.add_argument("--only", help="contenders, by semicolons: pixmill, fast;sharp;...")
    parser.add_argument("--photo", help="a JPEG to use instead of Debian's wallpapers")
    parser.add_argument("--ssim", type=int, default=6, help="photographs whose pixels are compared")
    parser.add_argument("--minutes", type=float, default=0, help="begin no further round after that")
    parser.add_argument("--short", action="store_true", help="two rounds of the main jobs and contenders, in less than two minutes")
    parser.add_argument("--trial", action="store_true", help="one round of a few jobs on one small picture, without registries: whether it runs")
    parser.add_argument("--write", action="store_true", help="write the tables and charts into docs/performance.md and docs/img")
    parser.add_argument("--work", help="folder to work in, by default in /dev/shm: no disk, so that syncing costs nothing")
    args = parser.parse_args()
    for key, value in (SHORT if args.short else TRIAL if args.trial else {}).items():
        setattr(args, key, value)
    adopt_orphans()

    everyone = contenders_module.everyone(args.build, args.bundle, not args.trial)
    if args.only:
        everyone = {label: everyone[label] for label in args.only.split(";") if label in everyone}
    about, began = machine(args, everyone), time.monotonic()
    with tempfile.TemporaryDirectory(prefix="pixmill-bench.", dir=args.work or ("/dev/shm" if os.path.isdir("/dev/shm") else None)) as work:
        work = pathlib.Path(work)
        (work / "in").mkdir()
        make.make("photo", str(work / "mark.png"), width=200, height=80)
        rows, references, sets, loads = [], References(), {}, [about["load"]]
        for name in args.rows.split(","):
            photo = JOBS[name].photo
            sets[photo] = sets.get(photo) or pictures(args, work, photo)
            for at_once in map(int, args.jobs.split(",")):
                rows.append(Row(name, at_once, sets[photo][0], everyone, work))
        about["real"], about["photographs"] = all(real for _, real in sets.values()), len(next(iter(sets.values()))[0])
        for done in range(args.rounds):
            if done and args.minutes and time.monotonic() - began > args.minutes * 60:
                break
            for row in rows:
                row.round()
            loads.append(os.getloadavg()[0])
            print(f"round {done + 1} after {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
        for row in rows:
            row.look(references, args.ssim)
        about["load"] = [min(loads), max(loads)]
        about["ssim_photographs"] = min(args.ssim, about["photographs"])
    results = {"machine": about, "rows": [row.result() for row in rows]}
    pathlib.Path(args.build, "bench.json").write_text(json.dumps(results, indent=1), encoding="utf-8")
    page.chart(results, pathlib.Path(args.build, "bench.png"))
    print(page.tables(results, wall=True))
    print(page.targets(results), flush=True)
    if args.write:
        page.write(results, HERE.parent.parent / "docs")
    unlike = [f"{row.name}: {label} {score[0]:.4f}" for row in rows for label, score in row.ssim.items() if score[0] < 0.9]
    if unlike:
        sys.exit("not the same picture: " + ", ".join(unlike))


if __name__ == "__main__":
    main()
