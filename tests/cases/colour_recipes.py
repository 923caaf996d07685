# SPDX-License-Identifier: Apache-2.0
"""Pictures whose colours are told in ways that few writers choose: profiles of all kinds and damages, ink, Lab."""
import io
import struct

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
    straight = bytes(range(256))
    one = b"".join(struct.pack(">i", 65536 if i % 4 == 0 else 0) for i in range(9))
    return (b"mft1\0\0\0\0" + bytes([colours, 3, grid, 0]) + one + straight * colours + np.asarray(lab).astype(np.uint8).tobytes() + straight * 3)


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


INKS = [(0, 0, 0, 255), (255, 255, 255, 255), (191, 173, 170, 229), (0, 0, 0, 128), (0, 0, 0, 0), (255, 0, 0, 0), (0, 255, 0, 0), (0, 0, 255, 0)]


def inks(out, alpha=False, **_):
    """Eight squares of ink without a profile: three blacks, grey, paper, cyan, magenta, yellow. 8 px each."""
    row = np.repeat(np.array(INKS, np.uint8), 8, 0)
    Image.fromarray(np.tile(row, (8, 1, 1)), "CMYK").save(out)


def lab(out, width=96, height=64, seed=3, **_):
    """A TIFF in CIE Lab, 8 bits a sample."""
    rgb = make.image(width, height, seed)
    ImageCms.profileToProfile(rgb, ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), 1, outputMode="LAB").save(out, "TIFF")


def spare_bands(out, width=32, height=24, bands=6, **_):
    """A TIFF of RGB and further channels, of which the first is an alpha of 255."""
    width, height, bands = int(width), int(height), int(bands)
    pixels = np.zeros((height, width, bands), np.uint8)
    pixels[..., :3] = np.asarray(make.image(width, height, 4))
    pixels[..., 3:] = 255
    data = pixels.tobytes()
    count = 12
    extra_at = 8 + len(data) + 2 + 12 * count + 4
    many = struct.pack(f"<{bands}H", *[8] * bands)
    spare = struct.pack(f"<{bands - 3}H", 2, *[0] * (bands - 4))
    entries = [(256, 3, 1, width), (257, 3, 1, height), (258, 3, bands, extra_at), (259, 3, 1, 1), (262, 3, 1, 2), (273, 4, 1, 8), (274, 3, 1, 1),
               (277, 3, 1, bands), (278, 3, 1, height), (279, 4, 1, len(data)), (284, 3, 1, 1)]
    extras = (338, 3, bands - 3, extra_at + len(many)) if bands - 3 > 2 else (338, 3, bands - 3, int.from_bytes(spare.ljust(4, b"\0"), "little"))
    directory = b"".join(struct.pack("<HHII", *entry) for entry in entries + [extras])
    with open(out, "wb") as f:
        f.write(b"II*\0" + struct.pack("<I", 8 + len(data)) + data + struct.pack("<H", count) + directory + bytes(4) + many + spare)


RECIPES = {f.__name__: f for f in (profiled, inks, lab, spare_bands)}
