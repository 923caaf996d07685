# SPDX-License-Identifier: Apache-2.0
"""What the runner knows of pictures and JSON: recipes of its own, references computed apart from pixmill, judgements."""
import fnmatch
import io
import json
import pathlib
import re
import shutil
import struct
import subprocess
import tempfile
import warnings
import zlib

import numpy as np
from PIL import Image, ImageSequence, PngImagePlugin

import colour_recipes
import heic_recipes
import make

Image.MAX_IMAGE_PIXELS = None
RESAMPLE = {"lanczos": Image.Resampling.LANCZOS, "box": Image.Resampling.BOX, "bicubic": Image.Resampling.BICUBIC, "bilinear": Image.Resampling.BILINEAR, "nearest": Image.Resampling.NEAREST}


def vips(*words):
    subprocess.run(["vips", *map(str, words)], check=True, capture_output=True, timeout=60)


def can_write_avif():
    if shutil.which("vips") is None:
        return False
    with tempfile.TemporaryDirectory() as folder:
        try:
            make.flat(f"{folder}/a.png", 64, 64)
            vips("copy", f"{folder}/a.png", f"{folder}/a.avif")
        except subprocess.CalledProcessError:
            return False
    return True


LACKING = {tool for tool in ("exiftool", "vips", "avifenc") if shutil.which(tool) is None} | (set() if can_write_avif() else {"avif"}) | \
    (set() if heic_recipes.can_write() else {"heic"})


# --- recipes that the samples do not have ---

def avif(out, **parameters):
    """By the vips program: Pillow cannot, on Debian."""
    make.make("photo", out + ".jpg", **parameters)
    vips("copy", out + ".jpg", out + "[Q=80]")
    pathlib.Path(out + ".jpg").unlink()


def png(out, width=300, height=200, seed=1, **_):
    make.image(width, height, seed).save(out, "PNG")


