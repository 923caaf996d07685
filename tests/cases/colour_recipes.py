# SPDX-License-Identifier: Apache-2.0
"""Pictures whose colours are told in ways that few writers choose: profiles of all kinds and damages, ink, Lab."""
import io
import os
import pathlib
import struct
import subprocess
import zlib

import numpy as np
from PIL import Image, ImageCms

import make


def tagged(tags, space=b"RGB ", pcs=b"XYZ ", kind=b"mntr", version=0x02400000):
    """An ICC profile of these tags."""
    offset, table, body = 132 + 12 * len(tags), b"", b""
    for name, data in tags.items():
        data += b"\0" * (-len(data) % 4)
        table += name + struct.pack(">II", offset + len(body), len(data))
        body += data
    white = b"".join(struct.pack(">i", round(value * 65536)) for value in (0.9642, 1, 0.8249))
    header = struct.pack(">I4sI4s4s4s", offset + len(body), b"none", version, kind, space, pcs) + bytes(12) + b"acsp" + bytes(28) + white + bytes(48)
    return header + struct.pack(">I", len(tags)) + table + body


def curve(gamma=2.2):
    return b"curv\0\0\0\0" + struct.pack(">IH", 1, round(gamma * 256)) + b"\0\0"


def table(colours, grid, to_rgb):
    """An mft1 table from `colours` device values to Lab; `to_rgb` says what sRGB they mean."""
    axes = np.meshgrid(*[np.linspace(0, 1, grid)] * colours, indexing="ij")
    rgb = np.clip(to_rgb(np.stack(axes, -1).reshape(-1, colours)), 0, 1)
    nodes = Image.fromarray((rgb * 255 + 0.5).astype(np.uint8)[None])
    lab = ImageCms.profileToProfile(nodes, ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), 1, outputMode="LAB")
    lab = np.asarray(lab).astype(np.uint8) ^ np.array([0, 128, 128], np.uint8)  # Pillow hands out signed a and b, a table's count from 128
    straight = bytes(range(256))
    one = b"".join(struct.pack(">i", 65536 if i % 4 == 0 else 0) for i in range(9))
    return (b"mft1\0\0\0\0" + bytes([colours, 3, grid, 0]) + one + straight * colours + lab.tobytes() + straight * 3)


def turned(rgb):
    """What is stored as red, green, blue means blue, red, green: nobody misses it."""
    return rgb[:, [1, 2, 0]]


def ink(cmyk):
    return (1 - cmyk[:, :3]) * (1 - cmyk[:, 3:])


COPY = {b"desc": b"desc\0\0\0\0" + struct.pack(">I", 5) + b"test\0" + bytes(79), b"cprt": b"text\0\0\0\0none\0\0\0\0",
        b"wtpt": b"XYZ \0\0\0\0" + struct.pack(">iii", 63190, 65536, 54061)}


def outside(profile):
    """A tag more than there is."""
    entry = profile[132:144]
    assert entry[:4] == b"wtpt"
    return profile[:132] + b"wtpt" + struct.pack(">II", len(profile), 20) + profile[144:]


PROFILES = {
    "wide": make.wide_profile,
    "junk": lambda: b"this is not a profile " * 20,
    "padded": lambda: make.wide_profile() + b"\0" * 7,
    "cut": lambda: make.wide_profile()[:400],
    "outside": lambda: outside(make.wide_profile()),
    "link": lambda: make.wide_profile().replace(b"mntr", b"link"),
    "version5": lambda: make.wide_profile()[:8] + b"\5" + make.wide_profile()[9:],
    "grey": lambda: tagged({**COPY, b"kTRC": curve(1.0)}, b"GRAY"),
    "table": lambda: tagged({**COPY, b"A2B0": table(3, 9, turned)}, pcs=b"Lab "),
    "broken_table": lambda: tagged({**COPY, b"A2B0": table(3, 9, turned)[:2000]}, pcs=b"Lab "),
    "ink_table": lambda: tagged({**COPY, b"A2B0": table(4, 6, lambda cmyk: turned(ink(cmyk)))}, b"CMYK", b"Lab ", b"prtr"),
}


