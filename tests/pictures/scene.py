# SPDX-License-Identifier: Apache-2.0
"""What all sources show: smooth colours, saturated patches and a grey wedge, nothing symmetric, so that wrong colours, turns and moves show."""
import io
import struct
import zlib

import numpy as np
from PIL import Image

WIDTH, HEIGHT = 150, 100
PATCHES = [(1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 1, 1), (0, 0, 0), (0.5, 0.5, 0.5), (1, 0.8, 0)]


def colours(width=WIDTH, height=HEIGHT, step=0):
    """RGB from 0 to 1; `step` moves what moves."""
    y, x = np.mgrid[0:height, 0:width].astype(float)
    u, v = (x + 0.5) / width, (y + 0.5) / height
    wave = 2 * np.pi * (u * 1.3 + 0.4 * v)
    rgb = np.stack([0.5 + 0.35 * np.sin(wave + 0.3), 0.5 + 0.35 * np.sin(wave * 0.7 + 5 * v), 0.5 + 0.35 * np.cos(wave * 1.1 - 3 * v)], -1)
    rgb += 0.1 * np.sin(x * 0.31 + step)[..., None] * np.cos(y * 0.23)[..., None]
    wedge = (v > 0.86) & (u > 0.3)
    rgb[wedge] = np.repeat(((u - 0.3) / 0.7)[wedge][:, None], 3, -1)
    side = max(3, width // 12)
    for i, colour in enumerate(PATCHES):
        left = 4 + i * (side + 2)
        rgb[4:4 + side, left:left + side] = colour
    disc = np.hypot(u - 0.2 - 0.12 * step, (v - 0.55) * height / width) < 0.09
    rgb[disc] = (0.9, 0.3 + 0.1 * (step % 3), 0.1)
    return np.clip(rgb, 0, 1)


def opacity(width=WIDTH, height=HEIGHT, hard=False):
    """A disc that fades out, with the upper right corner wholly clear."""
    y, x = np.mgrid[0:height, 0:width].astype(float)
    u, v = (x + 0.5) / width, (y + 0.5) / height
    alpha = np.clip((0.62 - np.hypot(u - 0.42, v - 0.55)) * 6, 0, 1)
    alpha[: height // 4, : width * 2 // 3] = 1
    return (alpha > 0.5).astype(float) if hard else alpha


def pack(array, bits=8):
    return np.round(array * (2 ** bits - 1)).astype(np.uint8 if bits == 8 else np.uint16)


def image(mode="RGB", step=0, width=WIDTH, height=HEIGHT, hard=False):
    """A Pillow image of 8 bits: RGB, RGBA, L or LA."""
    rgb = Image.fromarray(pack(colours(width, height, step)))
    if mode in ("L", "LA"):
        rgb = rgb.convert("L")
    if mode in ("RGBA", "LA"):
        rgb.putalpha(Image.fromarray(pack(opacity(width, height, hard))))
    return rgb


def png(out, bits=16, mode="RGB", chunks=()):
    """A PNG of any depth from 1 bit on, with further chunks ahead of the pixels: more than Pillow writes."""
    planes = {"RGB": colours(), "L": colours() @ np.array([[0.3], [0.59], [0.11]]),
              "RGBA": np.concatenate([colours(), opacity()[..., None]], -1)}
    planes["LA"] = np.concatenate([planes["L"], opacity()[..., None]], -1)
    levels = np.round(planes[mode] * (2 ** bits - 1)).astype(int).reshape(HEIGHT, -1)
    if bits == 16:
        rows = [row.astype(">u2").tobytes() for row in levels]
    else:
        spread = (levels[..., None] >> np.arange(bits - 1, -1, -1)) & 1
        rows = [np.packbits(row.ravel()).tobytes() for row in spread]
    type_ = {"L": 0, "RGB": 2, "LA": 4, "RGBA": 6}[mode]
    head = struct.pack(">IIBBBBB", WIDTH, HEIGHT, bits, type_, 0, 0, 0)
    body = zlib.compress(b"".join(b"\0" + row for row in rows))
    out.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*c) for c in [(b"IHDR", head), *chunks, (b"IDAT", body), (b"IEND", b"")]))


def chunk(name, data):
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def bytes_of(image_, kind, **settings):
    buffer = io.BytesIO()
    image_.save(buffer, kind, **settings)
    return buffer.getvalue()
