# SPDX-License-Identifier: Apache-2.0
"""The ways to the same renditions that bench.py times, and the jobs that they are given.

A contender is a function from a Task to commands that run one after the other, or to None where it cannot do that job.
"""
import dataclasses
import os
import pathlib
import shutil
import subprocess

HERE = pathlib.Path(__file__).resolve().parent
SHARP = "0.35.5"  # the newest that node 20 runs; as in cold/package.json


@dataclasses.dataclass
class Job:
    title: str
    sizes: str  # largest first; 300x300: cut to that shape; empty: as it is
    kind: str = "jpeg"  # or webp, watermark, strip
    photo: str = "6M"


JOBS = {
    "one": Job("one rendition, 720 px", "720"),
    "cover": Job("one rendition, 300x300 cover", "300x300"),
    "five": Job("five renditions, 2048 to 160 px", "2048,1280,640,320,160"),
    "eight": Job("eight renditions, 2048 to 160 px", "2048,1600,1280,960,640,480,320,160"),
    "watermark": Job("1280 px with a picture put on it", "1280", "watermark"),
    "webp": Job("to WebP, 1280 px", "1280", "webp"),
    "strip": Job("metadata removed, nothing else", "", "strip"),
    "five12": Job("five renditions of 12 Mpx", "2048,1280,640,320,160", photo="12M"),
}


@dataclasses.dataclass
class Task:
    job: Job
    at_once: int
    files: list
    out: pathlib.Path
    mark: str  # the picture that is put on
    lossless: bool = False  # write PNG: the pixels before they are encoded, to compare them

    def boxes(self):
        """(side, whether the shape is cut) of every rendition."""
        return [(int(size.split("x")[0]), "x" in size) for size in self.job.sizes.split(",") if size]

    def ext(self):
        return "png" if self.lossless else "webp" if self.job.kind == "webp" else "jpg"


PIPELINE = """\
version: 1
trigger: {{ directory: {{ path: in }} }}
workers: {at_once}
outputs:
"""
OUTPUT = """\
  s{side}:
    steps: [ {steps} ]
    to: {{ file: {{ path: "{{name}}_{side}.{{ext}}" }} }}
"""


def pixmill(build, rule, engine=None):
    def commands(task):
        text = PIPELINE.format(at_once=task.at_once)
        encode = {"png": "format: png, effort: 1", "webp": "format: webp, quality: 80", "jpg": "format: jpeg, quality: 80"}[task.ext()]
        if task.job.kind == "strip":
            text += OUTPUT.format(side=0, steps="{ strip-metadata: {} }, { convert: { format: jpeg } }")
        for side, cover in task.boxes():
            fit = "cover" if cover else "inside"
            steps = f"{{ resize: {{ width: {side}, height: {side}, fit: {fit}, quality: {rule} }} }}, "
            if task.job.kind == "watermark":
                steps += f'{{ watermark: {{ image: "{task.mark}", scale: 0, margin: 0 }} }}, '
            text += OUTPUT.format(side=side, steps=f"{steps}{{ convert: {{ {encode} }} }}")
        pipeline = task.out.parent / f"{task.out.name}.yaml"
        pipeline.write_text(text, encoding="utf-8")
        first = ["env", f"PIXMILL_ENGINE={engine}"] if engine else []
        return [[*first, f"{build}/bin/pixmill", "apply", str(pipeline), *task.files, "--out", str(task.out), "--json", "--log-level", "error"]]
    return commands


def bare(build, rule):
    program = f"{build}/tests/bench/bench_bare"

    def commands(task):
        if task.job.kind != "jpeg" or task.lossless or not os.path.exists(program):
            return None
        return [[program, str(task.at_once), rule, str(task.out), task.job.sizes, *task.files]]
    return commands


