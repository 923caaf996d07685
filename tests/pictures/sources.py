# SPDX-License-Identifier: Apache-2.0
"""The kinds of source: who writes each, and what is true of it. README.md tells how to add one."""
import dataclasses
import functools
import json
import pathlib
import struct
import sys
import tempfile

import numpy as np
from PIL import Image, ImageCms, ImageDraw, ImageFont

import profiles
import scene
import tools

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "cases"), str(HERE.parent / "samples")]
import check  # noqa: E402
import colour_recipes  # noqa: E402
import make as samples  # noqa: E402

DELAYS = [80, 120, 200, 40, 1000]
GPS = ["-GPSLatitude=48.858", "-GPSLatitudeRef=N", "-GPSLongitude=2.294", "-GPSLongitudeRef=E", "-GPSAltitude=31.5", "-GPSAltitudeRef#=1"]
TAGS = [*GPS, "-IFD0:Make=ACME", "-IFD0:Model=Box (1)", "-IFD0:Artist=Jane Döe", "-IFD0:Copyright=© Jane", "-IFD0:ImageDescription=Straße",
        "-ExifIFD:DateTimeOriginal=2026:11:24 10:00:00", "-ExifIFD:ExposureTime=1/250", "-ExifIFD:ISO=200", "-ExifIFD:LensModel=Lens 24-70",
        "-ExifIFD:ColorSpace#=1", "-ExifIFD:SubjectArea=75 50 20 10", "-ExifIFD:ImageUniqueID=0123456789abcdef0123456789abcdef"]
XMP = ["-XMP-dc:Title=Title", "-XMP-dc:Rights=© Jane", "-XMP-photoshop:City=Secretville", "-XMP-exif:GPSLatitude=48.858", "-XMP-xmp:Rating=4"]
IPTC = ["-IPTC:By-line=Jane", "-IPTC:City=Secretville", "-IPTC:Keywords=one", "-IPTC:Keywords=two", "-IPTC:CopyrightNotice=(c) Jane"]


@dataclasses.dataclass(frozen=True)
class Kind:
    name: str
    ending: str
    make: object             # writes the file at `out`, with the files of a Desk
    needs: tuple = ()        # programs
    groups: frozenset = frozenset({"same", "shape"})  # pipelines that it goes through
    alpha: bool = False
    frames: int = 1
    delays: tuple = ()       # ms
    bits: int = 8
    profile: bool = False    # it has one that fits its pixels
    truth: object = None     # () -> frames; when not given, judges decode the file
    turn: int = 1            # an orientation that the judges' decoder does not see
    neutral: bool = False    # CMYK whose greys are black ink alone
    near: float | None = 3   # mean CIEDE2000 that the judges' decoding may lie from the scene; None: it shows something else

    @property
    def file(self):
        return f"{self.name}.{self.ending}"


