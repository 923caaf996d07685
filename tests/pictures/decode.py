# SPDX-License-Identifier: Apache-2.0
"""Any picture as floats of sRGB, upright or as it lies, by Pillow, ImageMagick, avifdec, heif-convert or djxl; profiles by lcms."""
import dataclasses
import functools
import io
import pathlib
import tempfile

import numpy as np
from PIL import Image, ImageCms, ImageSequence

import tools

Image.MAX_IMAGE_PIXELS = None
BLACK_POINT = 0x2000  # lcms' compensation: the darkest ink is shown as black, as presses' pictures always are on screens
RELATIVE = ImageCms.Intent.RELATIVE_COLORIMETRIC
TURNS = {2: [Image.Transpose.FLIP_LEFT_RIGHT], 3: [Image.Transpose.ROTATE_180], 4: [Image.Transpose.FLIP_TOP_BOTTOM],
         5: [Image.Transpose.TRANSPOSE], 6: [Image.Transpose.ROTATE_270], 7: [Image.Transpose.TRANSVERSE], 8: [Image.Transpose.ROTATE_90]}


class Unreadable(Exception):
    """What no judge can open, and why."""


@dataclasses.dataclass
class Picture:
    frames: list             # of arrays, height x width x 4, sRGB and alpha from 0 to 1
    kind: str                # "jpeg", by the file's own bytes
    alpha: bool              # something shows through
    profile: bytes | None
    delays: list             # ms
    loop: int | None         # as the format has it: 0 for ever; None: not said
    bits: int                # a sample

    @property
    def size(self):
        return self.frames[0].shape[1], self.frames[0].shape[0]


