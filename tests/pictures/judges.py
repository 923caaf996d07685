# SPDX-License-Identifier: Apache-2.0
"""What is judged of one output: each function answers with what is wrong, or nothing. None of them asks libvips."""
import dataclasses
import fnmatch
import math
import re

import numpy as np

import colour
import decode
import tools

SHOWN_BY_BROWSERS = ("jpeg", "png", "webp", "gif", "avif")
MARK = np.zeros((12, 20, 4))
MARK[:, :10], MARK[:, 10:] = (1, 0, 1, 1), (0, 1, 0, 128 / 255)


@dataclasses.dataclass
class Output:
    """One output of one source, and all that is promised of it."""
    kind: object             # sources.Kind
    name: str
    promise: dict            # a row of `outputs`
    tolerance: dict          # a row of `tolerances`
    path: object
    told: dict               # what `pixmill apply --json` says of it
    warnings: list           # what plugins logged about the source
    tags: dict               # as exiftool reads it
    source_tags: dict
    seen: list               # of its frames, by ImageMagick: size, and size of the canvas
    source: decode.Picture   # as the judges decode it
    got: decode.Picture = None


def fits(globs, name):
    return any(fnmatch.fnmatchcase(name, glob) for glob in globs.split())


def row_for(rows, kind, output):
    return next(row for row in rows if fits(row.get("kind", "*"), kind) and fits(row.get("output", "*"), output))


# --- what should come out ---

def expected_format(output):
    if output.promise["format"] != "auto":
        return output.promise["format"]
    kind = output.source.kind
    if kind in SHOWN_BY_BROWSERS:
        return kind
    return "png" if output.kind.alpha else "jpeg"


def expected_size(output):
    width, height = output.source.size
    how, value = next(iter(output.promise.get("size", {"same": None}).items()))
    if how in ("cover", "contain", "fill"):
        return tuple(value)
    if how == "scale":
        return round(width * value), round(height * value)
    if how == "width":
        return value, round(height * value / width)
    return width, height


def expected_frame(output, frame):
    """One frame of the source as it should look in the output."""
    how = next(iter(output.promise.get("size", {"same": None})))
    width, height = expected_size(output)
    across, down = frame.shape[1], frame.shape[0]
    if how == "cover":
        factor = max(width / across, height / down)
        left, top = (across - width / factor) / 2, (down - height / factor) / 2
        frame = colour.resize(frame, width, height, (left, top, left + width / factor, top + height / factor))
    elif how == "contain":
        factor = min(width / across, height / down)
        inner = colour.resize(frame, round(across * factor), round(down * factor))
        frame = np.ones((height, width, 4))
        frame[..., :3] = output.promise["background"]
        top, left = (height - inner.shape[0]) // 2, (width - inner.shape[1]) // 2
        # The bars' colour shows through transparent parts only when something flattens them.
        frame[top:top + inner.shape[0], left:left + inner.shape[1]] = inner
    elif how != "same":
        frame = colour.resize(frame, width, height)
    if output.promise.get("marked"):
        frame = marked(frame)
    if expected_format(output) == "jpeg":
        frame = np.concatenate([colour.over(frame, (1, 1, 1)), np.ones(frame.shape[:2] + (1,))], -1)
    if expected_format(output) == "gif":
        frame = np.concatenate([frame[..., :3], np.round(frame[..., 3:])], -1)
    return frame


def marked(frame):
    """The mark over it, 5 pixels from the lower right corner."""
    frame = frame.copy()
    part = frame[-5 - MARK.shape[0]:-5, -5 - MARK.shape[1]:-5]
    alpha = MARK[..., 3:] + part[..., 3:] * (1 - MARK[..., 3:])
    ink = MARK[..., :3] * MARK[..., 3:] + part[..., :3] * part[..., 3:] * (1 - MARK[..., 3:])
    part[...] = np.concatenate([ink / np.maximum(alpha, 1e-9), alpha], -1)
    return frame


# --- judgements: None when all is well ---

def opens(output):
    """Not with Pillow or avifdec alone, which `got` comes from."""
    kind = output.got.kind
    # Of an animation, the frames are patches of a canvas.
    seen = {frame[0 if len(output.got.frames) == 1 else 1] for frame in output.seen}
    if seen != {"%dx%d" % output.got.size}:
        return f"ImageMagick sees {', '.join(sorted(seen)) or 'nothing'}"
    try:
        if kind == "webp" and tools.find("webpinfo"):
            tools.run("webpinfo", "-quiet", output.path)
        if kind == "tiff" and tools.find("tiffinfo"):
            tools.run("tiffinfo", "-D", output.path)
        if kind == "jpeg" and tools.find("djpeg"):
            tools.run("djpeg", "-strict", output.path)
    except tools.Failed as error:
        return str(error)
    return None


