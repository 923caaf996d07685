# SPDX-License-Identifier: Apache-2.0
"""Colour profiles, made from numbers: tables as scanners and presses have them, and a curve for grey."""
import itertools
import struct

import numpy as np


def xyz_number(value):
    return struct.pack(">i", int(round(value * 65536)))


def assemble(kind, space, connection, tags):
    """A version 2 profile of these tags; `kind` such as b"mntr"."""
    tags = {b"desc": b"desc\0\0\0\0" + struct.pack(">I", 13) + b"pixmill test\0" + b"\0" * 78, b"cprt": b"text\0\0\0\0none\0",
            b"wtpt": b"XYZ \0\0\0\0" + xyz_number(0.9642) + xyz_number(1) + xyz_number(0.8249), **tags}
    offset, table, body = 132 + 12 * len(tags), b"", b""
    for name, data in tags.items():
        table += name + struct.pack(">II", offset + len(body), len(data))
        body += data + b"\0" * (-len(data) % 4)
    header = struct.pack(">I4sI4s4s4s", offset + len(body), b"none", 0x02400000, kind, space, connection) + b"\0" * 12 + b"acsp"
    header = header.ljust(68, b"\0") + xyz_number(0.9642) + xyz_number(1) + xyz_number(0.8249)
    return header.ljust(128, b"\0") + struct.pack(">I", len(tags)) + table + body


def curve(gamma):
    return b"curv\0\0\0\0" + struct.pack(">IH", 1, int(round(gamma * 256))) + b"\0\0"


def grey(gamma=1.8):
    return assemble(b"mntr", b"GRAY", b"XYZ ", {b"kTRC": curve(gamma)})


def lab_of_linear(rgb):
    """Lab (D50) of linear sRGB."""
    to_xyz = np.array([[0.4360747, 0.3850649, 0.1430804], [0.2225045, 0.7168786, 0.0606169], [0.0139322, 0.0971045, 0.7141733]])
    ratio = rgb @ to_xyz.T / np.array([0.9642, 1, 0.8249])
    f = np.where(ratio > 216 / 24389, np.cbrt(np.maximum(ratio, 0)), (24389 / 27 * ratio + 16) / 116)
    return np.stack([116 * f[..., 1] - 16, 500 * (f[..., 0] - f[..., 1]), 200 * (f[..., 1] - f[..., 2])], -1)


def table(kind, space, channels, points, to_linear):
    """A profile that has only A2B0, the perceptual table: `points` steps along each of `channels`."""
    grid = np.array(list(itertools.product(np.linspace(0, 1, points), repeat=channels)))
    lab = lab_of_linear(to_linear(grid))
    coded = np.stack([lab[:, 0] * 652.8, (lab[:, 1] + 128) * 256, (lab[:, 2] + 128) * 256], -1)
    data = b"mft2\0\0\0\0" + struct.pack(">BBBx", channels, 3, points)
    data += b"".join(xyz_number(value) for value in (1, 0, 0, 0, 1, 0, 0, 0, 1)) + struct.pack(">HH", 2, 2)
    data += struct.pack(">HH", 0, 65535) * channels + np.clip(np.round(coded), 0, 65535).astype(">u2").tobytes()
    data += struct.pack(">HH", 0, 65535) * 3
    return assemble(kind, space, b"Lab ", {b"A2B0": data})


def press():
    """Ink on paper: cyan, magenta, yellow and black take away light, and none of them takes away all."""
    def to_linear(cmyk):
        ink = np.array([[0.05, 0.35, 0.70], [0.60, 0.06, 0.25], [0.90, 0.75, 0.05], [0.02, 0.02, 0.02]])
        light = np.ones((len(cmyk), 3)) * np.array([0.92, 0.90, 0.86])
        for i in range(4):
            light *= 1 - cmyk[:, i:i + 1] * (1 - ink[i])
        return light
    return table(b"prtr", b"CMYK", 4, 9, to_linear)


def scanner():
    """RGB whose red and green are exchanged: a reader that passes over the table shows it at once."""
    return table(b"scnr", b"RGB ", 3, 17, lambda rgb: rgb[:, [1, 0, 2]] ** 2.0)
