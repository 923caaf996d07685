#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Sample images, made from numbers: the same every time, none of them anybody's.

    make.py NAME OUT [key=value ...]    one image
    make.py --demo DIR                  a dozen varied ones
    make.py --list                      the names

Needs Debian's python3-pil and python3-numpy. Tests import it.
"""
import io
import struct
import sys
import zlib

import numpy as np
from PIL import Image, ImageDraw


def picture(width, height, seed=1):
    """Something like a photograph: sky, hills, a sun, texture of several frequencies. Float RGB, 0..255."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width].astype(np.float64)
    u, v = x / max(width, 1), y / max(height, 1)
    rgb = np.stack([90 + 120 * v, 140 + 70 * v, 215 - 25 * v], -1)
    sun = np.hypot(u - 0.72, (v - 0.25) * height / max(width, 1))
    rgb += np.clip(0.2 - sun, 0, 1)[..., None] * np.array([900, 700, 250])
    for i, (base, colour) in enumerate([(0.55, (96, 120, 110)), (0.68, (66, 104, 62)), (0.82, (44, 66, 34))]):
        ridge = base + 0.07 * np.sin(u * (6 + 3 * i) + seed + i) + 0.02 * np.sin(u * (31 + 7 * i) + 2 * i)
        grain = 14 * np.sin(x * (0.21 + 0.1 * i)) * np.cos(y * (0.17 + 0.05 * i)) + 9 * np.sin((x + y) * 0.9)
        inside = (v > ridge)[..., None]
        rgb = np.where(inside, np.array(colour) + grain[..., None] + 60 * (v - ridge)[..., None], rgb)
    small = rng.normal(0, 5, (height // 2 + 1, width // 2 + 1, 1))
    rgb += np.kron(small, np.ones((2, 2, 1)))[:height, :width]
    return np.clip(rgb, 0, 255)


def image(width=1600, height=1200, seed=1):
    return Image.fromarray(picture(int(width), int(height), int(seed)).astype(np.uint8))


def exif(tags=None, gps=None, orientation=None):
    data = Image.Exif()
    for tag, value in (tags or {}).items():
        data[tag] = value
    if orientation:
        data[0x0112] = orientation
    if gps:
        data[0x8825] = gps
    return data


def photo(out, width=1600, height=1200, seed=1, quality=90, **_):
    image(width, height, seed).save(out, "JPEG", quality=int(quality))


def rotated(out, orientation=6, width=900, height=600, **_):
    """A JPEG whose pixels lie as a camera held that way stores them; upright they are all the same."""
    undo = {2: [Image.Transpose.FLIP_LEFT_RIGHT], 3: [Image.Transpose.ROTATE_180], 4: [Image.Transpose.FLIP_TOP_BOTTOM],
            5: [Image.Transpose.TRANSPOSE], 6: [Image.Transpose.ROTATE_90], 7: [Image.Transpose.TRANSVERSE],
            8: [Image.Transpose.ROTATE_270]}
    stored = image(width, height)
    for turn in undo.get(int(orientation), []):
        stored = stored.transpose(turn)
    stored.save(out, "JPEG", quality=92, exif=exif(orientation=int(orientation)))


def alpha(out, width=600, height=400, **_):
    """A disc that fades into nothing."""
    width, height = int(width), int(height)
    rgb = image(width, height, 3)
    y, x = np.mgrid[0:height, 0:width]
    distance = np.hypot((x - width / 2) / width, (y - height / 2) / height)
    rgb.putalpha(Image.fromarray(np.clip((0.5 - distance) * 900, 0, 255).astype(np.uint8)))
    rgb.save(out, "PNG")


def cmyk(out, width=800, height=600, **_):
    image(width, height, 5).convert("CMYK").save(out, "JPEG", quality=90)


def grey(out, width=800, height=600, **_):
    image(width, height, 6).convert("L").save(out, "JPEG", quality=90)


def palette(out, width=400, height=300, **_):
    image(width, height, 7).quantize(64).save(out, "PNG")


def png_chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def deep(out, width=500, height=400, **_):
    """A PNG of 16 bits a sample, which Pillow cannot write."""
    width, height = int(width), int(height)
    samples = (picture(width, height, 8) * 257).astype(">u2")
    rows = b"".join(b"\0" + row.tobytes() for row in samples)
    with open(out, "wb") as f:
        f.write(b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 16, 2, 0, 0, 0)) +
                png_chunk(b"IDAT", zlib.compress(rows)) + png_chunk(b"IEND", b""))