def profiled(out, profile="wide", mode="RGB", width=96, height=64, seed=3, **_):
    """A picture with one of PROFILES; the format is that of the ending."""
    image = make.image(width, height, seed).convert(mode)
    image.save(out, icc_profile=PROFILES[profile](), **({"quality": 95, "subsampling": 0} if out.endswith("jpg") else {}))


def late_profile(out, **_):
    """A JPEG whose profile stands after the frame header, which no standard forbids."""
    buffer = io.BytesIO()
    make.image(96, 64, 3).save(buffer, "JPEG", quality=95, subsampling=0, icc_profile=make.wide_profile())
    data, at, first, last = buffer.getvalue(), 2, b"", b""
    while data[at + 1] != 0xda:
        segment = data[at:at + 2 + struct.unpack(">H", data[at + 2:at + 4])[0]]
        first, last = (first, last + segment) if segment[1] == 0xe2 else (first + segment, last)
        at += len(segment)
    pathlib.Path(out).write_bytes(data[:2] + first + last + data[at:])


KEYS = {"space": b" lead", "tab": b"a\tb", "control": b"a\x01b", "high": b"a\x85b", "long": b"k" * 90, "empty": b"", "blank": b" ", "latin": b"Stra\xdfe"}


def odd_text(out, key="tab", kind="tEXt", **_):
    """A PNG with a text whose key breaks the rules."""
    body = {"tEXt": b"\0value", "zTXt": b"\0\0" + zlib.compress(b"value"), "iTXt": b"\0\0\0\0\0value"}[kind]
    buffer = io.BytesIO()
    make.image(96, 64, 3).save(buffer, "PNG")
    data = buffer.getvalue()
    pathlib.Path(out).write_bytes(data[:33] + make.png_chunk(kind.encode(), KEYS[key] + body) + data[33:])


INKS = [(0, 0, 0, 255), (255, 255, 255, 255), (191, 173, 170, 229), (0, 0, 0, 128), (0, 0, 0, 0), (255, 0, 0, 0), (0, 255, 0, 0), (0, 0, 255, 0)]


def inks(out, alpha=False, **_):
    """Eight squares of ink without a profile: three blacks, grey, paper, cyan, magenta, yellow. 8 px each."""
    row = np.repeat(np.array(INKS, np.uint8), 8, 0)
    Image.fromarray(np.tile(row, (8, 1, 1)), "CMYK").save(out)


def write_tiff(out, pixels, photometric, bits, *more):
    """Little-endian, one strip. `more`: entries, (tag, [shorts]) or (tag, [bytes], "B")."""
    height, width, bands = pixels.shape
    data = pixels.tobytes()
    entries = [(256, 3, [width]), (257, 3, [height]), (258, 3, [bits] * bands), (259, 3, [1]), (262, 3, [photometric]), (273, 4, [8]), (274, 3, [1]),
               (277, 3, [bands]), (278, 3, [height]), (279, 4, [len(data)]), (284, 3, [1])] + [(tag, {"B": 1}.get("".join(kind), 3), values) for tag, values, *kind in more]
    directory, extra, extra_at = b"", b"", 8 + len(data) + 2 + 12 * len(entries) + 4
    for tag, kind, values in entries:
        packed = struct.pack(f"<{len(values)}{' B HI'[kind]}", *values)
        if len(packed) > 4:
            packed, extra = struct.pack("<I", extra_at + len(extra)), extra + packed
        directory += struct.pack("<HHI", tag, kind, len(values)) + packed.ljust(4, b"\0")
    with open(out, "wb") as f:
        f.write(b"II*\0" + struct.pack("<I", 8 + len(data)) + data + struct.pack("<H", len(entries)) + directory + bytes(4) + extra)