class Desk:
    """Files that makers start from, each made once."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        for mode in ("RGB", "RGBA", "L", "LA"):
            scene.image(mode).save(self.folder / f"{mode}.png")
            scene.png(self.folder / f"{mode}16.png", 16, mode)
        for step in range(len(DELAYS)):
            scene.image("RGB", step).save(self.folder / f"step{step}.png")
            scene.image("RGBA", step, hard=True).save(self.folder / f"clear{step}.png")
        scene.image().save(self.folder / "best.jpg", quality=97, subsampling=0)
        scene.image().save(self.folder / "scene.ppm")
        scene.image("L").save(self.folder / "scene.pgm")
        for name, data in (("wide", samples.wide_profile()), ("grey", profiles.grey()), ("press", profiles.press()),
                           ("scanner", profiles.scanner())):
            (self.folder / f"{name}.icc").write_bytes(data)

    def __getitem__(self, name):
        return self.folder / name


KINDS = []


def kind(name, ending, make, **facts):
    if "groups" in facts:
        facts["groups"] = frozenset(facts["groups"].split())
    KINDS.append(Kind(name, ending, make, **facts))


def program(name, *words):
    """A maker that calls a program: "@RGB.png" is a file of the desk, "@" the file to make."""
    def make(out, desk):
        done = tools.run(name, *[out if word == "@" else desk[word[1:]] if str(word).startswith("@") else word for word in words])
        if "@" not in words:
            out.write_bytes(done)
    return make


def pillow(mode="RGB", **settings):
    def make(out, desk):
        image = scene.image(mode) if mode in ("RGB", "RGBA", "L", "LA") else scene.image().convert(mode)
        image.save(out, **{key: desk[value[1:]].read_bytes() if str(value).startswith("@") else value for key, value in settings.items()})
    return make


def tagged(make, *tags):
    """What exiftool writes into it afterwards."""
    def both(out, desk):
        make(out, desk)
        tools.run("exiftool", "-q", "-n", "-overwrite_original", "-charset", "iptc=UTF8", *tags, out)
    return both


def lying(orientation):
    """A maker for the scene as a camera stores it that was held that way; the tag is not written."""
    from decode import TURNS
    back = {6: 8, 8: 6}.get(orientation, orientation)

    def turned(image):
        for move in TURNS.get(back, []):
            image = image.transpose(move)
        return image
    return turned


def gradient(linear):
    """What check.sample_tiff shows."""
    row = np.linspace(0, 1, 64)[None, :, None]
    if linear:
        row = np.where(row <= 0.0031308, row * 12.92, 1.055 * row ** (1 / 2.4) - 0.055)
    return lambda: [np.concatenate([np.tile(row, (48, 1, 3)), np.ones((48, 64, 1))], -1)]


# --- jpeg ---
BEST = {"quality": 95, "subsampling": 0}
kind("jpeg-420", "jpg", pillow(quality=92, subsampling=2), groups="same shape metadata")
kind("jpeg-422-progressive", "jpg", program("cjpeg", "-quality", "92", "-progressive", "-sample", "2x1", "@scene.ppm"), needs=("cjpeg",))
kind("jpeg-444", "jpg", pillow(**BEST))
kind("jpeg-440-restarts", "jpg", program("cjpeg", "-quality", "92", "-sample", "1x2", "-restart", "2", "@scene.ppm"), needs=("cjpeg",))
kind("jpeg-stored-as-rgb", "jpg", program("cjpeg", "-quality", "95", "-rgb", "@scene.ppm"), needs=("cjpeg",))
kind("jpeg-optimized", "jpg", program("jpegtran", "-optimize", "-copy", "all", "@best.jpg"), needs=("jpegtran",), groups="same")
kind("jpeg-grey", "jpg", program("cjpeg", "-grayscale", "-quality", "95", "@scene.pgm"), needs=("cjpeg",), near=None)
kind("jpeg-wide-profile", "jpg", pillow(icc_profile="@wide.icc", **BEST), profile=True, near=None, groups="same shape metadata")
kind("jpeg-table-profile", "jpg", pillow(icc_profile="@scanner.icc", **BEST), profile=True, near=None)
kind("jpeg-srgb-profile", "jpg", lambda out, desk: scene.image().save(
    out, icc_profile=ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes(), **BEST), profile=True)
kind("jpeg-grey-profile", "jpg", pillow("L", icc_profile="@grey.icc", quality=95), profile=True, near=None)
kind("jpeg-grey-with-rgb-profile", "jpg", pillow("L", icc_profile="@wide.icc", quality=95), near=None)
kind("jpeg-rgb-with-grey-profile", "jpg", pillow(icc_profile="@grey.icc", **BEST))
kind("jpeg-damaged-profile", "jpg", lambda out, desk: scene.image().save(out, icc_profile=b"\0" * 40 + b"nonsense" * 20, **BEST))
kind("jpeg-cmyk", "jpg", pillow("CMYK", quality=95), near=None)
kind("jpeg-cmyk-imagemagick", "jpg", program("convert", "@RGB.png", "-colorspace", "CMYK", "-quality", "95", "@"), needs=("convert",), near=None,
     neutral=True)
kind("jpeg-cmyk-profile", "jpg", pillow("CMYK", icc_profile="@press.icc", quality=95), near=None, groups="same shape metadata")
for number in range(1, 9):
    kind(f"jpeg-orientation-{number}", "jpg", tagged(lambda out, desk, number=number: lying(number)(scene.image()).save(out, **BEST),
                                                     f"-IFD0:Orientation={number}"), needs=("exiftool",), groups="same shape" if number in (1, 6) else "shape")

# --- png ---
for mode, name in (("RGB", "rgb"), ("RGBA", "rgba"), ("L", "grey"), ("LA", "grey-alpha")):
    kind(f"png-{name}", "png", pillow(mode), alpha="A" in mode, near=3 if "RGB" in mode and "A" not in mode else None)
    kind(f"png-{name}-16", "png", program("convert", f"@{mode}16.png", "-define", "png:bit-depth=16", "-define", "png:color-type=%d" %
                                          {"RGB": 2, "RGBA": 6, "L": 0, "LA": 4}[mode], "@"), needs=("convert",), alpha="A" in mode, bits=16, near=None)
for bits in (1, 2, 4):
    kind(f"png-grey-{bits}", "png", lambda out, desk, bits=bits: scene.png(out, bits, "L"), bits=bits, near=None, groups="same")
kind("png-interlaced", "png", program("convert", "@RGB.png", "-interlace", "PNG", "@"), needs=("convert",))
kind("png-palette", "png", lambda out, desk: scene.image().quantize(128, dither=Image.Dither.NONE).save(out), near=None)
kind("png-palette-alpha", "png", lambda out, desk: scene.image("RGBA").quantize(200, method=Image.Quantize.FASTOCTREE).save(out), alpha=True, near=None)
kind("png-colour-key", "png", lambda out, desk: scene.image().save(out, transparency=(255, 0, 0)), alpha=True, near=None, groups="same")
kind("png-orientation", "png", tagged(lambda out, desk: lying(6)(scene.image()).save(out), "-IFD0:Orientation=6"), needs=("exiftool",))
kind("png-wide-profile", "png", pillow(icc_profile="@wide.icc"), profile=True, near=None)
kind("png-grey-16-with-rgb-profile", "png", lambda out, desk: scene.png(
    out, 16, "L", [(b"iCCP", b"x\0\0" + __import__("zlib").compress(desk["wide.icc"].read_bytes()))]), bits=16, near=None, groups="same")
kind("png-srgb-chunks", "png", lambda out, desk: scene.png(out, 8, "RGB", [(b"gAMA", struct.pack(">I", 45455)), (b"sRGB", b"\0")]))
kind("png-animated", "png", lambda out, desk: scene.image().save(out, save_all=True, append_images=[scene.image(step=i) for i in (1, 2)],
                                                                 duration=100), groups="same")

# --- webp ---
WEBPMUX = ("cwebp", "webpmux")
kind("webp-lossy", "webp", program("cwebp", "-quiet", "-q", "92", "-sharp_yuv", "@RGB.png", "-o", "@"), needs=("cwebp",))
kind("webp-lossy-alpha", "webp", program("cwebp", "-quiet", "-q", "92", "@RGBA.png", "-o", "@"), needs=("cwebp",), alpha=True, near=None)
kind("webp-lossless", "webp", program("cwebp", "-quiet", "-lossless", "@RGB.png", "-o", "@"), needs=("cwebp",))
kind("webp-lossless-alpha", "webp", program("cwebp", "-quiet", "-lossless", "-exact", "@RGBA.png", "-o", "@"), needs=("cwebp",), alpha=True, near=None)


def muxed(what, make_blob, *words):
    """cwebp's file with a chunk that webpmux sets."""
    def make(out, desk):
        still, blob = out.with_suffix(".still"), out.with_suffix(".blob")
        tools.run("cwebp", "-quiet", "-lossless", *(words or (desk["RGB.png"],)), "-o", still)
        blob.write_bytes(make_blob(desk))
        tools.run("webpmux", "-set", what, blob, still, "-o", out)
        still.unlink(), blob.unlink()
    return make