def quarters(out, width=300, height=200, **_):
    """Red, green over blue, white: what went where can be told from single pixels. The format is that of `out`'s ending."""
    width, height = int(width), int(height)
    image = Image.new("RGB", (width, height), "white")
    image.paste("red", (0, 0, width // 2, height // 2))
    image.paste((0, 255, 0), (width // 2, 0, width, height // 2))
    image.paste("blue", (0, height // 2, width // 2, height))
    image.save(out, **({"quality": 95, "subsampling": 0} if out.endswith("jpg") else {}))


# Bombs: small files that ask for much. Made here, byte by byte.

def riff(chunks):
    body = b"WEBP" + b"".join(name + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2) for name, data in chunks)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def webp_frames(out, count=20000, **_):
    """The same 16x16 frame, `count` times."""
    still = io.BytesIO()
    Image.new("RGB", (16, 16), (200, 10, 10)).save(still, "WEBP", lossless=True)
    data = still.getvalue()
    size = struct.unpack("<I", data[16:20])[0]
    picture = data[12:20 + size + size % 2]
    frame = bytes(6) + struct.pack("<I", 15)[:3] * 2 + struct.pack("<I", 40)[:3] + b"\0" + picture
    canvas = struct.pack("<I", 2) + struct.pack("<I", 15)[:3] * 2
    pathlib.Path(out).write_bytes(riff([(b"VP8X", canvas), (b"ANIM", bytes(6))] + [(b"ANMF", frame)] * int(count)))


def tiff_pages(out, count=100000, **_):
    """A grey pixel that `count` directories share."""
    tags = [(256, 3, 1, 1), (257, 3, 1, 1), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 1), (273, 4, 1, 8), (277, 3, 1, 1),
            (278, 3, 1, 1), (279, 4, 1, 1)]
    entries = struct.pack("<H", len(tags)) + b"".join(struct.pack("<HHII", *tag) for tag in tags)
    whole = bytearray(b"II*\0" + struct.pack("<I", 12) + bytes(4))
    for i in range(int(count)):
        after = len(whole) + len(entries) + 4
        whole += entries + struct.pack("<I", after if i + 1 < int(count) else 0)
    pathlib.Path(out).write_bytes(whole)


def iptc(out, **_):
    """A by-line, a city and a copyright, as the format of the ending keeps IPTC; an odd number of bytes."""
    records = b"".join(struct.pack(">BBBH", 0x1c, 2, number, len(text)) + text for number, text in
                       [(80, b"Jane Doe"), (90, b"Paris"), (116, b"(c) Jane")])
    picture = make.image(64, 48, 3)
    if out.endswith("tif"):
        colour_recipes.write_tiff(out, np.asarray(picture), 2, 8, (33723, [*records], "B"))
        return
    resource = b"Photoshop 3.0\0" + b"8BIM" + struct.pack(">HHL", 0x0404, 0, len(records)) + records + b"\0" * (len(records) % 2)
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=90)
    data = buffer.getvalue()
    pathlib.Path(out).write_bytes(data[:2] + b"\xff\xed" + struct.pack(">H", len(resource) + 2) + resource + data[2:])


def tiff_compressed(out, scheme=34712, **_):
    """A grey pixel that is said to be compressed by `scheme`."""
    tags = [(256, 3, 1, 1), (257, 3, 1, 1), (258, 3, 1, 8), (259, 3, 1, int(scheme)), (262, 3, 1, 1), (273, 4, 1, 8), (277, 3, 1, 1),
            (278, 3, 1, 1), (279, 4, 1, 4)]
    entries = struct.pack("<H", len(tags)) + b"".join(struct.pack("<HHII", *tag) for tag in tags)
    pathlib.Path(out).write_bytes(b"II*\0" + struct.pack("<I", 12) + bytes(4) + entries + bytes(4))


def tiff_spoilt(out, compression="tiff_lzw", width=300, height=300, **_):
    """Its directory is whole, and so is the first third of its strips."""
    grey = np.random.default_rng(7).normal(128, 50, (int(height), int(width)))  # the same each time: not all damage breaks deflate's code
    Image.fromarray(grey.clip(0, 255).astype(np.uint8)).save(out, "TIFF", compression=compression)
    data = bytearray(pathlib.Path(out).read_bytes())
    middle = len(data) // 2
    data[middle : middle + 4000] = bytes(4000)
    pathlib.Path(out).write_bytes(data)


def png_chunk(out, kind="zTXt", mib=300, count=1, after=False, **_):
    """8x8 pixels and `count` chunks of zeros, each `mib` MiB when inflated."""
    def chunk(name, data):
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
    pump, zeros = zlib.compressobj(9), bytes(1 << 20)
    squeezed = b"".join(pump.compress(zeros) for _ in range(int(mib))) + pump.flush()
    head = {"iCCP": b"x\0\0", "zTXt": b"x\0\0", "iTXt": b"x\0\1\0\0\0"}[kind]
    extra = chunk(kind.encode(), head + squeezed) * int(count)
    pixels = chunk(b"IDAT", zlib.compress((b"\0" + b"\x10\x20\x30" * 8) * 8))
    pathlib.Path(out).write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 8, 8, 8, 2, 0, 0, 0)) +
                                  (pixels + extra if after else extra + pixels) + chunk(b"IEND", b""))


def moving_webp(out, width=440, height=440, count=256, **_):
    """A red bar that sinks: each frame another."""
    frames = []
    for i in range(int(count)):
        frame = Image.new("RGB", (int(width), int(height)), (i % 256, 255 - i % 256, 80))
        frame.paste("red", (0, i, int(width), i + 20))
        frames.append(frame)
    frames[0].save(out, "WEBP", save_all=True, append_images=frames[1:], duration=40, method=0, quality=30)


def svg_text(out, **_):
    pathlib.Path(out).write_text('<svg xmlns="http://www.w3.org/2000/svg" width="420" height="100"><rect width="420" height="100" fill="white"/>'
                                 '<text x="10" y="70" font-family="DejaVu Sans" font-size="60">Letters, Wg</text></svg>')