def kind_of(head):
    if head.startswith(b"\x89PNG"):
        return "png"
    if head[:4] == b"RIFF":
        return "webp"
    if head[:3] == b"GIF":
        return "gif"
    if head[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
        return "tiff"
    if head[:2] == b"\xff\xd8":
        return "jpeg"
    if head[4:8] == b"ftyp":
        return "avif" if b"avif" in head[8:32] or b"avis" in head[8:32] else "heif"
    if head[:2] == b"\xff\x0a" or head[4:8] == b"JXL ":
        return "jxl"
    return "svg" if b"<svg" in head else "unknown"


@functools.lru_cache(maxsize=64)
def transform(profile, mode):
    """lcms from this profile to sRGB: relative, and perceptual where the profile has no relative table, which lcms does by itself."""
    source = ImageCms.ImageCmsProfile(io.BytesIO(profile)) if profile else ImageCms.createProfile("LAB")
    flags = BLACK_POINT if mode == "CMYK" else 0
    return ImageCms.buildTransform(source, ImageCms.createProfile("sRGB"), mode, "RGB", renderingIntent=RELATIVE, flags=flags)


SPACES = {b"RGB ": "RGB", b"GRAY": "L", b"CMYK": "CMYK", b"Lab ": "LAB"}


def as_floats(image, profile):
    """sRGB and alpha of one frame. A profile that does not fit the pixels says nothing about them."""
    alpha = None
    if image.mode == "P" or "transparency" in image.info:
        image = image.convert("RGBA" if "transparency" in image.info else "RGB")
    if image.mode in ("RGBA", "LA", "PA", "RGBa", "La"):
        image = image.convert({"RGBa": "RGBA", "La": "LA", "PA": "RGBA"}.get(image.mode, image.mode))
        alpha = np.asarray(image.getchannel("A"), float) / 255
        image = image.convert("RGB" if image.mode == "RGBA" else "L")
    if image.mode in ("I;16", "I;16B", "I"):
        image = Image.fromarray((np.asarray(image).astype(np.int64) / 257 + 0.5).astype(np.uint8))
    if image.mode == "1":
        image = image.convert("L")
    fits = profile and SPACES.get(profile[16:20]) == image.mode
    if fits or image.mode == "LAB":
        try:
            image = ImageCms.applyTransform(image, transform(profile if fits else None, image.mode))
        except ImageCms.PyCMSError:
            pass  # no lcms reads it, so no viewer does
    rgb = np.asarray(image.convert("RGB"), float) / 255
    return np.concatenate([rgb, np.ones(rgb.shape[:2] + (1,)) if alpha is None else alpha[..., None]], -1)


def by_pillow(data):
    try:
        image = Image.open(io.BytesIO(data))
        image.load()
    except Exception as error:  # Pillow raises whatever its decoders do
        raise Unreadable(f"Pillow: {error}") from error
    return image


def by_program(name, path, ending, *words):
    """A PNG that another program makes of it."""
    with tempfile.TemporaryDirectory() as folder:
        out = pathlib.Path(folder, "x.png")
        try:
            tools.run(name, *words, path, out)
            return by_pillow(out.read_bytes()), out.read_bytes()[24]
        except (tools.Failed, FileNotFoundError) as error:
            raise Unreadable(str(error)) from error


def samples(path, bits=16):
    """The stored samples of a still as ImageMagick reads them, RGBA of `bits`, without its profile."""
    width, height = map(int, tools.run("identify", "-format", "%w %h\n", f"{path}[0]").split()[:2])
    raw = tools.run("convert", f"{path}[0]", "-depth", bits, "rgba:-")
    return np.frombuffer(raw, "<u2" if bits == 16 else np.uint8).reshape(height, width, 4)


def by_pillow_or_imagemagick(path, data):
    """A TIFF: Pillow has no mode for some kinds of samples."""
    try:
        return by_pillow(data)
    except Unreadable:
        return Image.fromarray(samples(path, 8))


def bits_of(path, kind, data, stored):
    if kind == "png":
        return data[24]
    if kind == "tiff":
        if stored:
            return max(stored.get(258, (1,)))
        return max(map(int, tools.run("exiftool", "-s3", "-n", "-IFD0:BitsPerSample", path).split() or [1]))
    if kind == "avif":
        return int(tools.avif_info(path).get("Bit Depth", 0))
    return 8


def moving_gif(path, image):
    """ImageMagick puts the frames over each other: Pillow writes some of the sources."""
    count = image.n_frames
    raw = np.frombuffer(tools.run("convert", path, "-coalesce", "-depth", 8, "rgba:-"), np.uint8)
    return list(raw.reshape(count, image.height, image.width, 4).astype(float) / 255)


def read(path, turn=True):
    """A Picture; `turn`: by the orientation that it tells, unless the program that decodes it has turned it already."""
    path = pathlib.Path(path)
    data = path.read_bytes()
    kind, delays, loop = kind_of(data[:64]), [], None
    turned, stored = False, {}
    if kind == "avif":
        image, _ = by_program("avifdec", path, "png", "-d", "8")
    elif kind == "heif":
        image, turned = by_program("heif-convert", path, "png")[0], True
    elif kind == "jxl":
        image, turned = by_program("djxl", path, "png")[0], True
    elif kind == "svg":
        image = by_program("convert", f"msvg:{path}", "png", "-background", "none")[0]
    else:
        image = by_pillow(data) if kind != "tiff" else by_pillow_or_imagemagick(path, data)
        stored = dict(getattr(image, "tag_v2", {}))
        if stored:
            turned = image.size != (stored[256], stored[257])  # some versions of Pillow do it
            if len(stored.get(258, (8,))) > 2 and stored[258][0] > 8:
                info, deep = image.info, (samples(path) / 257 + 0.5).astype(np.uint8)
                image = Image.fromarray(deep if image.mode == "RGBA" else deep[..., :3])
                image.info["icc_profile"] = info.get("icc_profile")
    profile = image.info.get("icc_profile") or None
    bits = bits_of(path, kind, data, stored)
    if kind == "gif" and getattr(image, "n_frames", 1) > 1:
        frames = moving_gif(path, image)
        delays, loop = [frame.info.get("duration", 0) for frame in ImageSequence.Iterator(image)], image.info.get("loop")
    elif kind == "webp" and getattr(image, "n_frames", 1) > 1:
        frames = [as_floats(frame.copy(), profile) for frame in ImageSequence.Iterator(image)]
        delays, loop = tools.webp_frames(path)
    else:
        frames = [as_floats(image, profile)]
    if turn and not turned and kind in ("jpeg", "png", "webp", "tiff"):
        frames = [turned_by(frame, orientation(path)) for frame in frames]
    alpha = min(frame[..., 3].min() for frame in frames) < 1
    return Picture(frames, kind, alpha, profile, delays, loop, bits)


def orientation(path):
    return int((tools.run("exiftool", "-n", "-s3", "-Orientation", path).split() or [b"1"])[0])


def turned_by(frame, orientation_):
    for move in TURNS.get(orientation_, []):
        planes = [Image.fromarray(np.ascontiguousarray(frame[..., i].astype(np.float32))).transpose(move) for i in range(4)]
        frame = np.stack([np.asarray(plane, float) for plane in planes], -1)
    return frame
