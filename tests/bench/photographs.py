# SPDX-License-Identifier: Apache-2.0
"""Real photographs for the benchmark: of Debian's wallpaper packages, fetched and unpacked aside; the system is not changed.

What is measured depends on what is in a picture: noise and gradients are coded in other lengths than leaves and faces. By turns from every
folder, the most detailed first (bytes a pixel); drawings and gradients, which have little, are left out.
"""
import pathlib
import shutil
import subprocess

from PIL import Image, ImageOps

PACKAGES = ("gnome-backgrounds", "plasma-workspace-wallpapers")
SIZES = {"6M": (2725, 2225), "12M": (4000, 3000)}
QUALITY = 90
COUNT = 6
LEAST = 0.10  # bytes a pixel of the JPEG; a gradient has a tenth of that


def fetch(folder):
    """Unpacks the packages below folder. False where they cannot be had."""
    if not shutil.which("apt-get") or not shutil.which("dpkg-deb"):
        return False
    for package in PACKAGES:
        subprocess.run(["apt-get", "download", "-qq", package], cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for deb in folder.glob(f"{package}_*.deb"):
            subprocess.run(["dpkg-deb", "-x", str(deb), str(folder / "files")], check=True)
            deb.unlink()
    return (folder / "files").is_dir()


def candidates(folder):
    groups = {}
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() not in (".jpg", ".jpeg", ".png", ".webp") or path.is_symlink() or not path.is_file():
            continue
        try:
            with Image.open(path) as image:
                width, height = image.size
        except OSError:
            continue
        if width >= 1920 and height >= 1080:
            groups.setdefault(path.parent.parent, []).append((path.stat().st_size / (width * height), path))
    for group in groups.values():
        group.sort(reverse=True)
    while any(groups.values()):
        for group in groups.values():
            if group:
                yield group.pop(0)[1]


def pick(source, target, size):
    exif = Image.Exif()
    exif[0x010E], exif[0x013B] = "A wallpaper", "Its photographer"  # something to remove
    made = []
    for path in candidates(source):
        if len(made) == COUNT:
            break
        out = target / f"photo{len(made)}.jpg"
        with Image.open(path) as image:
            ImageOps.fit(image.convert("RGB"), size, Image.Resampling.LANCZOS).save(out, "JPEG", quality=QUALITY, exif=exif)
        if out.stat().st_size >= LEAST * size[0] * size[1]:
            made.append(out)
        else:
            out.unlink()
    return made


def photographs(cache, name):
    """JPEGs of SIZES[name], made once into the cache; an empty list where there are none."""
    folder = pathlib.Path(cache) / "bench-photographs"
    target = folder / name
    if not (target / "complete").exists():
        target.mkdir(parents=True, exist_ok=True)
        if not (folder / "files").is_dir() and not fetch(folder):
            return []
        if len(pick(folder / "files", target, SIZES[name])) < COUNT:
            return []
        (target / "complete").touch()
    return sorted(target.glob("photo*.jpg"))
