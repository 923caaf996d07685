# SPDX-License-Identifier: Apache-2.0
"""Called by wallpapers.sh: picks the images, runs the pipeline, reads every output back."""
import json
import pathlib
import subprocess
import sys
import time

from PIL import Image

Image.MAX_IMAGE_PIXELS = None
PIPELINE = """\
version: 1
limits: { pixels: 100M, side: 16384, wall_time: 60s, cpu_time: 60s, memory: 1GiB }
steps: [ { strip-metadata: { keep: [icc, copyright] } } ]
outputs:
  large:
    steps: [ { resize: { width: 1200, height: 1200, fit: inside } }, { watermark: { text: "{stem}", size: 4% } }, { convert: { format: jpeg, quality: 82 } } ]
    to: { file: { path: "{stem}_large.{ext}" } }
  thumb:
    steps: [ { resize: { width: 300, height: 200, fit: cover, gravity: attention, enlarge: true } }, { convert: { format: webp } } ]
    to: { file: { path: "{stem}_thumb.{ext}" } }
  square:
    steps: [ { resize: { width: 128, height: 128, fit: contain, background: "#202020", enlarge: true } }, { convert: { format: png } } ]
    to: { file: { path: "{stem}_square.{ext}" } }
  tiny:
    steps: [ { resize: { width: 64, enlarge: true } }, { convert: { format: gif } } ]
    to: { file: { path: "{stem}_tiny.{ext}" } }
"""


def is_picture(path):
    with open(path, "rb") as file:
        head = file.read(12)
    return head[:3] == b"\xff\xd8\xff" or head[:8] == b"\x89PNG\r\n\x1a\n" or (head[:4] == b"RIFF" and head[8:] == b"WEBP")


def choose(files, count, folder):
    """The largest and the most varied first: by turns from every package folder. Linked under names of their own."""
    groups = {}
    for path in sorted(files.rglob("*")):
        if path.is_file() and not path.is_symlink() and is_picture(path):
            groups.setdefault(path.parent, []).append(path)
    for group in groups.values():
        group.sort(key=lambda path: -path.stat().st_size)
    chosen = []
    while len(chosen) < count and any(groups.values()):
        for group in groups.values():
            if group and len(chosen) < count:
                chosen.append(group.pop(0))
    folder.mkdir()
    for number, path in enumerate(chosen):
        (folder / f"{number:03d}{path.suffix}").symlink_to(path)
    return chosen


def expected(path):
    with Image.open(path) as image:
        width, height = image.size
        orientation = image.getexif().get(0x0112, 1)
    if orientation >= 5:
        width, height = height, width
    factor = min(1, 1200 / max(width, height))
    return {"large": ("JPEG", (round(width * factor), round(height * factor))), "thumb": ("WEBP", (300, 200)), "square": ("PNG", (128, 128)),
            "tiny": ("GIF", (64, max(1, round(height * 64 / width))))}


def main():
    build, files, count, work = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), int(sys.argv[3]), pathlib.Path(sys.argv[4])
    sources = choose(files, count, work / "in")
    (work / "p.yaml").write_text(PIPELINE, encoding="utf-8")
    began = time.monotonic()
    done = subprocess.run([f"{build}/bin/pixmill", "apply", "p.yaml", "in", "--out", "out", "--json"], cwd=work, capture_output=True, text=True,
                          check=False)
    took = time.monotonic() - began
    problems, outputs = [], 0
    results = {one["source"]: one for one in json.loads(done.stdout)["results"]} if done.stdout else {}
    if done.returncode < 0 or not results:
        problems.append(f"pixmill ended with {done.returncode}: {done.stderr[-500:]}")
    for number, source in enumerate(sources):
        name = f"{number:03d}"
        result = results.get(name + source.suffix, {"status": "missing"})
        if result["status"] != "ok":
            problems.append(f"{source.name}: {result['status']}: {result.get('error', {}).get('message')}")
            continue
        for output, (kind, size) in expected(source).items():
            found = list((work / "out").glob(f"{name}_{output}.*"))
            if len(found) != 1:
                problems.append(f"{source.name}: {output} is not there")
                continue
            with Image.open(found[0]) as image:
                image.load()
                close = all(abs(a - b) <= 1 for a, b in zip(image.size, size))
                if image.format != kind or not close:
                    problems.append(f"{source.name}: {output} is {image.format} {image.size}, promised {kind} {size}")
            outputs += 1
    size = sum(path.stat().st_size for path in sources) / 2**20
    print(f"{len(sources)} images, {size:.0f} MiB, from {len({path.parent for path in sources})} folders; {outputs} outputs in {took:.1f} s")
    print("\n".join(problems[:40]))
    bad = len({problem.split(":")[0] for problem in problems})
    print(f"{len(sources) - bad} passed, {bad} failed")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