def shape(output):
    told = (output.told["format"], (output.told["width"], output.told["height"]))
    want, got = (expected_format(output), expected_size(output)), (output.got.kind, output.got.size)
    if got != want or told != want:
        return f"is {got[0]} {got[1][0]}x{got[1][1]}, told as {told[0]} {told[1][0]}x{told[1][1]}, expected {want[0]} {want[1][0]}x{want[1][1]}"
    return None


def frames_expected(output):
    moving = output.promise.get("moving") and expected_format(output) in ("gif", "webp")
    return output.source.frames if moving else output.source.frames[:1]


def frames(output):
    want, got = len(frames_expected(output)), len(output.got.frames)
    if got != want or output.told["pages"] != want:
        return f"{got} frames, told as {output.told['pages']}, expected {want}"
    if want == 1:
        return None
    if output.got.delays != output.source.delays:
        return f"delays are {output.got.delays}, of the source {output.source.delays}"
    if plays(output.got) != plays(output.source):
        return f"plays {plays(output.got)} times, the source {plays(output.source)} (0: for ever)"
    return None


def plays(picture):
    """GIF counts the repetitions after the first time, and plays once when it says nothing; WebP counts the times."""
    if picture.kind == "webp":
        return picture.loop
    return 1 if picture.loop is None else picture.loop and picture.loop + 1


def pairs(output):
    """Each frame as it should be, and as it is."""
    return [(expected_frame(output, want), got) for want, got in zip(frames_expected(output), output.got.frames)]


def alike(output):
    """Whether frames can be laid over each other."""
    return output.got.size == expected_size(output)


def colours(output):
    worst = None
    for number, (want, got) in enumerate(pairs(output)):
        distance = colour.difference(want, got)
        mean, p99 = float(distance.mean()), float(np.quantile(distance, 0.99))
        if worst is None or mean > worst[0]:
            worst = mean, p99, number
    output.measured = worst
    mean, p99, number = worst
    if mean > output.tolerance["mean"] or p99 > output.tolerance["p99"]:
        return (f"CIEDE2000 is {mean:.2f} on average and {p99:.2f} in 99 % of frame {number}, "
                f"allowed are {output.tolerance['mean']} and {output.tolerance['p99']}: {output.tolerance['why']}")
    return None


def exact(output):
    """Of colours by what of them is seen, unless the output is to keep the others as well."""
    worst = 0
    for want, got in pairs(output):
        if not output.promise.get("hidden"):
            want, got = (np.concatenate([frame[..., :3] * frame[..., 3:], frame[..., 3:]], -1) for frame in (want, got))
        worst = max(worst, float(np.abs(want - got).max()) * 255)
    if worst > output.tolerance["levels"] + 0.01:
        return f"a sample differs by {worst:.1f} of 255, allowed are {output.tolerance['levels']}: {output.tolerance['why']}"
    return None


def alpha(output):
    most = max(float(np.quantile(np.abs(want[..., 3] - got[..., 3]), 0.99)) for want, got in pairs(output)) * 255
    if most > output.tolerance["alpha"] + 0.01:
        return f"alpha differs by {most:.1f} of 255 levels, allowed are {output.tolerance['alpha']}: {output.tolerance['why']}"
    return None


def place(output):
    moved = [colour.shift(want, got) for want, got in pairs(output)]
    right, down = max(moved, key=lambda move: math.hypot(*move))
    if max(abs(right), abs(down)) > output.tolerance["place"]:
        return f"lies {right:+.3f} px to the right and {down:+.3f} px down, allowed are {output.tolerance['place']}"
    return None


def depth(output):
    want = output.promise["bits"]
    if want == "source":
        want = 16 if output.kind.bits > 8 else 8
    if output.got.bits > 8 >= want or output.got.bits <= 8 < want:
        return f"{output.got.bits} bits a sample, expected {want}"
    return None


def neutral(output):
    """Of a picture whose greys are black ink alone: they stay grey."""
    got = output.got.frames[0]
    part = got[int(got.shape[0] * 0.9):, int(got.shape[1] * 0.4):, :3]
    chroma = np.hypot(*np.moveaxis(colour.lab(part)[..., 1:], -1, 0)).mean()
    return f"greys have a chroma of {chroma:.1f}" if chroma > output.tolerance.get("neutral", 3) else None


def deep(output):
    """More than 256 levels come out where more went in: the samples of both, as ImageMagick reads them."""
    levels = len(np.unique(decode.samples(output.path)[..., :3]))
    return None if levels > 400 else f"{levels} different samples in 16 bits"