def lab(out, bits=8, width=96, height=64, seed=3, **_):
    """A TIFF in CIE Lab, counted from D50."""
    if int(bits) == 8:
        rgb = make.image(width, height, seed)
        ImageCms.profileToProfile(rgb, ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), 1, outputMode="LAB").save(out, "TIFF")
        return
    to_d50 = np.array([[0.4360747, 0.3850649, 0.1430804], [0.2225045, 0.7168786, 0.0606169], [0.0139322, 0.0971045, 0.7141733]])
    xyz = light_of(make.picture(int(width), int(height), int(seed)) / 255) @ to_d50.T / [0.9642, 1, 0.8249]
    f = np.where(xyz > 216 / 24389, np.cbrt(xyz), (24389 / 27 * xyz + 16) / 116)
    values = np.stack([(116 * f[..., 1] - 16) * 655.35, 500 * 256 * (f[..., 0] - f[..., 1]), 200 * 256 * (f[..., 1] - f[..., 2])], -1)
    write_tiff(out, np.round(values).astype(np.int64).astype("<u2"), 8, 16)


def spare_bands(out, width=32, height=24, bands=6, **_):
    """A TIFF of RGB and further channels, of which the first is an alpha of 255."""
    width, height, bands = int(width), int(height), int(bands)
    pixels = np.zeros((height, width, bands), np.uint8)
    pixels[..., :3] = np.asarray(make.image(width, height, 4))
    pixels[..., 3:] = 255
    write_tiff(out, pixels, 2, 8, (338, [2] + [0] * (bands - 4)))


# Colours told by code points or PNG's own numbers. The picture is encoded here, by formulas of the standards, so that what it shows in sRGB
# is known.

TO_XYZ = {"srgb": [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]],
          "p3": [[0.4865709, 0.2656677, 0.1982173], [0.2289746, 0.6917385, 0.0792869], [0.0, 0.0451134, 1.0439444]],
          "bt2020": [[0.6369580, 0.1446169, 0.1688810], [0.2627002, 0.6779981, 0.0593017], [0.0, 0.0280727, 1.0609851]]}
PRIMARIES = {"srgb": 1, "p3": 12, "bt2020": 9}


def srgb_curve(light):
    return np.where(light <= 0.0031308, light * 12.92, 1.055 * np.maximum(light, 0) ** (1 / 2.4) - 0.055)


def light_of(value):
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)


def pq_curve(light):
    """1 is 203 nit."""
    power = (np.maximum(light, 0) * 203 / 10000) ** 0.1593017578125
    return ((0.8359375 + 18.8515625 * power) / (1 + 18.6875 * power)) ** 78.84375


def hlg_curve(light):
    scene = np.clip(light * 0.203, 0, 1) ** (1 / 1.2)
    return np.where(scene <= 1 / 12, np.sqrt(3 * scene), 0.17883277 * np.log(np.maximum(12 * scene - 0.28466892, 1e-9)) + 0.55991073)


TRANSFERS = {"srgb": (13, srgb_curve), "television": (1, srgb_curve), "linear": (8, lambda light: light), "gamma28": (5, lambda light: light ** (1 / 2.8)),
             "pq": (16, pq_curve), "hlg": (18, hlg_curve)}


def numbers(width, height, seed, space, curve, most=1.0):
    """Float RGB from 0 to 1: the sample picture, no lighter than `most`, as that space writes it."""
    light = light_of(make.picture(int(width), int(height), int(seed)) / 255) * most
    there = light @ (np.linalg.inv(TO_XYZ[space]) @ np.array(TO_XYZ["srgb"])).T
    return np.clip(curve(np.clip(there, 0, 1)), 0, 1)


def deep_png(out, values, *chunks):
    """16 bits a sample, with these chunks before the pixels."""
    height, width, bands = values.shape
    rows = b"".join(b"\0" + row.tobytes() for row in (values * 65535 + 0.5).astype(">u2"))
    kind = {1: 0, 3: 2}[bands]
    with open(out, "wb") as f:
        f.write(b"\x89PNG\r\n\x1a\n" + make.png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 16, kind, 0, 0, 0)) + b"".join(chunks)
                + make.png_chunk(b"IDAT", zlib.compress(rows)) + make.png_chunk(b"IEND", b""))


