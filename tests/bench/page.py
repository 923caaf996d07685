# SPDX-License-Identifier: Apache-2.0
"""What bench.py measured, as Markdown and as a chart: printed, and written into docs/performance.md between two marks."""
import pathlib

from PIL import Image, ImageDraw, ImageFont

BEGIN, END = "<!-- tests/bench/run.sh --write: from here -->", "<!-- to here -->"
FONT = "/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf"


def about(machine):
    others = [f"{name} {machine[key]}" for name, key in (("sharp", "sharp"), ("Pillow", "pillow"), ("ImageMagick", "imagemagick")) if machine[key]]
    kind = "real photographs of Debian's wallpaper packages, 2725x2225 px, JPEG of quality 90" if machine["real"] else "made-up pictures"
    low, high = machine["load"]
    return (f"{machine['pixmill']}; {machine['vips']}; {', '.join(others)}; {machine['system']}; {machine['cores']} cores of {machine['cpu']}. "
            f"{machine['photographs']} {kind}. The machine had other work (load {low:.1f} to {high:.1f}), so only processor time is told, "
            f"and what counts is the ratio within the run. SSIM is of the pixels before encoding, over {machine['ssim_photographs']} of the pictures, in grey; "
            "MiB is the proportional set of all processes at the worst moment.")


def number(value, form):
    return "–" if value is None else format(value, form)


def table(row, wall=False):
    base = row["ratio_to"]
    head, line = f"| | CPU ms | to {base} |", "|---|---|---|"
    if wall:
        head, line = head + " wall ms |", line + "---|"
    rounds = f"{row['rounds']} round" + ("s" if row["rounds"] > 1 else "")
    rows = [f"{row['title']}, {rounds}" + (f", {row['at_once']} at a time" if row["at_once"] > 1 else ""), "",
            head + " MiB | SSIM, mean | worst |", line + "---|---|---|"]
    for label, got in row["contenders"].items():
        mean, worst = got["ssim"] or (None, None)
        rows.append(f"| {label} | {got['cpu']:.1f} | {got['ratio']:.2f} | " + (f"{got['wall']:.1f} | " if wall else "")
                    + f"{number(got['mib'], '.0f')} | {number(mean, '.4f')} | {number(worst, '.4f')} |")
    return "\n".join(rows)


def tables(results, wall=False):
    return about(results["machine"]) + "\n\n" + "\n\n".join(table(row, wall) for row in results["rows"]) + "\n"


def builds(row):
    """The names that pixmill has in a row: with the system's libvips, and with the prebuilt one where that took part."""
    return [name for name in ("pixmill", "pixmill, prebuilt libvips") if f"{name}, fast" in row["contenders"]]


def checks(results):
    """(what, target, measured, whether it is met) of every target that the run can tell of."""
    for row in results["rows"]:
        got, at_once = row["contenders"], row["at_once"]
        if at_once > 1:
            continue
        for name in builds(row):
            fast, balanced = got[f"{name}, fast"], got.get(f"{name}, balanced", {"ssim": None})
            share = {"one": 0.97, "five": 0.42, "strip": 0.10}.get(row["name"])
            if "sharp" in got and share is not None:
                yield f"{row['title']}: {name}, CPU to sharp", f"≤ {share:.2f}", f"{fast['ratio']:.2f}", fast["ratio"] <= share
            if row["name"] in ("one", "five", "eight") and balanced["ssim"]:
                yield f"{row['title']}: {name}, balanced, SSIM of the worst", "≥ 0.998", f"{balanced['ssim'][1]:.4f}", balanced["ssim"][1] >= 0.998
            if row["name"] in ("one", "five", "eight", "cover") and fast["ssim"] and got.get("sharp", {}).get("ssim"):
                mine, others = fast["ssim"][0], got["sharp"]["ssim"][0]
                yield f"{row['title']}: {name}, fast, mean SSIM", f"≥ sharp's {others:.4f}", f"{mine:.4f}", mine >= others - 0.00005
        limit = {"one": 1.03, "five": 1.05}.get(row["name"])
        mine, bare = got.get("pixmill, PIXMILL_ENGINE=vips, balanced"), got.get("bare C, balanced")
        if limit and mine and bare:
            ratio = mine["ratio"] / bare["ratio"]
            yield f"{row['title']}: libvips alone, to the bare program, balanced", f"≤ {limit:.2f}", f"{ratio:.2f}", ratio <= limit


def targets(results):
    rows = ["| | target | measured | |", "|---|---|---|---|"]
    rows += [f"| {what} | {target} | {measured} | {'met' if met else 'missed'} |" for what, target, measured, met in checks(results)]
    return "\n".join(rows) + "\n" if len(rows) > 2 else ""


def chart(results, path):
    """Bars of processor time to sharp's, or whatever the rows are compared with, one group a job."""
    bars = []
    for row in results["rows"]:
        bars.append((f"{row['title']} ({row['ratio_to']} = 1)", None))
        bars += [(label, got["ratio"]) for label, got in row["contenders"].items()]
    most, height, left, room = min(3.0, max(ratio for _, ratio in bars if ratio)), 20, 310, 520
    picture = Image.new("RGB", (left + room + 80, len(bars) * height + 20), "white")
    draw = ImageDraw.Draw(picture)
    font = ImageFont.truetype(FONT, 13) if pathlib.Path(FONT).exists() else ImageFont.load_default()
    y = 10
    for label, ratio in bars:
        if ratio is None:
            draw.text((10, y + 2), label, fill="black", font=font)
        else:
            end = left + int(min(ratio, most) / most * room)
            draw.text((24, y + 2), label, fill="#404040", font=font)
            draw.rectangle((left, y + 3, max(end, left + 1), y + height - 4), fill="#2060a0" if label.startswith("pixmill") else "#a0a8b0")
            draw.text((end + 6, y + 2), f"{ratio:.2f}", fill="#404040", font=font)
        y += height
    one = left + int(room / most)
    draw.line((one, 10, one, y), fill="#c04040")
    path.parent.mkdir(parents=True, exist_ok=True)
    picture.save(path, optimize=True)


def write(results, docs):
    path = docs / "performance.md"
    text = path.read_text(encoding="utf-8")
    before, rest = text.split(BEGIN)
    after = rest.split(END)[1]
    chart(results, docs / "img" / "bench.png")
    parts = [BEGIN, "", tables(results), "### Targets", "", targets(results), "![Processor time of each contender](img/bench.png)", "", END]
    path.write_text(before + "\n".join(parts) + after, encoding="utf-8")