def vipsthumbnail(task):
    if task.at_once > 1 or task.job.kind not in ("jpeg", "webp") or not shutil.which("vipsthumbnail"):
        return None
    options = "compression=1" if task.lossless else "Q=80"
    return [["vipsthumbnail", "--vips-concurrency=1", "--size", f"{side}x{side}", *(["--smartcrop", "centre"] if cover else []),
             "-o", f"{task.out}/%s.jpg_{side}.{task.ext()}[{options}]", *task.files] for side, cover in task.boxes()]


def pillow(rule):
    def commands(task):
        if task.at_once > 1 or task.job.kind not in ("jpeg", "webp"):
            return None
        return [["/usr/bin/python3", str(HERE / "pillow.py"), rule, task.ext(), str(task.out), task.job.sizes, *task.files]]
    return commands


def imagemagick(program):
    def commands(task):
        if task.at_once > 1 or task.job.kind not in ("jpeg", "webp"):
            return None
        result = []
        for file in task.files:
            first, cover = task.boxes()[0]
            hint = 2 * first * (2 if cover else 1)
            command = [program, "-limit", "thread", "1", "-define", f"jpeg:size={hint}x{hint}", file, "-quality", "10" if task.lossless else "80"]
            for side, cover in task.boxes():
                box = ["-thumbnail", f"{side}x{side}^", "-gravity", "center", "-extent", f"{side}x{side}"] if cover else [
                    "-thumbnail", f"{side}x{side}"]
                command += ["(", "+clone", *box, "-write", f"{task.out}/{os.path.basename(file)}_{side}.{task.ext()}", "+delete", ")"]
            result.append([*command, "null:"])
        return result
    return commands


def sharp(folder):
    def commands(task):
        if task.at_once > 1:
            return None
        return [["node", str(HERE / "sharp.cjs"), str(folder), task.job.kind, task.ext(), task.mark, str(task.out), task.job.sizes, *task.files]]
    return commands


def sharp_folder():
    """Where sharp is installed, by npm once into the cache; None, with a word, where it cannot be had."""
    if os.environ.get("SHARP"):
        return pathlib.Path(os.environ["SHARP"])
    if not shutil.which("npm") or not shutil.which("node"):
        print("sharp is left out: npm or node is missing")
        return None
    folder = cache() / f"bench-sharp-{SHARP}"
    if not (folder / "node_modules/sharp").is_dir():
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "package.json").write_text(f'{{"private": true, "dependencies": {{"sharp": "{SHARP}"}}}}\n', encoding="utf-8")
        done = subprocess.run(["npm", "install", "--no-audit", "--no-fund", "--loglevel=error", "--no-package-lock"], cwd=folder, stdout=subprocess.DEVNULL)
        if done.returncode != 0:
            print("sharp is left out: npm cannot install it")
            return None
    return folder


def cache():
    return pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "pixmill"


def genuine_imagemagick():
    """`magick` or `convert`, if it is ImageMagick's."""
    for name in filter(None, (os.environ.get("IMAGEMAGICK"), "magick", "convert")):
        program = shutil.which(name)
        with open(program, "rb") if program else open(os.devnull, "rb") as file:
            if file.read(4) == b"\x7fELF":
                return program
    return None


def everyone(build, bundle, registries):
    """Label to function, those that are there. Without registries nothing is fetched."""
    result = {}
    for rule in ("fast", "balanced"):
        result[f"pixmill, {rule}"] = pixmill(build, rule)
    for rule in ("fast", "balanced") if bundle else ():
        result[f"pixmill, prebuilt libvips, {rule}"] = pixmill(bundle, rule)
    for rule in ("fast", "balanced"):
        result[f"pixmill, PIXMILL_ENGINE=vips, {rule}"] = pixmill(build, rule, "vips")
    for rule in ("fast", "balanced"):
        result[f"bare C, {rule}"] = bare(build, rule)
    folder = sharp_folder() if registries else None
    if folder:
        result["sharp"] = sharp(folder)
    result["vipsthumbnail"] = vipsthumbnail
    result["Pillow"] = pillow("all")
    result["Pillow, draft()"] = pillow("draft")
    if genuine_imagemagick():
        result["ImageMagick"] = imagemagick(genuine_imagemagick())
    return result