def exif_block(orientation):
    return samples.exif({0x010F: "ACME"}, orientation=orientation).tobytes()[6:]


def oriented_webp(out, desk):
    lying(6)(scene.image()).save(desk["lying.png"])
    muxed("exif", lambda desk: exif_block(6), desk["lying.png"])(out, desk)


kind("webp-wide-profile", "webp", muxed("icc", lambda desk: desk["wide.icc"].read_bytes()), needs=WEBPMUX, profile=True, near=None)
kind("webp-orientation", "webp", oriented_webp, needs=WEBPMUX)


def moving_webp(*words, source="step"):
    def make(out, desk):
        frames = [word for i, delay in enumerate(DELAYS) for word in ("-d", delay, desk[f"{source}{i}.png"])]
        tools.run("img2webp", *words, *frames, "-o", out)
    return make


MOVING = {"frames": len(DELAYS), "delays": tuple(DELAYS), "groups": "same shape moving"}
steps = lambda mode="RGB": lambda: [np.asarray(scene.image(mode, i, hard=True).convert("RGBA"), float) / 255 for i in range(len(DELAYS))]  # noqa: E731
kind("webp-moving", "webp", moving_webp("-loop", 3, "-lossless"), needs=("img2webp",), truth=steps(), **MOVING)
kind("webp-moving-lossy", "webp", moving_webp("-loop", 0, "-mixed", "-q", "90"), needs=("img2webp",), **MOVING)
kind("webp-moving-alpha", "webp", moving_webp("-lossless", source="clear"), needs=("img2webp",), alpha=True, truth=steps("RGBA"), near=None, **MOVING)


