#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Mills 200 pictures found below a folder and judges every rendition by tools that are not pixmill.

    wallpapers.py BUILD PICTURES WORK [COUNT]

Called by wallpapers.sh. Sizes and formats are told by exiftool, pixels by Pillow (WebP, JPEG) and vipsthumbnail (AVIF).
"""
import collections
import hashlib
import json
import os
import pathlib
import shutil
import subprocess
import sys
import time

from PIL import Image, ImageChops, ImageOps

PIPELINE = """\
version: 1
trigger: { directory: { path: in } }
on_error: { retries: 0 }
steps:
  - strip-metadata: { keep: [icc, copyright] }
outputs:
  thumb:
    steps: [ { resize: { width: 400, height: 300, fit: cover, gravity: attention } }, { convert: { format: webp } } ]
    to: { file: { path: "out/{stem}_thumb.{ext}" } }
  large:
    steps: [ { resize: { width: 1200, height: 1200, fit: inside } }, { convert: { format: jpeg, quality: 85 } } ]
    to: { file: { path: "out/{stem}_large.{ext}" } }
  small:
    steps: [ { resize: { width: 320, fit: inside } }, { convert: { format: avif, effort: 2 } } ]
    to: { file: { path: "out/{stem}_small.{ext}" } }
  marked:
    steps:
      - resize: { width: 800, height: 800, fit: inside }
      - watermark: { image: logo.png, gravity: south-east, scale: 0.25 }
      - convert: { format: jpeg, quality: 85 }
    to: { file: { path: "out/{stem}_marked.{ext}" } }
