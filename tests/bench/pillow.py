#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""pillow.py RULE EXT OUT SIZE[,SIZE...] FILE...: the same renditions by Pillow, sharing one decode; RULE draft lets the decoder shrink to
twice the size, all decodes all."""
import os
import sys

from PIL import Image, ImageOps

SAVE = {"jpg": ("JPEG", {"quality": 80}), "webp": ("WEBP", {"quality": 80}), "png": ("PNG", {"compress_level": 1})}


def main(rule, ext, out, sizes, files):
    sizes = [(int(size.split("x")[0]), "x" in size) for size in sizes.split(",")]
    name, settings = SAVE[ext]
    for file in files:
        with Image.open(file) as image:
            longer = max(image.size) / min(image.size)
            need = 2 * max(side * (longer if cover else 1) for side, cover in sizes)
            if rule == "draft":
                image.draft("RGB", (int(need * image.width / max(image.size)), int(need * image.height / max(image.size))))
            image.load()
            for side, cover in sizes:
                if cover:
                    small = ImageOps.fit(image, (side, side), Image.Resampling.LANCZOS)
                else:
                    small = image.copy()
                    small.thumbnail((side, side), Image.Resampling.LANCZOS, reducing_gap=2.0 if rule == "draft" else None)
                small.save(f"{out}/{os.path.basename(file)}_{side}.{ext}", name, **settings)


main(sys.argv[1], sys.argv[2], sys.argv[3], sys.argv[4], sys.argv[5:])