def patched_webp(out, desk):
    """A still and patches over it, with each way to dispose of and to blend them."""
    pieces = []
    for i, size in enumerate([(150, 100), (40, 30), (60, 20), (30, 30)]):
        piece = out.with_suffix(f".{i}")
        scene.image("RGB" if i == 0 else "RGBA", i, *size).save(desk["piece.png"])
        tools.run("cwebp", "-quiet", "-lossless", "-exact", desk["piece.png"], "-o", piece)
        pieces.append(piece)
    places = ["+100+0+0+0+b", "+50+20+10+1+b", "+70+80+70+0-b", "+90+30+40+1+b"]
    tools.run("webpmux", *[word for piece, place in zip(pieces, places) for word in ("-frame", piece, place)], "-loop", "2", "-o", out)
    for piece in pieces:
        piece.unlink()


kind("webp-moving-patches", "webp", patched_webp, needs=WEBPMUX, frames=4, delays=(100, 50, 70, 90), alpha=True, near=None,
     groups="same shape moving")


def turned_webp(orientation):
    def make(out, desk):
        plain, blob = out.with_suffix(".plain"), out.with_suffix(".blob")
        frames = []
        for i, delay in enumerate(DELAYS):
            path = desk[f"lying{orientation}-{i}.png"]
            lying(orientation)(scene.image(step=i)).save(path)
            frames += ["-d", delay, path]
        tools.run("img2webp", "-lossless", *frames, "-o", plain)
        blob.write_bytes(exif_block(orientation))
        tools.run("webpmux", "-set", "exif", blob, plain, "-o", out)
        plain.unlink(), blob.unlink()
    return make


for number in (2, 3, 6, 8):
    kind(f"webp-moving-orientation-{number}", "webp", turned_webp(number), needs=("img2webp", "webpmux"), truth=steps(), **MOVING)

# --- gif ---
kind("gif", "gif", lambda out, desk: scene.image().quantize(256, dither=Image.Dither.NONE).save(out), near=None)
kind("gif-clear", "gif", program("convert", "@RGBA.png", "-channel", "A", "-threshold", "50%", "+channel", "@"), needs=("convert",), alpha=True, near=None)
kind("gif-interlaced", "gif", program("convert", "@RGB.png", "-interlace", "GIF", "@"), needs=("convert",), near=None, groups="same")


def moving_gif(out, desk, source="step", words=("-layers", "optimize"), loop=0):
    frames = [word for i, delay in enumerate(DELAYS) for word in ("-delay", f"{delay // 10}", desk[f"{source}{i}.png"])]
    tools.run("convert", "-loop", loop, *(["-dispose", "previous"] if source == "clear" else []), *frames, *words, out)


kind("gif-moving", "gif", moving_gif, needs=("convert",), near=None, **MOVING)
kind("gif-moving-clear", "gif", lambda out, desk: moving_gif(out, desk, "clear", (), 4), needs=("convert",), alpha=True, near=None, **MOVING)
kind("gif-moving-pillow", "gif", lambda out, desk: scene.image().quantize(128).save(
    out, save_all=True, append_images=[scene.image(step=i).quantize(128) for i in range(1, len(DELAYS))], duration=DELAYS, loop=2),
    near=None, **MOVING)
kind("gif-to-webp", "webp", lambda out, desk: (moving_gif(out.with_suffix(".gif"), desk), tools.run("gif2webp", "-quiet", out.with_suffix(".gif"), "-o", out),
                                               out.with_suffix(".gif").unlink()), needs=("convert", "gif2webp"), near=None, **MOVING)

# --- tiff ---
kind("tiff-lzw", "tif", pillow(compression="tiff_lzw"), groups="same shape metadata")


def copied_tiff(*words, mode="RGB", **settings):
    """Pillow's file, written anew by tiffcp."""
    def make(out, desk):
        plain = out.with_suffix(".plain")
        pillow(mode, format="TIFF", **settings)(plain, desk)
        tools.run("tiffcp", *words, plain, out)
        plain.unlink()
    return make


