# SPDX-License-Identifier: Apache-2.0
"""The programs that write sources and judge results. None of them is libvips."""
import functools
import json
import os
import pathlib
import re
import shutil
import subprocess

# By several names: ImageMagick 7 has one program, Debian's ImageMagick 6 a name of its own beside `convert`.
NAMES = {"convert": [["magick"], ["convert-im6.q16"], ["convert"]],
         "identify": [["magick", "identify"], ["identify-im6.q16"], ["identify"]],
         "heif-convert": [["heif-convert"], ["heif-dec"]]}
PROGRAMS = ("convert", "identify", "exiftool", "cwebp", "webpmux", "webpinfo", "img2webp", "gif2webp", "avifenc", "avifdec", "heif-enc",
            "heif-convert", "tiffcp", "tiffinfo", "cjpeg", "djpeg", "jpegtran", "cjxl", "djxl")
SHARP = "sharp@0.33.5"  # a library of npm's, which brings a libvips of its own
HERE = pathlib.Path(__file__).resolve().parent


class Failed(Exception):
    """A program ended with an error: what it was and what it said."""


def sharp():
    """The command that writes with sharp, which npm fetches once into a cache of the user's; None where it cannot be had."""
    if not shutil.which("node") or not shutil.which("npm") or not os.environ.get("HOME"):
        return None
    folder = pathlib.Path(os.environ["HOME"], ".cache", "pixmill", "tests", SHARP)
    if not (folder / "complete").exists():
        folder.mkdir(parents=True, exist_ok=True)
        try:
            subprocess.run(["npm", "install", "--no-audit", "--no-fund", "--no-update-notifier", "--prefer-offline", "--fetch-retries=0",
                            "--loglevel=error", "--prefix", folder, SHARP], check=True, capture_output=True, timeout=150)
            (folder / "complete").touch()
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired):
            return None
    command = ["env", f"NODE_PATH={folder / 'node_modules'}", "node", str(HERE / "write_with_sharp.js")]
    tried = subprocess.run([*command[:3], "-e", "require('sharp')"], capture_output=True, check=False, timeout=60)
    return command if tried.returncode == 0 else None


@functools.cache
def find(name):
    if name == "sharp":
        return sharp()
    if name.startswith("/"):  # a file that a maker reads
        return [name] if pathlib.Path(name).exists() else None
    return next((words for words in NAMES.get(name, [[name]]) if shutil.which(words[0])), None)


def lacking(names):
    return [name for name in names if find(name) is None]


def run(name, *words, data=None, codes=(0,)):
    """Standard output, as bytes."""
    command = [*find(name), *map(str, words)]
    done = subprocess.run(command, input=data, stdin=None if data else subprocess.DEVNULL, capture_output=True, check=False, timeout=120)
    if done.returncode not in codes:
        said = (done.stderr or done.stdout).decode(errors="replace").strip().splitlines()
        raise Failed(f"{name} ends with {done.returncode}: {' '.join(said[-2:])[:200]}")
    return done.stdout


def exiftool(files):
    """Every tag of every file with its group, values as they are stored: {path: {"IFD0:Make": ...}}."""
    if not files:
        return {}
    listing = "\n".join(["-j", "-n", "-b", "-a", "-G1", "-struct", "-api", "largefilesupport=1", *map(str, files)])
    text = run("exiftool", "-@", "-", data=listing.encode(), codes=(0, 1))
    return {entry.pop("SourceFile"): entry for entry in json.loads(text or b"[]")}


def imagemagick(files):
    """What ImageMagick decodes: {path: [(size, size of the canvas) of each frame]}. The signature makes it read the pixels."""
    seen = {}
    for at in range(0, len(files), 100):  # of a file that it cannot read it says nothing
        lines = run("identify", "-quiet", "-format", "%i\t%wx%h\t%Wx%H\t%#\n", *files[at:at + 100], codes=range(256)).decode().splitlines()
        for path, size, canvas, _ in (line.split("\t") for line in lines):
            seen.setdefault(path, []).append((size, canvas))
    return seen


def avif_info(path):
    """What avifdec tells: {"Bit Depth": "10", "Format": "YUV444", "Alpha": "Absent", ...}."""
    text = run("avifdec", "--info", path).decode(errors="replace")
    return dict(re.findall(r"^ \* (\w[^:]*?)\s*: (.*)$", text, re.MULTILINE))


def webp_frames(path):
    """Delays in ms and the loop count, by webpmux; none for a still."""
    text = run("webpmux", "-info", path).decode(errors="replace")
    loop = re.search(r"Loop Count\s*:\s*(\d+)", text)
    rows = re.findall(r"^\s*\d+:\s+\d+\s+\d+\s+\S+\s+\d+\s+\d+\s+(\d+)\s", text, re.MULTILINE)
    return [int(delay) for delay in rows], int(loop[1]) if loop else None