def svg_text_rendered(out, **_):
    """By the vips program, which reads any font it likes."""
    svg_text(out + ".svg")
    vips("copy", out + ".svg", out)
    pathlib.Path(out + ".svg").unlink()


def turned_webp(out, width=300, height=100, orientation=6, count=3, **_):
    """Quarters that are stored as EXIF orientation says, with another colour at the lower right of each frame."""
    ways = {2: "FLIP_LEFT_RIGHT", 3: "ROTATE_180", 4: "FLIP_TOP_BOTTOM", 5: "TRANSPOSE", 6: "ROTATE_90", 7: "TRANSVERSE", 8: "ROTATE_270"}
    width, height, frames, exif = int(width), int(height), [], Image.Exif()
    for i in range(int(count)):
        image = Image.new("RGB", (width, height), [(255, 255, 255), (0, 0, 0), (255, 255, 0)][i % 3])
        image.paste("red", (0, 0, width // 2, height // 2))
        image.paste((0, 255, 0), (width // 2, 0, width, height // 2))
        image.paste("blue", (0, height // 2, width // 2, height))
        frames.append(image.transpose(Image.Transpose[ways[int(orientation)]]) if int(orientation) > 1 else image)
    exif[0x0112] = int(orientation)
    frames[0].save(out, "WEBP", save_all=True, append_images=frames[1:], duration=[40, 80, 120][:len(frames)], loop=2, quality=95, exif=exif.tobytes())


def with_gain_map(out, width=400, height=300, orientation=1, progressive=False, restart=0, **_):
    """A JPEG as phones write it: EXIF, MPF, a second picture and a film behind the first."""
    first, second, exif = io.BytesIO(), io.BytesIO(), Image.Exif()
    exif[0x0112], exif[0x010F] = int(orientation), "ACME"
    options = {"restart_marker_blocks": int(restart)} if int(restart) else {}
    make.image(width, height, 5).save(first, "JPEG", quality=91, exif=exif, progressive=bool(progressive), comment=b"a secret comment", **options)
    make.image(100, 75, 6).convert("L").save(second, "JPEG")
    data = first.getvalue()
    mpf = b"MPF\0MM\0*\0\0\0\x08" + bytes(6)
    pathlib.Path(out).write_bytes(data[:2] + b"\xff\xe2" + struct.pack(">H", len(mpf) + 2) + mpf + data[2:] + second.getvalue() + b"secret film" * 100)


def animated_png(out, width=120, height=80, **_):
    """Three frames, a text, a time and gAMA."""
    info = PngImagePlugin.PngInfo()
    info.add_text("Comment", "a secret comment")
    info.add(b"gAMA", struct.pack(">I", 45455))
    frames = [make.image(width, height, seed) for seed in (1, 2, 3)]
    frames[0].save(out, "PNG", save_all=True, append_images=frames[1:], duration=100, pnginfo=info)


def spoilt_png(out, width=300, height=200, **_):
    """Whole chunks with right checksums around pixels that cannot be inflated."""
    make.image(width, height, 3).save(out, "PNG")
    data = pathlib.Path(out).read_bytes()
    start = data.index(b"IDAT") - 4
    length = struct.unpack(">I", data[start:start + 4])[0]
    body = bytearray(data[start + 8:start + 8 + length])
    body[length // 2:length // 2 + 400] = b"\xff" * 400
    chunk = b"IDAT" + bytes(body)
    pathlib.Path(out).write_bytes(data[:start + 4] + chunk + struct.pack(">I", zlib.crc32(chunk)) + data[start + 12 + length:])


def spoilt_webp(out, width=300, height=200, **_):
    """A whole file around lossless pixels that cannot be read."""
    make.image(width, height, 3).save(out, "WEBP", lossless=True)
    data = bytearray(pathlib.Path(out).read_bytes())
    data[60:460] = b"\xff" * 400
    pathlib.Path(out).write_bytes(data)


def half_clear(out, width=200, height=100, **_):
    """Left half opaque red, right half wholly transparent green."""
    image = Image.new("RGBA", (int(width), int(height)), (0, 255, 0, 0))
    image.paste((255, 0, 0, 255), (0, 0, int(width) // 2, int(height)))
    image.save(out, "PNG")


def grey_alpha(out, width=120, height=80, **_):
    image = Image.new("LA", (int(width), int(height)), (90, 128))
    image.save(out, "PNG")


def pages_tiff(out, width=200, height=150, pages=3, **_):
    all_pages = [make.image(width, height, seed) for seed in range(1, int(pages) + 1)]
    all_pages[0].save(out, "TIFF", save_all=True, append_images=all_pages[1:], compression="tiff_lzw")


def sample_tiff(out, width=64, height=48, type="u32", bands=1, **_):
    """A gradient from black on the left to white on the right in samples of a type that Pillow does not write."""
    width, height, bands, kind, bits = int(width), int(height), int(bands), type[0], int(type[1:])
    top = {"u": 2**bits - 1, "i": 2 ** (bits - 1) - 1, "f": 1.0}[kind]
    row = np.repeat(np.linspace(0, 1, width) * top, bands)
    pixels = np.tile(row, (height, 1)).astype(f"<{kind}{bits // 8}").tobytes()
    sample_format = {"u": 1, "i": 2, "f": 3}[kind]
    shorts = lambda tag, *values: (tag, 3, values)  # noqa: E731
    entries = [shorts(256, width), shorts(257, height), shorts(258, *[bits] * bands), shorts(259, 1), shorts(262, 2 if bands == 3 else 1),
               (273, 4, (8,)), shorts(277, bands), shorts(278, height), (279, 4, (len(pixels),)), shorts(284, 1),
               shorts(339, *[sample_format] * bands)]
    directory, extra = b"", b""
    extra_at = 8 + len(pixels) + 2 + 12 * len(entries) + 4
    for tag, code, values in entries:
        packed = b"".join(value.to_bytes(2 if code == 3 else 4, "little") for value in values)
        if len(packed) > 4:
            packed, extra = (extra_at + len(extra)).to_bytes(4, "little"), extra + packed
        directory += struct.pack("<HHI", tag, code, len(values)) + packed.ljust(4, b"\0")
    pathlib.Path(out).write_bytes(b"II*\0" + struct.pack("<I", 8 + len(pixels)) + pixels + struct.pack("<H", len(entries)) + directory
                                  + b"\0\0\0\0" + extra)


def all_exif(out, width=64, height=48, order="II", **_):
    """A JPEG whose EXIF has a value of every type, and those that do not survive a way through text."""
    order_ = "<" if order == "II" else ">"
    numbers = {1: "B", 3: "H", 4: "L", 6: "b", 8: "h", 9: "l", 11: "f", 12: "d"}

    def packed(code, value):
        if code in (2, 7):
            return len(value), value
        if code in (5, 10):
            return len(value), b"".join(struct.pack(order_ + ("LL" if code == 5 else "ll"), *pair) for pair in value)
        return len(value), struct.pack(f"{order_}{len(value)}{numbers[code]}", *value)

    def directory(entries, at, below=()):
        """Bytes of a directory at that offset; `below`: tag and entries of the directories it points to."""
        entries = sorted(entries + [(tag, 4, (0,)) for tag, _ in below])
        head, tail, end = b"", b"", at + 2 + 12 * len(entries) + 4
        pointers = dict(below)
        for tag, code, value in entries:
            if tag in pointers:
                nested = directory(*pointers[tag][:1], end + len(tail), *pointers[tag][1:])
                head += struct.pack(order_ + "HHLL", tag, 4, 1, end + len(tail))
                tail += nested + b"\0" * (len(nested) % 2)
                continue
            count, data = packed(code, value)
            if len(data) <= 4:
                head += struct.pack(order_ + "HHL", tag, code, count) + data.ljust(4, b"\0")
            else:
                head += struct.pack(order_ + "HHLL", tag, code, count, end + len(tail))
                tail += data + b"\0" * (len(data) % 2)
        return struct.pack(order_ + "H", len(entries)) + head + struct.pack(order_ + "L", 0) + tail

    gps = [(0, 1, (2, 3, 0, 0)), (1, 2, b"N\0"), (2, 5, ((48, 1), (51, 1), (3012, 100))), (5, 1, (1,)), (6, 5, ((431, 1),)),
           (0x1b, 7, b"ASCII\0\0\0GPS"), (0x1d, 2, b"2026:11:24\0")]
    interop = [(1, 2, b"R98\0"), (2, 7, b"0100")]
    shot = [(0x829a, 5, ((1, 250),)), (0x8827, 3, (200,)), (0x9000, 7, b"0232"), (0x9003, 2, b"2026:11:24 10:00:00\0"), (0x9101, 7, b"\1\2\3\0"),
            (0x9204, 10, ((-1, 3),)), (0x9214, 3, (320, 240, 100, 80)), (0x927c, 7, b"MAKER-NOTE"), (0x9286, 7, b"UNICODE\0" + "grün".encode("utf-16-le")),
            (0xa000, 7, b"0100"), (0xa001, 3, (1,)), (0xa002, 4, (width,)), (0xa003, 4, (height,)), (0xa420, 2, b"0123456789abcdef0123456789abcdef\0"),
            (0xa431, 2, b"SN (1) \0"), (0xa432, 5, ((24, 1), (70, 1), (28, 10), (0, 0)))]
    picture = [(0x010e, 2, "Straße (Ost), ASCII, 9 components\0".encode()), (0x010f, 2, b"ACME\0"), (0x0110, 2, b"Box (1)\0"), (0x0112, 3, (1,)),
               (0x011a, 5, ((300, 1),)), (0x011b, 5, ((300, 1),)), (0x0128, 3, (2,)), (0x013b, 2, b"Jane (Doe)\0"), (0x8298, 2, "© Jane\0".encode()),
               (0x9c9b, 1, tuple("Titel".encode("utf-16-le") + b"\0\0")), (0xc4a5, 7, b"PrintIM\0")]
    tiff = (order.encode() + struct.pack(order_ + "HL", 42, 8)
            + directory(picture, 8, [(0x8769, (shot, [(0xa005, (interop,))])), (0x8825, (gps,))]))
    buffer = io.BytesIO()
    make.image(width, height, 3).save(buffer, "JPEG", quality=90)
    block = b"Exif\0\0" + tiff
    pathlib.Path(out).write_bytes(buffer.getvalue()[:2] + b"\xff\xe1" + struct.pack(">H", len(block) + 2) + block + buffer.getvalue()[2:])


def gif_frames(out, width=64, height=48, count=5, **_):
    """Small, and every frame another colour."""
    colours = ["red", "lime", "blue", "yellow", "cyan", "magenta"]
    frames = [Image.new("RGB", (int(width), int(height)), colours[i % 6]).quantize(8) for i in range(int(count))]
    for i, frame in enumerate(frames):  # frames that are equal would be merged
        frame.putpixel((i % int(width), i // int(width) % int(height)), 1)
    frames[0].save(out, "GIF", save_all=True, append_images=frames[1:], duration=50, loop=0, disposal=2)


def noise(out, width=400, height=300, **_):
    """Hard to compress."""
    pixels = np.random.default_rng(7).integers(0, 256, (int(height), int(width), 3), dtype=np.uint8)
    Image.fromarray(pixels).save(out, **({"quality": 95} if out.endswith("jpg") else {}))


def cut(out, recipe="photo", keep=0.5, **parameters):
    make_any(recipe, out, parameters)
    data = pathlib.Path(out).read_bytes()
    pathlib.Path(out).write_bytes(data[: int(len(data) * float(keep))])


RECIPES = {f.__name__: f for f in (avif, iptc, tiff_compressed, tiff_spoilt, png, quarters, half_clear, grey_alpha, pages_tiff, sample_tiff, all_exif, gif_frames, noise, cut,
                                     webp_frames, tiff_pages, png_chunk, moving_webp, turned_webp, svg_text, svg_text_rendered, with_gain_map, animated_png,
                                     spoilt_png, spoilt_webp)} | colour_recipes.RECIPES
RECIPES |= heic_recipes.RECIPES
warnings.filterwarnings("ignore", "Image appears to be a malformed MPO file")  # it has the directory and no entries


def make_any(recipe, out, parameters):
    if recipe in RECIPES:
        RECIPES[recipe](out, **parameters)
    else:
        make.make(recipe, out, **parameters)


# --- JSON ---

def steps_of(path):
    """"a.b[0].c[name=x].#" as a list of steps; a part in quotes may contain dots."""
    for dotted, quoted, index in re.findall(r"""([^.\["]+)|"([^"]*)"|\[([^\]]*)\]""", path):
        yield ("index", index) if index else ("key", dotted or quoted)


def look_up(document, path):
    for kind, word in steps_of(path):
        if kind == "key" and word == "#":
            document = len(document)
        elif kind == "key" and isinstance(document, dict):
            document = document.get(word)
        elif kind == "index" and isinstance(document, list) and re.fullmatch(r"-?\d+", word):
            document = document[int(word)] if -len(document) <= int(word) < len(document) else None
        elif kind == "index" and isinstance(document, list) and "=" in word:
            key, value = word.split("=", 1)
            document = next((d for d in document if fnmatch.fnmatch(str(d.get(key)), value)), None)
        else:
            return None
    return document


def fits(want, got):
    if isinstance(want, str):
        if len(want) > 1 and want.startswith("/") and want.endswith("/"):
            return isinstance(got, str) and re.search(want[1:-1], got) is not None
        comparison = re.fullmatch(r"(<=|>=|<|>)\s*(-?[\d.]+)", want)
        if comparison and isinstance(got, (int, float)):
            limit = float(comparison[2])
            return {"<": got < limit, ">": got > limit, "<=": got <= limit, ">=": got >= limit}[comparison[1]]
        if want == "(any)":
            return got is not None
    return want == got


def judge_paths(document, expected):
    problems = []
    for path, want in expected.items():
        got = look_up(document, path)
        if not fits(want, got):
            problems.append(f"JSON {path} is {json.dumps(got)[:300]}, expected {json.dumps(want)}")
    return problems


# --- pictures ---

def from_memory(path):
    """Pillow on bytes, never on a file: its TIFF reader closes a descriptor twice, which in a process with threads is another's."""
    image = Image.open(io.BytesIO(pathlib.Path(path).read_bytes()))
    image.load()
    return image


def opened(path):
    """The picture, and its format as the file itself shows it."""
    head = path.read_bytes()[:16]
    if head[4:12] in (b"ftypavif", b"ftypmif1", b"ftypavis"):
        with tempfile.TemporaryDirectory() as folder:
            vips("copy", path, f"{folder}/x.png")
            return from_memory(f"{folder}/x.png"), "avif"
    image = from_memory(path)
    return image, image.format.lower()


def pixels(image, background=(255, 255, 255)):
    """Float RGB; transparent parts over the background."""
    if image.mode in ("I;16", "I"):
        grey = np.asarray(image).astype(np.float64) / 257
        return np.repeat(grey[..., None], 3, -1)
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        rgba = np.asarray(image.convert("RGBA")).astype(np.float64)
        alpha = rgba[..., 3:] / 255
        return rgba[..., :3] * alpha + np.array(background, np.float64) * (1 - alpha)
    return np.asarray(image.convert("RGB")).astype(np.float64)


def to_srgb(image):
    profile = image.info.get("icc_profile")
    if not profile:
        return image
    from PIL import ImageCms
    source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    return ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"), renderingIntent=1, outputMode="RGB")


GRAVITY = {"center": (0.5, 0.5), "north": (0.5, 0), "south": (0.5, 1), "west": (0, 0.5), "east": (1, 0.5), "north-west": (0, 0),
           "north-east": (1, 0), "south-west": (0, 1), "south-east": (1, 1)}


def reference(like, work):
    """The picture that should have come out, made by Pillow: {from:, page:, turn:, box:, srgb:, fit:, size:, gravity:, filter:}."""
    if "recipe" in like:
        with tempfile.TemporaryDirectory() as folder:
            words = like["recipe"].split()
            path = f"{folder}/reference.{like.get('ending', 'png')}"
            make_any(words[0], path, dict(w.split("=", 1) for w in words[1:]))
            image = from_memory(path)
    else:
        image, _ = opened(work / like["from"])
        image.seek(like.get("page", 0)) if like.get("page") else image.load()
    if like.get("srgb"):
        image = to_srgb(image)
    if image.mode == "P":
        image = image.convert("RGBA" if "transparency" in image.info else "RGB")
    if image.mode == "CMYK":
        image = image.convert("RGB")
    if "turn" in like:
        image = image.transpose(Image.Transpose[like["turn"]])
    if "box" in like:
        left, top, width, height = map(int, like["box"].split(","))
        image = image.crop((left, top, left + width, top + height))
    if "size" not in like:
        return image
    width, height = map(int, like["size"].split("x"))
    fit, resample = like.get("fit", "fill"), RESAMPLE[like.get("filter", "lanczos")]
    if fit == "cover":
        factor = max(width / image.width, height / image.height)
        x, y = GRAVITY[like.get("gravity", "center")]
        spare_x, spare_y = image.width - width / factor, image.height - height / factor
        box = (spare_x * x, spare_y * y, spare_x * x + width / factor, spare_y * y + height / factor)
        return image.resize((width, height), resample, box=box)
    if fit == "contain":
        factor = min(width / image.width, height / image.height)
        inner = image.resize((round(image.width * factor), round(image.height * factor)), resample)
        x, y = GRAVITY[like.get("gravity", "center")]
        whole = Image.new("RGB", (width, height), like.get("background", "white"))
        whole.paste(inner, (round((width - inner.width) * x), round((height - inner.height) * y)))
        return whole
    return image.resize((width, height), resample)


def durations(image):
    return [frame.info.get("duration", 0) for frame in ImageSequence.Iterator(image)]


def tags_of(path):
    done = subprocess.run(["exiftool", "-j", "-G", str(path)], capture_output=True, text=True, check=False, timeout=30)
    tags = json.loads(done.stdout or "[{}]")[0]
    named = {}
    for name, value in tags.items():  # by "GPS:Latitude" of any group, by the plain name too
        named[name] = value
        named.setdefault(name.split(":")[-1], value)
    return named


def judge_tags(path, expected):
    if "exiftool" in LACKING:
        return []
    tags, problems = tags_of(path), []
    for name, want in expected.get("tags", {}).items():
        if not fits(want, tags.get(name)):
            problems.append(f"{name} is {tags.get(name)!r}, expected {want!r}")
    for pattern in expected.get("gone", []):
        problems += [f"{name} is still there: {tags[name]!r}" for name in tags if fnmatch.fnmatch(name, pattern)]
    return problems


def exif_of(path):
    """Every EXIF value as exiftool reads it, as numbers where they are numbers; not where in the file it lies."""
    done = subprocess.run(["exiftool", "-j", "-n", "-G1", "-a", "-b", "-EXIF:all", str(path)], capture_output=True, text=True, check=False,
                          timeout=30)
    return {name: value for name, value in json.loads(done.stdout or "[{}]")[0].items() if name != "SourceFile"}


def judge_pixels(path, other):
    """Every sample of every frame, as both files store them, and how they are stored."""
    with Image.open(path) as got, Image.open(other) as want:
        if (got.format, got.mode, got.size, frames_of(got)) != (want.format, want.mode, want.size, frames_of(want)):
            return [f"is {got.format} {got.mode} {got.size} with {frames_of(got)} frames, {other.name} {want.format} {want.mode} {want.size} "
                    f"with {frames_of(want)}"]
        for frame in range(frames_of(got)):
            got.seek(frame)
            want.seek(frame)
            if got.convert("RGBA").tobytes() != want.convert("RGBA").tobytes():
                return [f"frame {frame} has other pixels than {other.name}"]
    return []


def frames_of(image):
    """A PNG counts as the still that it shows: its animation does not belong to what is compared."""
    return 1 if image.format == "PNG" else getattr(image, "n_frames", 1)


def judge_exif(path, expected, work):
    """exif: {of: in/a.jpg, but: [globs]}: the tags of that file but these, each value as it was, and no others."""
    if "exiftool" in LACKING or "exif" not in expected:
        return []
    wanted = exif_of(work / expected["exif"]["of"]) if expected["exif"].get("of") else {}
    for glob in expected["exif"].get("but", []):
        wanted = {name: value for name, value in wanted.items() if not fnmatch.fnmatch(name, glob)}
    got = exif_of(path)
    return [f"{name} is {got.get(name)!r}, in the source {wanted.get(name)!r}" for name in sorted(set(wanted) | set(got))
            if wanted.get(name) != got.get(name)]


def judge_picture(path, expected, work):
    """`expected`: "webp 300x200", or a mapping; README.md lists its keys."""
    if isinstance(expected, str):
        expected = dict(zip(("format", "size"), expected.split()))
    expected, problems = dict(expected), []
    if expected.get("same_bytes"):
        same = path.read_bytes() == (work / expected["same_bytes"]).read_bytes()
        return [] if same else [f"is not byte for byte {expected['same_bytes']}"]
    image, kind = opened(path)
    data = {"format": kind, "size": f"{image.width}x{image.height}", "mode": image.mode, "pages": getattr(image, "n_frames", 1),
            "bytes": path.stat().st_size, "profile": "icc_profile" in image.info, "loop": image.info.get("loop"),
            "alpha": image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info,
            "progressive": bool(image.info.get("progressive") or image.info.get("interlace")),
            "orientation": image.getexif().get(0x0112)}
    for key, got in data.items():
        if key in expected and not fits(expected[key], got):
            problems.append(f"{key} is {got}, expected {expected[key]}")
    if "durations" in expected and durations(image) != expected["durations"]:
        problems.append(f"durations are {durations(image)}, expected {expected['durations']}")
    if "bits" in expected:
        bits = {"I;16": 16, "I": 16}.get(image.mode) or (path.read_bytes()[24] if kind == "png" else 8)
        if bits != expected["bits"]:
            problems.append(f"{bits} bits a sample, expected {expected['bits']}")
    image.seek(expected.get("page", 0)) if expected.get("page") else None
    if expected.get("srgb"):
        image = to_srgb(image)
    for place, colour in expected.get("pixels", {}).items():
        x, y = map(int, place.split(","))
        rgba = "transparent" if colour == "transparent" else None
        deep = image.mode.startswith("I")  # Pillow would clip 16 bits, not scale them
        got = (image.getpixel((x, y)) >> 8,) * 3 + (255,) if deep else image.convert("RGBA").getpixel((x, y))
        want = (0, 0, 0, 0) if rgba else tuple(int(colour[i:i + 2], 16) for i in (1, 3, 5))
        near = got[3] == 0 if rgba else max(abs(a - b) for a, b in zip(got[:3], want)) <= expected.get("tolerance", 12)
        if not near:
            problems.append(f"pixel {place} is {got}, expected {colour}")
    if "like" in expected:
        want, got = pixels(reference(expected["like"], work)), pixels(image)
        if want.shape != got.shape:
            problems.append(f"is {got.shape[1]}x{got.shape[0]}, the reference {want.shape[1]}x{want.shape[0]}")
        else:
            distance, most = float(np.abs(want - got).mean()), expected.get("max_diff", 3)
            if distance > most:
                problems.append(f"differs from the reference by {distance:.2f} on average, more than {most}")
    if "same_pixels" in expected:
        problems += judge_pixels(path, work / expected["same_pixels"])
    problems += judge_exif(path, expected, work)
    unknown = set(expected) - set(data) - set("durations bits page pixels tolerance like max_diff same_pixels tags gone srgb exif".split())
    if unknown:
        problems.append(f"the case asks for what the runner does not know: {', '.join(sorted(unknown))}")
    return problems + judge_tags(path, expected)
