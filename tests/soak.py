#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Many images through one broker, while its memory and that of its processes is looked at.

    soak.py --build DIR [--images 50000] [--png FILE] [--csv FILE]

Small images of six kinds come from a queue and an object store (standin.py), a few of them damaged, gone or told twice; each gets two
renditions. Twice a second the resident memory and the open descriptors of the broker, the zygote and the workers are noted, and drawn
into a PNG. What must hold: after the first tenth (the first 5,000 of 50,000), the broker's and the zygote's memory grow by less than
1 %, the workers' by less than 5 %, and no process holds more descriptors than before; every message ended, and each in the right way; no
process is left. The last line is "N passed, N failed".
"""
import argparse
import csv
import http.client
import json
import math
import os
import pathlib
import signal
import statistics
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
PIPELINE = """\
version: 1
name: soak
trigger: {{ sqs: {{ queue_url: "http://127.0.0.1:{port}/123456789012/soak", wait_time: 1s }} }}
source: {{ s3: {{ buckets: [source], prefix: in/ }} }}
outputs:
  thumb:
    steps: [ {{ resize: {{ width: 48, height: 48, fit: cover }} }}, {{ convert: {{ format: webp }} }} ]
    to: {{ s3: {{ bucket: target, key: "out/{{stem}}_thumb.{{ext}}" }} }}
  small:
    steps: [ {{ resize: {{ width: 96 }} }}, {{ convert: {{ format: jpeg }} }} ]
    to: {{ s3: {{ bucket: target, key: "out/{{stem}}_small.{{ext}}" }} }}