for name, words in (("tiles", ("-t", "-w", "32", "-l", "32", "-c", "zip")), ("planes", ("-p", "separate", "-c", "lzw")),
                    ("big-endian", ("-B", "-c", "none")), ("bigtiff", ("-8", "-c", "packbits")), ("jpeg", ("-r", "16", "-c", "jpeg:95"))):
    kind(f"tiff-{name}", "tif", copied_tiff(*words), needs=("tiffcp",), groups="same")
kind("tiff-16", "tif", program("convert", "@RGB16.png", "-depth", "16", "-compress", "Zip", "@"), needs=("convert",), bits=16)
kind("tiff-16-alpha", "tif", program("convert", "@RGBA16.png", "-depth", "16", "@"), needs=("convert",), bits=16, alpha=True, near=None)
kind("tiff-alpha", "tif", pillow("RGBA", compression="tiff_adobe_deflate"), alpha=True, near=None)
kind("tiff-premultiplied", "tif", program("convert", "@RGBA.png", "-define", "tiff:alpha=associated", "@"), needs=("convert",), alpha=True, near=None)
kind("tiff-bilevel", "tif", pillow("1", compression="group4"), bits=1, near=None)
kind("tiff-white-is-zero", "tif", program("convert", "@L.png", "-define", "quantum:polarity=min-is-white", "-compress", "LZW", "@"),
     needs=("convert",), near=None)
kind("tiff-palette", "tif", lambda out, desk: scene.image().quantize(200, dither=Image.Dither.NONE).save(out), near=None)
kind("tiff-cmyk", "tif", pillow("CMYK", compression="tiff_lzw"), near=None)
kind("tiff-cmyk-profile", "tif", pillow("CMYK", icc_profile="@press.icc"), near=None)
kind("tiff-lab", "tif", lambda out, desk: ImageCms.profileToProfile(scene.image(), ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"),
                                                                    outputMode="LAB").save(out), near=None)
kind("tiff-wide-profile", "tif", pillow(icc_profile="@wide.icc"), profile=True, near=None)
kind("tiff-orientation", "tif", tagged(lambda out, desk: lying(6)(scene.image()).save(out), "-IFD0:Orientation=6"), needs=("exiftool",))
kind("tiff-pages", "tif", lambda out, desk: scene.image().save(out, save_all=True, append_images=[scene.image(step=2)]))
# Colours in floating point are light, as cameras and renderers store it, hence the curve; they become 8-bit sRGB.
for type_, bands in (("u32", 1), ("f32", 1), ("f32", 3), ("f64", 1), ("u16", 1), ("u16", 3)):
    kind(f"tiff-{type_}-{'grey' if bands == 1 else 'rgb'}", "tif", lambda out, desk, type_=type_, bands=bands: check.sample_tiff(out, type=type_, bands=bands),
         bits=8 if (type_, bands) == ("f32", 3) else 16, truth=gradient((type_, bands) == ("f32", 3)), near=None, groups="same")

# --- avif ---
AVIFENC = ("-s", "9", "--min", "4", "--max", "12")
for name, words, facts in (("444", ("-y", "444"), {}), ("420", ("-y", "420"), {}), ("422-limited", ("-y", "422", "-r", "limited"), {}),
                           ("10-bit", ("-y", "444", "-d", "10"), {"bits": 10}), ("12-bit", ("-y", "420", "-d", "12"), {"bits": 12}),
                           ("lossless", ("-l",), {})):
    kind(f"avif-{name}", "avif", program("avifenc", *(AVIFENC if name != "lossless" else ("-s", "9")), *words, "@RGB.png", "@"),
         needs=("avifenc", "avifdec"), **facts)
kind("avif-grey", "avif", program("avifenc", *AVIFENC, "-y", "400", "@L.png", "@"), needs=("avifenc", "avifdec"), near=None)
kind("avif-alpha", "avif", program("avifenc", *AVIFENC, "--minalpha", "0", "--maxalpha", "0", "@RGBA.png", "@"), needs=("avifenc", "avifdec"),
     alpha=True, near=None)
kind("avif-premultiplied", "avif", program("avifenc", *AVIFENC, "-p", "--minalpha", "0", "--maxalpha", "0", "@RGBA.png", "@"),
     needs=("avifenc", "avifdec"), alpha=True, near=None, groups="same")
