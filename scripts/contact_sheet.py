#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""contact_sheet.py IN OUT RESULTS SHEET: a summary table on standard output, and one PNG of inputs and renditions.

RESULTS is what `pixmill run --once --json` printed: one JSON object a line.
"""
import json
import os
import sys

from PIL import Image, ImageDraw, ImageFont

CELL, LABEL, GAP = 200, 34, 10


def font(size):
    try:
        return ImageFont.truetype("/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf", size)
    except OSError:
        return ImageFont.load_default()


def checkerboard(size):
    board = Image.new("RGB", size, (255, 255, 255))
    draw = ImageDraw.Draw(board)
    for y in range(0, size[1], 10):
        for x in range(y // 10 % 2 * 10, size[0], 20):
            draw.rectangle([x, y, x + 9, y + 9], fill=(218, 218, 218))
    return board


def human(size):
    return f"{size / 1024:.0f} KiB" if size < 1024 * 1024 else f"{size / 1024 / 1024:.1f} MiB"


def cell(path, title, note):
    tile = Image.new("RGB", (CELL, CELL + LABEL), (250, 250, 250))
    draw = ImageDraw.Draw(tile)
    try:
        with Image.open(path) as picture:
            picture.load()
            if picture.mode.startswith("I;16") or picture.mode == "I":
                picture = picture.point(lambda v: v / 256).convert("L")
            picture = picture.convert("RGBA")
            picture.thumbnail((CELL - 8, CELL - 8))
            back = checkerboard(picture.size)
            back.paste(picture, (0, 0), picture)
            tile.paste(back, ((CELL - back.width) // 2, (CELL - back.height) // 2))
    except Exception as error:  # an input that is broken on purpose
        draw.text((10, CELL // 2 - 10), f"not readable:\n{str(error)[:26]}", fill=(170, 30, 30), font=font(12))
    draw.text((4, CELL), title[:30], fill=(0, 0, 0), font=font(12))
    draw.text((4, CELL + 16), note[:34], fill=(110, 110, 110), font=font(11))
    return tile


def main(source, out, results, sheet):
    rows, table = [], []
    with open(results, encoding="utf-8") as lines:
        jobs = [json.loads(line) for line in lines if line.startswith("{")]
    for job in sorted(jobs, key=lambda j: j["source"]):
        name, status = job["source"], job["status"]
        found = next((p for p in (os.path.join(source, d, name) for d in ("", "done", "failed", "quarantine")) if os.path.exists(p)), None)
        outputs = [o for o in job.get("outputs", []) if o.get("location") and o["output"] != "quarantine"]
        row = [cell(found, name, human(job["source_size"]))]
        for o in outputs:
            note = f"{o['width']}x{o['height']} {o['format']} {human(o['size'])}"
            row.append(cell(o["location"], o["output"], note + (f" x{o['pages']}" if o["pages"] > 1 else "")))
            table.append((name if o is outputs[0] else "", status if o is outputs[0] else "", o["output"], note))
        if not outputs:
            table.append((name, status, "", job.get("error", {}).get("message", job.get("skipped", ""))))
        rows.append(row)
    print(f"{'input':<24} {'status':<10} {'output':<8} result")
    for line in table:
        print(f"{line[0]:<24} {line[1]:<10} {line[2]:<8} {line[3]}")
    if not rows:
        sys.exit("nothing was processed")
    width = max(len(r) for r in rows)
    page = Image.new("RGB", (width * (CELL + GAP) + GAP, len(rows) * (CELL + LABEL + GAP) + GAP), (255, 255, 255))
    for y, row in enumerate(rows):
        for x, tile in enumerate(row):
            page.paste(tile, (GAP + x * (CELL + GAP), GAP + y * (CELL + LABEL + GAP)))
    page.save(sheet)


if __name__ == "__main__":
    main(*sys.argv[1:5])