def frames(width, height, count):
    result = []
    for i in range(int(count)):
        frame = image(width, height, 9).copy()
        draw = ImageDraw.Draw(frame)
        at = i * int(width) // int(count)
        draw.ellipse([at, int(height) // 3, at + int(height) // 3, int(height) * 2 // 3], fill=(230, 60, 40))
        result.append(frame)
    return result


def animated_gif(out, width=240, height=160, frames_=6, **_):
    all_frames = [f.quantize(128) for f in frames(width, height, frames_)]
    all_frames[0].save(out, "GIF", save_all=True, append_images=all_frames[1:], duration=[80 + 40 * i for i in range(len(all_frames))],
                       loop=3, disposal=1)


def animated_webp(out, width=240, height=160, frames_=6, **_):
    all_frames = frames(width, height, frames_)
    all_frames[0].save(out, "WEBP", save_all=True, append_images=all_frames[1:], duration=[100 + 50 * i for i in range(len(all_frames))],
                       loop=0, quality=80)


def webp(out, width=800, height=600, **_):
    image(width, height, 10).save(out, "WEBP", quality=85)


def tiff(out, width=800, height=600, **_):
    image(width, height, 11).save(out, "TIFF", compression="tiff_lzw")


def avif(out, width=640, height=480, **_):
    image(width, height, 12).save(out, "AVIF", quality=70)


def wide_profile():
    """A display profile with wider primaries than sRGB (those of P3, white point D65, gamma 2.2), matrix type, version 2."""
    def s15(value):
        return struct.pack(">i", int(round(value * 65536)))
    tags = {b"wtpt": b"XYZ \0\0\0\0" + s15(0.9642) + s15(1) + s15(0.8249),
            b"rXYZ": b"XYZ \0\0\0\0" + s15(0.5151) + s15(0.2412) + s15(-0.0011),
            b"gXYZ": b"XYZ \0\0\0\0" + s15(0.2920) + s15(0.6922) + s15(0.0419),
            b"bXYZ": b"XYZ \0\0\0\0" + s15(0.1571) + s15(0.0666) + s15(0.7841),
            b"rTRC": b"curv\0\0\0\0" + struct.pack(">IH", 1, 563) + b"\0\0",
            b"desc": b"desc\0\0\0\0" + struct.pack(">I", 12) + b"pixmill wide" + b"\0" * 78,
            b"cprt": b"text\0\0\0\0none\0\0\0\0"}
    tags[b"gTRC"] = tags[b"bTRC"] = tags[b"rTRC"]
    offset, table, body = 132 + 12 * len(tags), b"", b""
    for name, data in tags.items():
        data += b"\0" * (-len(data) % 4)
        table += name + struct.pack(">II", offset + len(body), len(data))
        body += data
    size = offset + len(body)
    header = struct.pack(">I4sI4s4s4s", size, b"none", 0x02400000, b"mntr", b"RGB ", b"XYZ ") + b"\0" * 12 + b"acsp" + b"\0" * 28
    header += s15(0.9642) + s15(1) + s15(0.8249) + b"\0" * 48
    return header[:128] + struct.pack(">I", len(tags)) + table + body


def wide(out, width=600, height=400, **_):
    """A JPEG in a wide-gamut space: the numbers mean stronger colours than in sRGB."""
    image(width, height, 13).save(out, "JPEG", quality=92, icc_profile=wide_profile())


XMP = b"""<?xpacket begin="\xef\xbb\xbf" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF
xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/"
xmlns:photoshop="http://ns.adobe.com/photoshop/1.0/" photoshop:City="Secretville"><dc:rights><rdf:Alt><rdf:li
xml:lang="x-default">(c) Jane Doe</rdf:li></rdf:Alt></dc:rights></rdf:Description></rdf:RDF></x:xmpmeta><?xpacket end="w"?>"""


def tagged(out, width=800, height=600, **_):
    """GPS, camera, copyright, XMP and a comment."""
    gps = {1: "N", 2: (48.0, 51.0, 30.0), 3: "E", 4: (2.0, 17.0, 40.0)}
    tags = {0x010F: "ACME", 0x0110: "Box 1", 0x8298: "(c) Jane Doe", 0x013B: "Jane Doe", 0x0132: "2026:11:23 10:00:00"}
    buffer = io.BytesIO()
    image(width, height, 14).save(buffer, "JPEG", quality=90, exif=exif(tags, gps), comment=b"a secret comment")
    data = buffer.getvalue()
    packet = b"http://ns.adobe.com/xap/1.0/\0" + XMP
    with open(out, "wb") as f:
        f.write(data[:2] + b"\xff\xe1" + struct.pack(">H", len(packet) + 2) + packet + data[2:])


def tiny(out, **_):
    Image.new("RGB", (1, 1), (200, 30, 30)).save(out, "PNG")


def extreme(out, width=2000, height=20, **_):
    image(width, height, 15).save(out, "PNG")


def truncated(out, width=1200, height=900, keep=0.4, **_):
    buffer = io.BytesIO()
    image(width, height, 16).save(buffer, "JPEG", quality=90)
    with open(out, "wb") as f:
        f.write(buffer.getvalue()[: int(len(buffer.getvalue()) * float(keep))])


def bomb(out, width=50000, height=50000, **_):
    """A few bytes that claim to be a huge picture."""
    with open(out, "wb") as f:
        f.write(b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", struct.pack(">IIBBBBB", int(width), int(height), 8, 6, 0, 0, 0)) +
                png_chunk(b"IDAT", zlib.compress(b"\0" * 1000)) + png_chunk(b"IEND", b""))


def flat(out, width=200, height=100, color="#3060c0", mode="RGB", **_):
    """One colour, in the format that the ending of `out` names."""
    Image.new(mode, (int(width), int(height)), color).save(out)


def logo(out, width=320, height=120, **_):
    """A translucent badge to put on pictures."""
    width, height = int(width), int(height)
    badge = Image.new("RGBA", (width, height), (0, 0, 0, 0))
    draw = ImageDraw.Draw(badge)
    draw.rounded_rectangle([2, 2, width - 3, height - 3], height // 4, fill=(255, 255, 255, 210), outline=(20, 60, 120, 255), width=4)
    for i in range(3):
        draw.ellipse([20 + i * 32, 30, 70 + i * 32, 80 + i * 3], fill=[(220, 60, 50, 255), (240, 180, 40, 255), (40, 120, 200, 255)][i])
    draw.text((width // 2, height // 2 - 6), "pixmill", fill=(20, 60, 120, 255))
    badge.save(out, "PNG")


RECIPES = {name: value for name, value in list(globals().items())
           if callable(value) and name in ("photo rotated alpha cmyk grey palette deep animated_gif animated_webp webp tiff avif wide "
                                           "tagged tiny extreme truncated bomb flat logo").split()}

DEMO = [("photo", "holiday.jpg", {"width": 2400, "height": 1600}), ("alpha", "logo-like.png", {}), ("rotated", "turned-left.jpg", {"orientation": 6}),
        ("rotated", "upside-down.jpg", {"orientation": 3}), ("cmyk", "print.jpg", {}), ("deep", "sixteen-bit.png", {}),
        ("animated_gif", "bouncing.gif", {}), ("animated_webp", "moving.webp", {}), ("grey", "grey.jpg", {}), ("wide", "wide-gamut.jpg", {}),
        ("tagged", "with-gps.jpg", {}), ("tiff", "scan.tif", {}), ("truncated", "cut-off.jpg", {})]


def make(name, out, **parameters):
    RECIPES[name](str(out), **parameters)


def main(arguments):
    if arguments[:1] == ["--list"]:
        print("\n".join(sorted(RECIPES)))
    elif len(arguments) == 2 and arguments[0] == "--demo":
        for name, file, parameters in DEMO:
            make(name, f"{arguments[1]}/{file}", **parameters)
    elif len(arguments) >= 2 and arguments[0] in RECIPES:
        make(arguments[0], arguments[1], **dict(pair.split("=", 1) for pair in arguments[2:]))
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main(sys.argv[1:])