kind("avif-wide-profile", "avif", program("avifenc", *AVIFENC, "--icc", "@wide.icc", "@RGB.png", "@"), needs=("avifenc", "avifdec"), profile=True, near=None)
# A picture that lies: irot turns against the clock, imir mirrors, in this order.
for name, words, number in (("turned", ("--irot", "3"), 6), ("upside-down", ("--irot", "2"), 3), ("mirrored", ("--imir", "1"), 2)):
    def make(out, desk, words=words, number=number):
        lying(number)(scene.image()).save(desk[f"lying{number}.png"])
        tools.run("avifenc", *AVIFENC, *words, desk[f"lying{number}.png"], out)
    kind(f"avif-{name}", "avif", make, needs=("avifenc", "avifdec"), turn=number, groups="same shape" if number == 6 else "shape")
kind("avif-grid", "avif", lambda out, desk: (scene.image(width=256, height=192).crop((0, 0, 256, 192)).save(desk["grid.png"]), tools.run(
    "avifenc", *AVIFENC, "-g", "2x2", desk["grid.png"], out)), needs=("avifenc", "avifdec"), near=None, groups="same")
kind("avif-moving", "avif", lambda out, desk: tools.run("avifenc", *AVIFENC, *[desk[f"step{i}.png"] for i in range(3)], out),
     needs=("avifenc", "avifdec"), groups="same")

# --- heic ---
HEIF = ("heif-enc", "heif-convert")
kind("heic", "heic", program("heif-enc", "-q", "90", "-p", "chroma=444", "-o", "@", "@RGB.png"), needs=HEIF, groups="same shape")
kind("heic-420", "heic", program("heif-enc", "-q", "90", "-o", "@", "@best.jpg"), needs=HEIF)
kind("heic-alpha", "heic", program("heif-enc", "-q", "95", "-o", "@", "@RGBA.png"), needs=HEIF, alpha=True, near=None, groups="same")
kind("heic-10-bit", "heic", program("heif-enc", "-q", "90", "-b", "10", "-o", "@", "@RGB16.png"), needs=HEIF, bits=10, groups="same")

# --- jxl ---
JXL = ("cjxl", "djxl")
kind("jxl-lossless", "jxl", program("cjxl", "-d", "0", "@RGB.png", "@"), needs=JXL)
kind("jxl-lossy", "jxl", program("cjxl", "-d", "1", "@RGB.png", "@"), needs=JXL)
kind("jxl-alpha", "jxl", program("cjxl", "-d", "0", "@RGBA.png", "@"), needs=JXL, alpha=True, near=None)
kind("jxl-grey", "jxl", program("cjxl", "-d", "0", "@L.png", "@"), needs=JXL, near=None, groups="same")
kind("jxl-16", "jxl", program("cjxl", "-d", "0", "@RGB16.png", "@"), needs=JXL, bits=16, groups="same",
     truth=lambda: [np.concatenate([scene.colours(), np.ones((scene.HEIGHT, scene.WIDTH, 1))], -1)])
kind("jxl-from-jpeg", "jxl", program("cjxl", "--lossless_jpeg=1", "@best.jpg", "@"), needs=JXL, groups="same")

# --- svg: what it shows is drawn once more by Pillow ---
TEXT = (("Letters, Wg", 20, 46, 36), ("0123 &?", 20, 92, 40))
FONT = "/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf"


def drawn_svg(body):
    def make(out, _):
        out.write_text('<svg xmlns="http://www.w3.org/2000/svg" width="240" height="110"><rect width="240" height="110" fill="white"/>%s</svg>' % body,
                       encoding="utf-8")
    return make


def drawn_shapes():
    page = Image.new("RGBA", (240, 110), "white")
    page.paste((200, 30, 30, 255), (20, 10, 120, 60))
    page.paste((30, 60, 200, 255), (90, 40, 200, 100))
    return [np.asarray(page, float) / 255]


def drawn_text():
    page = Image.new("L", (240, 110), 255)
    for text, x, y, size in TEXT:
        ImageDraw.Draw(page).text((x, y), text, 0, ImageFont.truetype(FONT, size), anchor="ls")
    return [np.asarray(page.convert("RGBA"), float) / 255]


kind("svg-shapes", "svg", drawn_svg('<rect x="20" y="10" width="100" height="50" fill="#c81e1e"/><rect x="90" y="40" width="110" height="60" fill="#1e3cc8"/>'),
     truth=drawn_shapes, near=None, groups="drawings")
