#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""pillow.py RULE OUT SIZE[,SIZE...] FILE...: the same renditions by Pillow, sharing one decode, drafted as far as RULE allows."""
import os
import sys

from PIL import Image, ImageOps


def main(rule, out, sizes, files):
    times = 1 if rule == "fast" else 2
    sizes = [(int(size.split("x")[0]), "x" in size) for size in sizes.split(",")]
    for file in files:
        with Image.open(file) as image:
            longer = max(image.size) / min(image.size)
            need = times * max(side * (longer if cover else 1) for side, cover in sizes)
            image.draft("RGB", (int(need * image.width / max(image.size)), int(need * image.height / max(image.size))))
            for side, cover in sizes:
                if cover:
                    small = ImageOps.fit(image, (side, side), Image.Resampling.LANCZOS)
                else:
                    small = image.copy()
                    small.thumbnail((side, side), Image.Resampling.LANCZOS, reducing_gap=2.0)
                small.save(f"{out}/{os.path.basename(file)}_{side}.jpg", "JPEG", quality=80)


main(sys.argv[1], sys.argv[2], sys.argv[3], sys.argv[4:])