def profile(output):
    has = any(name.startswith("ICC") for name in output.tags)
    if output.promise["profile"] == "drops":
        return "has a profile" if has else None
    if not output.kind.profile:
        return None
    # The pixels may have been made sRGB, with a word or where the format cannot say more.
    return None if has or expected_format(output) == "gif" else "has lost its profile"


# --- metadata ---

STRUCTURE = re.compile(r"^(File|ExifTool|System|Composite|JFIF|SourceFile|RIFF|VP8|ANIM|GIF|QuickTime|Meta|ItemProp|Track|Movie|APP14|"
                       r"IFD\d?:(Image(Width|Height|Length)|BitsPerSample|Compression|Photometric\w*|Strip\w+|SamplesPerPixel|RowsPerStrip|"
                       r"PlanarConfiguration|Predictor|(X|Y)Resolution|ResolutionUnit|SampleFormat|ExtraSamples|SubfileType|FillOrder|Tile\w+|PageNumber|"
                       r"YCbCr\w+|ColorMap|WhitePoint|PrimaryChromaticities|Orientation)$|PNG:(Image(Width|Height)|BitDepth|ColorType|Compression|Filter|Interlace|"
                       r"Transparency|Palette|BackgroundColor|Gamma|SRGBRendering|SignificantBits|Animation\w+|ProfileName)|PNG-pHYs)")
NEVER_KEPT = re.compile(r"^(IFD1|MakerNotes|XMP-x:XMPToolkit|\w+:(Orientation|ThumbnailImage|PrintIM|(Maker)?(Note)?Unknown\w*)$)")
GROUPS = {"exif": re.compile(r"^(IFD0|ExifIFD|InteropIFD)"), "xmp": re.compile(r"^XMP"), "iptc": re.compile(r"^(IPTC|Photoshop)"),
          "icc": re.compile(r"^ICC"), "gps": re.compile(r"^GPS")}
# Which of these a format has a place for; where it has none, a warning must say so.
HOLDS = {"jpeg": "exif gps xmp iptc icc", "png": "exif gps xmp icc", "webp": "exif gps xmp icc", "avif": "exif gps xmp icc", "tiff": "exif gps xmp iptc icc",
         "gif": ""}


def extra(output, allowed):
    """Tags of the output that are neither structure nor of these groups."""
    return {name: value for name, value in output.tags.items()
            if not STRUCTURE.match(name) and not any(GROUPS[group].match(name) for group in allowed)}


def told(names):
    return ", ".join(f"{name} {str(value)[:40]!r}" for name, value in list(names.items())[:5]) + (" ..." if len(names) > 5 else "")


def metadata(output):
    what = output.promise["metadata"]
    if what in ("none", "profile"):
        more = extra(output, ["icc"] if what == "profile" else [])
        if more:
            return f"is not stripped: {told(more)}"
        data = output.path.read_bytes()
        secrets = [word for word in (b"Secretville", b"secret comment", b"ACME", b"Jane") if word in data]
        return f"holds {secrets[0].decode()}" if secrets else None
    if what in ("exif", "xmp", "iptc"):
        more = extra(output, [what])
        places = [name for name, value in output.tags.items() if "GPS" in name or "City" in name or value == "Secretville"]
        return f"keeps more than {what}: {told(more) or places[0]}" if more or places else lost(output, [what])
    return lost(output, ["exif", "gps", "xmp", "iptc"])


def lost(output, groups):
    """Tags of the source that are missing or different, unless a warning names their kind."""
    held = HOLDS[output.got.kind].split()
    said = " ".join(line for line in output.warnings if f" in {output.got.kind} " in line).lower()
    gone = {}
    for name, value in output.source_tags.items():
        group = next((group for group in groups if GROUPS[group].match(name)), None)
        place_of = "GPS" in name or value == "Secretville"
        if group is None or NEVER_KEPT.match(name) or (place_of and "gps" not in groups):
            continue
        if "tiff" in (output.source.kind, output.got.kind) and STRUCTURE.match(name):
            continue
        if output.tags.get(name) == value or (group if group != "gps" else "exif") in said:
            continue
        gone[name] = output.tags.get(name, "nothing") if group in held else f"nothing, and no warning says that {output.got.kind} holds no {group}"
    return f"{len(gone)} tags differ from the source's: {told(gone)}" if gone else None


def upright(output):
    value = next((value for name, value in output.tags.items() if name.split(":")[-1] == "Orientation"), 1)
    return None if value in (1, "1") else f"tells orientation {value} though its pixels are upright"