kind("svg-text", "svg", drawn_svg("".join('<text x="%d" y="%d" font-family="DejaVu Sans" font-size="%d">%s</text>' % (x, y, size, text.replace("&", "&amp;"))
                                          for text, x, y, size in TEXT)), needs=(FONT,), truth=drawn_text, near=None, groups="drawings")


# --- code points in a PNG ---
for name, facts in (("bt709", {"space": "srgb"}), ("p3", {"space": "p3"}), ("p3-and-profile", {"space": "p3", "profile": "wide"})):
    kind(f"png-cicp-{name}-16", "png", lambda out, desk, facts=facts: colour_recipes.coded_png(str(out), most=0.5, **facts), bits=16, near=None,
         truth=lambda: [shown_by(colour_recipes.shown, most=0.5)], groups="same")


# --- sharp: libvips with settings of its own, and another version ---
def sharp(format_, settings, source="RGB.png", metadata=None):
    def make(out, desk):
        tools.run("sharp", desk[source], out, format_, json.dumps(settings), *([json.dumps(metadata)] if metadata else []))
    return make


kind("sharp-jpeg", "jpg", sharp("jpeg", {"quality": 95, "chromaSubsampling": "4:4:4", "mozjpeg": True}), needs=("sharp",))
kind("sharp-jpeg-420", "jpg", sharp("jpeg", {"quality": 92}), needs=("sharp",), groups="same")
kind("sharp-jpeg-turned-profile", "jpg", sharp("jpeg", {"quality": 95, "chromaSubsampling": "4:4:4"}, metadata={"icc": "p3", "orientation": 6}),
     needs=("sharp",), profile=True, near=None, groups="same")
kind("sharp-png", "png", sharp("png", {"progressive": True, "adaptiveFiltering": True}, "RGBA.png"), needs=("sharp",), alpha=True, near=None)
kind("sharp-png-palette", "png", sharp("png", {"palette": True}, "RGBA.png"), needs=("sharp",), alpha=True, near=None)
kind("sharp-webp", "webp", sharp("webp", {"quality": 92, "smartSubsample": True}), needs=("sharp",))
kind("sharp-webp-alpha", "webp", sharp("webp", {"nearLossless": True}, "RGBA.png"), needs=("sharp",), alpha=True, near=None)
kind("sharp-avif", "avif", sharp("avif", {"quality": 85, "effort": 1}), needs=("sharp", "avifdec"))
kind("sharp-avif-alpha", "avif", sharp("avif", {"quality": 90, "effort": 1}, "RGBA.png"), needs=("sharp", "avifdec"), alpha=True, near=None, groups="same")
kind("sharp-gif", "gif", sharp("gif", {}), needs=("sharp",), near=None, groups="same")
kind("sharp-tiff-tiles", "tif", sharp("tiff", {"compression": "deflate", "tile": True, "tileWidth": 64, "tileHeight": 64}), needs=("sharp",))
kind("sharp-tiff-jpeg", "tif", sharp("tiff", {"compression": "jpeg", "quality": 95}), needs=("sharp",), groups="same")


def moving_sharp(ending, settings):
    def make(out, desk):
        plain = out.with_suffix(".plain.gif")
        moving_gif(plain, desk)
        tools.run("sharp", plain, out, ending, json.dumps({"delay": DELAYS, "loop": 0, **settings}))
        plain.unlink()
    return make


kind("sharp-moving-gif", "gif", moving_sharp("gif", {}), needs=("sharp", "convert"), near=None, **MOVING)
kind("sharp-moving-webp", "webp", moving_sharp("webp", {"lossless": True}), needs=("sharp", "convert"), near=None, **MOVING)

# --- metadata, in everything that holds it ---
kind("tags-jpeg", "jpg", tagged(pillow(comment=b"a secret comment", **BEST), *TAGS, *XMP, *IPTC), needs=("exiftool",), groups="metadata")
kind("tags-jpeg-turned", "jpg", tagged(lambda out, desk: lying(6)(scene.image()).save(out, icc_profile=desk["wide.icc"].read_bytes(), **BEST),
                                       *TAGS, *XMP, *IPTC, "-IFD0:Orientation=6"), needs=("exiftool",), groups="metadata", near=None, profile=True)