"""
EVERY_S, SHORT_EVERY_S = 0.5, 0.05
LONG = 5000  # below that the tenth that is compared with has one or two samples,
SHORT_FLOOR_KIB = 2048  # and the heap has not settled either: 2 KiB an image would show
CONNECTIONS = 8  # in which as many connections may happen to be idle; a leak of one an image is far above
FLOOR_KIB = 512  # of growth, below which a percentage says nothing: a page cache of malloc's, not a leak
KINDS = ("broker", "zygote", "worker")


class Sample:
    """One process at one moment."""

    def __init__(self, pid):
        fields = dict(line.split(":", 1) for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines() if ":" in line)
        self.rss_kib = sum(int(fields[name].split()[0]) for name in ("RssAnon", "RssFile"))  # images under way are shared memory
        self.shared_kib = int(fields["RssShmem"].split()[0])
        self.descriptors = len(os.listdir(f"/proc/{pid}/fd"))


def processes(session):
    """{pid: (parent, name)} of a session."""
    found = {}
    for entry in pathlib.Path("/proc").iterdir():
        try:
            stat = (entry / "stat").read_text() if entry.name.isdigit() else ""
        except OSError:
            continue
        if stat:
            fields = stat.rpartition(")")[2].split()
            if int(fields[3]) == session and fields[0] != "Z":
                found[int(entry.name)] = (int(fields[1]), stat[stat.index("(") + 1:stat.rindex(")")])
    return found


def kind_of(pid, known, broker):
    """The broker, or one that has children of its own, or a leaf below."""
    if pid == broker:
        return "broker"
    name = known[pid][1]
    if "init" in name:
        return None  # the namespace's first process does nothing
    return "zygote" if any(parent == pid and "init" not in known[other][1] for other, (parent, _) in known.items()) or "zygote" in name else "worker"


def sample(broker):
    """{kind: [Sample]}"""
    found, known = {kind: [] for kind in KINDS}, processes(broker)
    for pid in known:
        kind = kind_of(pid, known, broker)
        try:
            if kind:
                found[kind].append(Sample(pid))
        except (OSError, KeyError):
            continue  # it ended meanwhile
    return found


def stats(port):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("GET", "/stats")
        return json.loads(connection.getresponse().read())
    finally:
        connection.close()


class Soak:
    def __init__(self, build, images, folder):
        self.build, self.images, self.folder = build, images, folder
        self.every_s = EVERY_S if images >= LONG else SHORT_EVERY_S
        self.window = images // 10 if images >= LONG else images // 5  # of images, over which a median is taken
        self.rows = []  # (images ended, {kind: (RSS KiB, descriptors, processes)})

    def run(self):
        service = subprocess.Popen([sys.executable, str(HERE / "standin.py"), str(self.images)], stdout=subprocess.PIPE, text=True)
        try:
            port = int(service.stdout.readline())
            self.work(port)
            self.stats = stats(port)
        finally:
            service.kill()
            service.wait()

    def work(self, port):
        (self.folder / "p.yaml").write_text(PIPELINE.format(port=port))
        url = f"http://127.0.0.1:{port}"
        env = {"PATH": os.environ["PATH"], "HOME": str(self.folder), "AWS_ENDPOINT_URL": url, "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
               "AWS_SECRET_ACCESS_KEY": "secret", "AWS_REGION": "us-east-1", "AWS_EC2_METADATA_DISABLED": "true"}
        began = time.monotonic()
        with open(self.folder / "out", "wb") as out, open(self.folder / "log", "wb") as log:
            broker = subprocess.Popen([str(self.build / "bin/pixmill"), "run", "p.yaml", "--once", "--log-level", "warn"], cwd=self.folder,
                                      env=env, stdin=subprocess.DEVNULL, stdout=out, stderr=log, start_new_session=True)
            last, stuck = -1, time.monotonic()
            while broker.poll() is None:
                ended = stats(port)["ended"]
                if ended != last:
                    last, stuck = ended, time.monotonic()
                if time.monotonic() - stuck > 120:
                    os.killpg(broker.pid, signal.SIGKILL)
                found = sample(broker.pid)
                self.rows.append((ended, {kind: (sum(one.rss_kib for one in some) / len(some), max(one.descriptors for one in some), len(some))
                                          for kind, some in found.items() if some}))
                time.sleep(self.every_s)
        self.code, self.seconds = broker.returncode, time.monotonic() - began
        until = time.monotonic() + 5
        while processes(broker.pid) and time.monotonic() < until:
            time.sleep(0.1)
        self.left = processes(broker.pid)

    # --- figures ---

    def series(self, kind, what, first, last):
        return [row[1][kind][what] for row in self.rows if kind in row[1] and first <= row[0] <= last]

    def growth(self, kind):
        """(KiB after the first tenth, KiB at the end), medians."""
        tenth, window = self.images // 10, self.window
        before, after = self.series(kind, 0, tenth, tenth + window), self.series(kind, 0, self.images - window, self.images)
        return (statistics.median(before), statistics.median(after)) if before and after else None

    def descriptors(self, kind):
        """The most after the first tenth, and the median at the end."""
        tenth, window = self.images // 10, self.window
        before, after = self.series(kind, 1, tenth, tenth + window), self.series(kind, 1, self.images - window, self.images)
        return (max(before), statistics.median(after)) if before and after else None

    def judge(self):
        """{what must hold: what is wrong}"""
        checks = {"the broker ends by itself, exit code 3": [] if self.code == 3 else [f"exit code {self.code}"]}
        damaged = sum(number % 100 == 37 for number in range(self.images))
        gone = sum(number % 100 == 73 for number in range(self.images))
        sound = self.images - damaged - gone
        checks["every message ended"] = [] if self.stats["ended"] == self.images and self.stats["held"] == 0 else [str(self.stats)]
        checks["every sound source has two renditions"] = [] if self.stats["renditions"] == 2 * sound else [f"{self.stats['renditions']} of {2 * sound}"]
        checks["every damaged one is a dead letter"] = [] if damaged <= self.stats["dead"] <= damaged + self.stats["duplicates"] else [str(self.stats["dead"])]
        checks["no process is left"] = [str(one) for one in self.left.values()]
        for kind, most in (("broker", 1), ("zygote", 1), ("worker", 5)):
            found, open_ = self.growth(kind), self.descriptors(kind)
            if not found:
                checks[f"{kind}: seen all along"] = ["too few samples"]
                continue
            percent = 100 * (found[1] - found[0]) / found[0]
            checks[f"{kind}: resident memory {found[0] / 1024:.1f} MiB after a tenth, {found[1] / 1024:.1f} MiB at the end ({percent:+.2f} %)"] = (
                [f"more than +{most} %"] if percent >= most and found[1] - found[0] > (FLOOR_KIB if self.images >= LONG else SHORT_FLOOR_KIB) else [])
            checks[f"{kind}: at most {open_[0]:.0f} descriptors after a tenth, {open_[1]:.0f} at the end"] = (
                ["more than before"] if open_[1] > open_[0] + (CONNECTIONS if self.images < LONG else 0) else [])
        return checks

    # --- drawing ---

    def draw(self, path):
        from PIL import Image, ImageDraw, ImageFont
        width, height, left, right, gap = 1200, 760, 90, 30, 70
        image = Image.new("RGB", (width, height), "white")
        pen = ImageDraw.Draw(image)
        try:
            font = ImageFont.truetype("/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf", 16)
        except OSError:
            font = ImageFont.load_default()
        colours = {"broker": "#1f77b4", "zygote": "#2ca02c", "worker": "#d62728"}
        upper, lower = (50, 460), (460 + gap, height - 60)

        def panel(box, what, title, scale):
            top, bottom = box
            most = 10 * math.ceil(max(row[1][kind][what] / scale for row in self.rows for kind in row[1]) / 9)
            x = lambda count: left + (width - left - right) * count / self.images  # noqa: E731
            y = lambda value: bottom - (bottom - top) * value / most  # noqa: E731
            pen.text((left, top - 28), title, fill="black", font=font)
            for i in range(6):
                value = most * i / 5
                pen.line([(left, y(value)), (width - right, y(value))], fill="#dddddd")
                pen.text((12, y(value) - 9), f"{value:.0f}", fill="black", font=font)
                pen.text((x(self.images * i / 5) - 25, bottom + 8), f"{self.images * i // 5:,}", fill="black", font=font)
            pen.line([(x(self.images / 10), top), (x(self.images / 10), bottom)], fill="#888888")
            for kind in KINDS:
                line = [(x(row[0]), y(row[1][kind][what] / scale)) for row in self.rows if kind in row[1]]
                if len(line) > 1:
                    pen.line(line, fill=colours[kind], width=2)

        panel(upper, 0, "resident memory, MiB (workers: their mean), by images done; growth is measured from the grey line on", 1024)
        panel(lower, 1, "open descriptors (workers: the most of one)", 1)
        for i, kind in enumerate(KINDS):
            pen.rectangle([(820 + 120 * i, 8), (834 + 120 * i, 22)], fill=colours[kind])
            pen.text((840 + 120 * i, 5), kind, fill="black", font=font)
        path.parent.mkdir(parents=True, exist_ok=True)
        image.save(path, optimize=True)

    def write(self, path):
        with path.open("w", newline="", encoding="utf-8") as out:
            rows = csv.writer(out)
            rows.writerow(["images"] + [f"{kind} {what}" for kind in KINDS for what in ("RSS KiB", "descriptors", "processes")])
            for ended, found in self.rows:
                rows.writerow([ended] + [value for kind in KINDS for value in found.get(kind, ("", "", ""))])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", required=True, type=pathlib.Path)
    parser.add_argument("--images", type=int, default=50000)
    parser.add_argument("--png", type=pathlib.Path)
    parser.add_argument("--csv", type=pathlib.Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="pixmill-soak-") as folder:
        soak = Soak(options.build.resolve(), options.images, pathlib.Path(folder))
        soak.run()
        checks = soak.judge()
        log = (pathlib.Path(folder) / "log").read_text(errors="replace").splitlines()
    if options.png:
        soak.draw(options.png)
    if options.csv:
        soak.write(options.csv)
    broker = soak.growth("broker")
    print(f"measured: {soak.stats['ended']:,} images in {soak.seconds:.0f} s, {soak.stats['ended'] / soak.seconds:.0f}/s; broker "
          + (f"{broker[0] / 1024:.1f} -> {broker[1] / 1024:.1f} MiB ({100 * (broker[1] - broker[0]) / broker[0]:+.2f} %)" if broker else "not seen"))
    for name, wrong in checks.items():
        print(f"{'FAILED' if wrong else 'ok    '}  {name}")
        for one in wrong[:10]:
            print(f"          {one[:300]}")
    bad = sum(bool(wrong) for wrong in checks.values())
    if bad:
        print("\n".join(f"          | {line[:300]}" for line in log[-20:]))
    print(f"{len(checks) - bad} passed, {bad} failed")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