def coded_png(out, space="srgb", transfer="srgb", most=1.0, width=96, height=64, seed=3, profile="", **_):
    """cICP; with an ICC profile, too, which counts for nothing beside it."""
    code, curve_ = TRANSFERS[transfer]
    icc = [make.png_chunk(b"iCCP", b"x\0\0" + zlib.compress(PROFILES[profile]()))] if profile else []
    deep_png(out, numbers(width, height, seed, space, curve_, float(most)), *icc, make.png_chunk(b"cICP", bytes([PRIMARIES[space], code, 0, 1])))


def shown(out, most=1.0, grey="", width=96, height=64, seed=3, **_):
    """What coded_png() shows, in sRGB; grey: what its green alone shows."""
    values = srgb_curve(light_of(make.picture(int(width), int(height), int(seed)) / 255) * float(most))
    values = values[..., [1, 1, 1]] if grey else values
    Image.fromarray((np.clip(values, 0, 1) * 255 + 0.5).astype(np.uint8)).save(out)


def coded_avif(out, space="p3", transfer="srgb", most=1.0, width=96, height=64, seed=3, **_):
    """By the vips program, with its code points replaced."""
    code, curve_ = TRANSFERS[transfer]
    values = numbers(width, height, seed, space, curve_, float(most))
    Image.fromarray((values * 255 + 0.5).astype(np.uint8)).save(out + ".png")
    subprocess.run(["vips", "copy", out + ".png", out + "[Q=95,subsample-mode=off]"], check=True, capture_output=True, timeout=60)
    os.unlink(out + ".png")
    with open(out, "r+b") as f:
        data = bytearray(f.read())
        at = data.index(b"colrnclx") + 8
        data[at:at + 4] = struct.pack(">HH", PRIMARIES[space], code)
        f.seek(0)
        f.write(data)


def multiplied_avif(out, width=96, height=64, **_):
    """Stored with its colours multiplied by the alpha, which falls to a quarter on the right."""
    pixels = Image.new("RGBA", (int(width), int(height)), (200, 100, 40, 255))
    pixels.paste((200, 100, 40, 64), (int(width) // 2, 0, int(width), int(height)))
    pixels.save(out + ".png")
    subprocess.run(["avifenc", "-p", "-y", "444", "--min", "0", "--max", "2", out + ".png", out], check=True, capture_output=True, timeout=60)
    os.unlink(out + ".png")


def gamma_png(out, gamma=1.0, grey="", space="srgb", width=96, height=64, seed=3, **_):
    """gAMA, and cHRM unless the space is sRGB's."""
    values = numbers(width, height, seed, space, lambda light: light ** (1 / float(gamma)))
    chunks = [make.png_chunk(b"gAMA", struct.pack(">I", round(100000 / float(gamma))))]
    if space == "p3":
        chunks.append(make.png_chunk(b"cHRM", struct.pack(">8I", 31270, 32900, 68000, 32000, 26500, 69000, 15000, 6000)))
    deep_png(out, values[..., 1:2] if grey else values, *chunks)


def nits(out, transfer="pq", **_):
    """Three squares of 8 px of grey: 50, 203 and 1000 nit."""
    curve_ = TRANSFERS[transfer][1]
    row = np.repeat(curve_(np.array([50, 203, 1000]) / 203), 8)
    deep_png(out, np.tile(row[None, :, None], (8, 1, 3)), make.png_chunk(b"cICP", bytes([9, TRANSFERS[transfer][0], 0, 1])))


RECIPES = {f.__name__: f for f in (profiled, late_profile, odd_text, inks, lab, spare_bands, coded_png, shown, coded_avif, multiplied_avif, gamma_png, nits)}