kind("tags-jpeg-big-endian", "jpg", tagged(pillow(**BEST), "-ExifByteOrder=MM", *TAGS), needs=("exiftool",), groups="metadata")
kind("tags-every-type", "jpg", lambda out, desk: check.all_exif(str(out), 150, 100), groups="metadata", near=None)
kind("tags-every-type-big-endian", "jpg", lambda out, desk: check.all_exif(str(out), 150, 100, "MM"), groups="metadata", near=None)
kind("tags-png", "png", tagged(pillow(), *TAGS, *XMP, "-PNG:Comment=a secret comment", "-PNG:Author=Jane"), needs=("exiftool",), groups="metadata")
kind("tags-tiff", "tif", tagged(pillow(), *TAGS, *XMP, *IPTC), needs=("exiftool",), groups="metadata")
kind("tags-tiff-turned", "tif", tagged(lambda out, desk: lying(6)(scene.image()).save(out), "-ExifByteOrder=MM", *TAGS, "-IFD0:Orientation=6"),
     needs=("exiftool",), groups="metadata")
kind("tags-bigtiff", "tif", lambda out, desk: big_tiff(out, "<"), needs=("exiftool",), groups="metadata")
kind("tags-bigtiff-big-endian", "tif", lambda out, desk: big_tiff(out, ">"), needs=("exiftool",), groups="metadata")
kind("tags-webp", "webp", tagged(program("cwebp", "-quiet", "-lossless", "@RGB.png", "-o", "@"), *TAGS, *XMP), needs=("cwebp", "exiftool"), groups="metadata")
kind("tags-avif", "avif", tagged(program("avifenc", *AVIFENC, "@RGB.png", "@"), *TAGS, *XMP), needs=("avifenc", "avifdec", "exiftool"), groups="metadata")
kind("tags-heic", "heic", tagged(program("heif-enc", "-q", "90", "-o", "@", "@best.jpg"), *TAGS, *XMP), needs=(*HEIF, "exiftool"), groups="metadata")


def big_tiff(out, order):
    """A BigTIFF with EXIF, which neither Pillow nor exiftool writes."""
    def directory(entries, at):
        head, tail, end = b"", b"", at + 8 + 20 * len(entries) + 8
        for tag, code, count, data in sorted(entries):
            if len(data) > 8:
                head += struct.pack(order + "HHQQ", tag, code, count, end + len(tail))
                tail += data + b"\0" * (-len(data) % 8)
            else:
                head += struct.pack(order + "HHQ", tag, code, count) + data.ljust(8, b"\0")
        return struct.pack(order + "Q", len(entries)) + head + bytes(8) + tail

    def text(tag, value):
        return tag, 2, len(value.encode()) + 1, value.encode() + b"\0"

    def numbers(tag, code, *values):
        return tag, code, len(values), struct.pack(order + {3: "H", 4: "L", 16: "Q", 18: "Q"}[code] * len(values), *values)

    image = scene.image()
    pixels, (width, height) = image.tobytes(), image.size
    shot = [text(0x9003, "2026:11:24 10:00:00"), numbers(0x8827, 3, 200), (0x829a, 5, 1, struct.pack(order + "LL", 1, 250)), text(0xa434, "Lens 24-70"),
            (0x9000, 7, 4, b"0232"), numbers(0xa001, 3, 1)]
    shot_at = 16 + len(pixels)
    block = directory(shot, shot_at)
    picture = [numbers(0x100, 4, width), numbers(0x101, 4, height), numbers(0x102, 3, 8, 8, 8), numbers(0x103, 3, 1), numbers(0x106, 3, 2),
               numbers(0x111, 16, 16), numbers(0x115, 3, 3), numbers(0x116, 4, height), numbers(0x117, 16, len(pixels)), numbers(0x11c, 3, 1),
               text(0x10f, "ACME"), text(0x110, "Box (1)"), text(0x8298, "© Jane"), numbers(0x8769, 18, shot_at)]
    mark = (b"II" if order == "<" else b"MM") + struct.pack(order + "HHHQ", 43, 8, 0, shot_at + len(block))
    out.write_bytes(mark + pixels + block + directory(picture, shot_at + len(block)))


def shown_by(recipe, **facts):
    """What a recipe that writes a file shows."""
    with tempfile.NamedTemporaryFile(suffix=".png") as file:
        recipe(file.name, **facts)
        return np.asarray(Image.open(file.name).convert("RGBA"), float) / 255


@functools.cache
def by_name():
    return {one.name: one for one in KINDS}