"""
FORMATS = {"thumb": "WEBP", "large": "JPEG", "small": "AVIF", "marked": "JPEG"}
EXIFTOOL_NAMES = {"WEBP": ("WEBP", "Extended WEBP"), "JPEG": ("JPEG",), "AVIF": ("AVIF",)}
LEAST_SIDE, MOST_PIXELS = 64, 50_000_000
WORKER_MIB = 640


class Score:
    def __init__(self):
        self.passed = self.failed = 0

    def judge(self, name, wrong):
        if not wrong:
            self.passed += 1
            print(f"ok      {name}")
            return
        self.failed += 1
        print(f"FAILED  {name}")
        for line in wrong[:20]:
            print(f"        {line}")


def choose(folder, count):
    """Different pictures, the largest kinds evenly: one file of each content, taken in turn from each package."""
    found, seen = collections.defaultdict(list), set()
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() not in (".jpg", ".jpeg", ".png") or path.is_symlink() or not path.is_file():
            continue
        digest = hashlib.sha256(path.read_bytes()).digest()
        if digest in seen:
            continue
        seen.add(digest)
        with Image.open(path) as image:
            if min(image.size) >= LEAST_SIDE and image.width * image.height <= MOST_PIXELS:
                found[path.relative_to(folder).parts[0]].append((image.width * image.height, path))
    for package in found.values():
        package.sort(key=lambda item: item[0])
    chosen = []
    while len(chosen) < count and any(found.values()):
        for package in found.values():
            if package and len(chosen) < count:
                chosen.append(package.pop()[1])
    return chosen


def inside(size, width, height):
    scale = min(1, width / size[0], height / size[1])
    return size[0] * scale, size[1] * scale


def promised(size):
    """Exact sizes, as fractions of a pixel, that the pipeline promises for a source of this size. Nothing is enlarged."""
    cover = min(1, size[0] / 400, size[1] / 300)
    return {"thumb": (400 * cover, 300 * cover), "large": inside(size, 1200, 1200), "small": inside(size, 320, 1e9),
            "marked": inside(size, 800, 800)}


def exiftool(folder):
    out = subprocess.run(["exiftool", "-json", "-fast", "-FileType", "-ImageWidth", "-ImageHeight", "-GPSPosition", "-SerialNumber",
                          str(folder)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True).stdout
    return {pathlib.Path(row["SourceFile"]).stem: row for row in json.loads(out)}


def watermark_shows(large, marked):
    """The marked picture differs from the plain one at the lower right, and there only."""
    with Image.open(large) as plain, Image.open(marked) as with_mark:
        if with_mark.width < 200 or with_mark.height < 100:
            return True
        plain = plain.resize(with_mark.size, Image.Resampling.LANCZOS)
        difference = ImageChops.difference(plain, with_mark.convert(plain.mode)).convert("L")
    width, height = difference.size
    corner = difference.crop((width * 3 // 4, height - width // 12, width, height))
    mean = lambda image: sum(i * n for i, n in enumerate(image.histogram())) / (image.width * image.height)
    return mean(corner) > 3 * mean(difference.crop((0, 0, width, height // 2))) + 1


def decoded_by_vips(files, work):
    """How many of the files vipsthumbnail can decode."""
    probe = work / "probe"
    probe.mkdir()
    subprocess.run(["vipsthumbnail", "--size", "64", "-o", f"{probe}/%s.png", *map(str, files)], stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL, check=False)
    return {path.stem for path in probe.iterdir()}


def main(build, pictures, work, count=200):
    work = pathlib.Path(work)
    sources, out, pipeline = work / "in", work / "out", work / "p.yaml"
    sources.mkdir()
    shutil.copy(pathlib.Path(__file__).resolve().parent.parent / "config/logo.png", work / "logo.png")
    pipeline.write_text(PIPELINE, encoding="utf-8")
    sizes = {}
    for number, path in enumerate(choose(pathlib.Path(pictures), int(count))):
        copy = sources / f"{number:03}{path.suffix.lower()}"
        shutil.copy(path, copy)
        with Image.open(copy) as image:
            sizes[copy.stem] = ImageOps.exif_transpose(image).size if image.getexif().get(0x0112, 1) > 4 else image.size
    kinds = collections.Counter(p.suffix.lstrip(".") for p in sources.iterdir())
    megapixels = sum(w * h for w, h in sizes.values()) / 1e6
    print(f"        {len(sizes)} pictures ({', '.join(f'{n} {k}' for k, n in sorted(kinds.items()))}), "
          f"{megapixels:.0f} Mpx, {sum(p.stat().st_size for p in sources.iterdir()) / 1e6:.0f} MB")

    started = time.monotonic()
    with open(work / "report.json", "wb") as stdout:
        process = subprocess.Popen([f"{build}/bin/pixmill", "apply", str(pipeline), str(sources), "--out", str(out), "--json",
                                    "--log-level", "error"], stdout=stdout)
        _, status, usage = os.wait4(process.pid, 0)
    seconds, code = time.monotonic() - started, os.waitstatus_to_exitcode(status)
    process.returncode = code
    report = json.loads((work / "report.json").read_text(encoding="utf-8"))
    print(f"        {seconds:.1f} s, {usage.ru_utime + usage.ru_stime:.1f} s of CPU, largest process {usage.ru_maxrss // 1024} MiB")

    score = Score()
    score.judge("exit code 0", [] if code == 0 else [f"{code}"])
    results = {pathlib.Path(r["source"]).stem: r for r in report["results"]}
    score.judge("every picture ends well", [f"{s}: {r['status']}: {r.get('error', {}).get('message')}" for s, r in results.items()
                                            if r["status"] != "ok"] + [f"{s}: no result" for s in sizes if s not in results])
    score.judge("no worker crashes", [f"{s}: {r['error']['message']}" for s, r in results.items()
                                      if "died of SIG" in r.get("error", {}).get("message", "")])
    score.judge("no plugin breaks its promise", [f"{s}: {w}" for s, r in results.items() for w in r["warnings"]])
    score.judge("memory is bounded", [f"{usage.ru_maxrss // 1024} MiB"] if usage.ru_maxrss > WORKER_MIB * 1024 else [])

    told = exiftool(out / "out")
    for output, kind in FORMATS.items():
        wrong = []
        for stem, size in sizes.items():
            row = told.get(f"{stem}_{output}")
            exact = promised(size)[output]
            if row is None:
                wrong.append(f"{stem}: none")
            elif row.get("FileType") not in EXIFTOOL_NAMES[kind]:
                wrong.append(f"{stem}: {row.get('FileType')}, not {kind}")
            elif any(abs(got - max(1, want)) > 0.501 for got, want in zip((row["ImageWidth"], row["ImageHeight"]), exact)):
                wrong.append(f"{stem}: {row['ImageWidth']}x{row['ImageHeight']}, not {exact[0]:.2f}x{exact[1]:.2f}")
        score.judge(f"{output}: {len(sizes)} of format {kind} and of the size promised", wrong)
    wrong = []
    for output in ("thumb", "large", "marked"):
        for path in sorted((out / "out").glob(f"*_{output}.*")):
            try:
                with Image.open(path) as image:
                    image.load()
            except OSError as error:
                wrong.append(f"{path.name}: {error}")
    avifs = sorted((out / "out").glob("*_small.avif"))
    sound = decoded_by_vips(avifs, work)
    score.judge("every rendition decodes to its end", wrong + [f"{path.name}: vips cannot read it" for path in avifs if path.stem not in sound])
    score.judge("the watermark shows where it belongs", [
        stem for stem in sizes if not watermark_shows(out / f"out/{stem}_large.jpg", out / f"out/{stem}_marked.jpg")])
    print(f"{score.passed} passed, {score.failed} failed")
    return 1 if score.failed else 0


if __name__ == "__main__":
    if len(sys.argv) not in (4, 5):
        sys.exit(__doc__)
    sys.exit(main(*sys.argv[1:]))
