# SPDX-License-Identifier: Apache-2.0
"""HEIC files, put together box by box (ISO/IEC 14496-12 and 23008-12) from bit streams of heif-enc, a Debian package that no part of pixmill
uses: so that files are of each kind that phones write, and the expected picture comes from Pillow."""
import functools
import pathlib
import struct
import subprocess
import tempfile
import zlib

import numpy as np
from PIL import Image, ImageCms

import make


# --- boxes ---

def box(kind, *body):
    whole = b"".join(body)
    return struct.pack(">I4s", 8 + len(whole), kind.encode()) + whole


def full(kind, version, flags, *body):
    return box(kind, struct.pack(">I", version << 24 | flags), *body)


def children(data):
    found, at = [], 0
    while at + 8 <= len(data):
        size, kind = struct.unpack(">I4s", data[at:at + 8])
        found.append((kind.decode(), data[at + 8:at + size]))
        at += size
    return found


# --- bit streams ---

def write_png(path, samples):
    """Of 8 or 16 bits, RGB or RGBA."""
    height, width, bands = samples.shape
    deep = samples.dtype == np.uint16
    rows = b"".join(b"\0" + row.tobytes() for row in (samples.astype(">u2") if deep else samples))
    header = struct.pack(">IIBBBBB", width, height, 16 if deep else 8, 6 if bands == 4 else 2, 0, 0, 0)
    pathlib.Path(path).write_bytes(b"\x89PNG\r\n\x1a\n" + make.png_chunk(b"IHDR", header) + make.png_chunk(b"IDAT", zlib.compress(rows)) +
                                   make.png_chunk(b"IEND", b""))


def encode(samples, bits=8, quality=95):
    """[(hvcC, bit stream)]: of the colours, and of alpha where there is one."""
    return encode_bytes(samples.tobytes(), samples.shape, samples.dtype.str, bits, quality)


@functools.lru_cache(maxsize=64)
def encode_bytes(data, shape, kind, bits, quality):
    samples = np.frombuffer(data, kind).reshape(shape)
    with tempfile.TemporaryDirectory() as folder:
        write_png(f"{folder}/a.png", samples)
        subprocess.run(["heif-enc", "-q", str(quality), "-b", str(bits), "-p", "chroma=444", f"{folder}/a.png", "-o", f"{folder}/a.heic"], check=True,
                       capture_output=True, timeout=120)
        data = pathlib.Path(f"{folder}/a.heic").read_bytes()
    meta = dict(children(dict(children(data))["meta"][4:]))
    configurations = [body for kind, body in children(dict(children(meta["iprp"]))["ipco"]) if kind == "hvcC"]
    iloc, streams = meta["iloc"][8:], []
    for i in range(len(iloc) // 18):
        base, _, offset, length = struct.unpack(">IHII", iloc[18 * i + 4:18 * i + 18])
        streams.append(data[base + offset:base + offset + length])
    return list(zip(configurations, streams))


# --- a file ---

class File:
    def __init__(self):
        self.items, self.properties, self.references = [], [], []

    def property(self, data):
        if data not in self.properties:
            self.properties.append(data)
        return self.properties.index(data) + 1

    def add(self, kind, data, properties=(), hidden=False, content_type=None):
        self.items.append((kind, data, [(self.property(p), essential) for p, essential in properties], hidden, content_type))
        return len(self.items)

    def refer(self, kind, source, targets):
        self.references.append(box(kind, struct.pack(f">HH{len(targets)}H", source, len(targets), *targets)))

    def bytes(self, primary, brands=b"heicmif1heicmiaf"):
        ftyp = box("ftyp", brands[:4] + bytes(4) + brands[4:])
        infos = b"".join(full("infe", 2, int(hidden), struct.pack(">HH4s", i, 0, kind.encode()), b"\0",
                              content_type.encode() + b"\0" if content_type else b"")
                         for i, (kind, _, _, hidden, content_type) in enumerate(self.items, 1))
        links = b"".join(struct.pack(">HB", i, len(properties)) + bytes(0x80 * essential | index for index, essential in properties)
                         for i, (_, _, properties, _, _) in enumerate(self.items, 1) if properties)
        linked = sum(1 for item in self.items if item[2])

        def meta(base):
            places, at = b"", base
            for i, (_, data, *_) in enumerate(self.items, 1):
                places += struct.pack(">HHHII", i, 0, 1, at, len(data))
                at += len(data)
            return full("meta", 0, 0, full("hdlr", 0, 0, bytes(4) + b"pict" + bytes(13)), full("pitm", 0, 0, struct.pack(">H", primary)),
                        full("iloc", 0, 0, b"\x44\x00", struct.pack(">H", len(self.items)), places),
                        full("iinf", 0, 0, struct.pack(">H", len(self.items)), infos),
                        full("iref", 0, 0, *self.references) if self.references else b"",
                        box("iprp", box("ipco", *self.properties), full("ipma", 0, 0, struct.pack(">I", linked), links)))
        base = len(ftyp) + len(meta(0)) + 8
        return ftyp + meta(base) + box("mdat", *(item[1] for item in self.items))


def ispe(width, height):
    return full("ispe", 0, 0, struct.pack(">II", width, height))


def pixels_of(bands, bits):
    return full("pixi", 0, 0, bytes([bands] + [bits] * bands))


def even(width, height):
    """HEVC has pairs of columns and rows: the picture that is seen is cut out of one that is a column or row larger."""
    if width % 2 == 0 and height % 2 == 0:
        return []
    return [(box("clap", struct.pack(">IIIIiIiI", width, 1, height, 1, -(width % 2), 2, -(height % 2), 2)), True)]


def still(file, samples, bits, extra=(), hidden=False, premultiplied=False):
    """One coded picture, with its alpha as an auxiliary one."""
    height, width, _ = samples.shape
    extra = [*even(width, height), *extra]
    samples = np.pad(samples, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
    height, width, _ = samples.shape
    streams = encode(samples, bits)
    configuration, stream = streams[0]
    item = file.add("hvc1", stream, [(box("hvcC", configuration), True), (ispe(width, height), False), (pixels_of(3, bits), False), *extra], hidden)
    if len(streams) > 1:
        configuration, stream = streams[1]
        aux = full("auxC", 0, 0, b"urn:mpeg:hevc:2015:auxid:1\0")
        alpha = file.add("hvc1", stream, [(box("hvcC", configuration), True), (ispe(width, height), False), (pixels_of(1, bits), False), (aux, True)], True)
        file.refer("auxl", alpha, [item])
        if premultiplied:
            file.refer("prem", item, [alpha])
    return item


def grid(file, samples, bits, tile, extra):
    """Tiles of one size, the last column and row of which reach beyond the picture, as phones have it."""
    height, width, _ = samples.shape
    columns, rows = -(-width // tile), -(-height // tile)
    padded = np.pad(samples, ((0, rows * tile - height), (0, columns * tile - width), (0, 0)), mode="edge")
    tiles = [still(file, padded[r * tile:(r + 1) * tile, c * tile:(c + 1) * tile].copy(), bits, hidden=True) for r in range(rows) for c in range(columns)]
    item = file.add("grid", struct.pack(">BBBBHH", 0, 0, rows - 1, columns - 1, width, height), [(ispe(width, height), False), *extra])
    file.refer("dimg", item, tiles)
    return item


def exif_of(orientation):
    exif = Image.Exif()
    exif[0x010F], exif[0x0112], exif[0x8298] = "pixmill", int(orientation), "(c) nobody"
    return exif.tobytes()[6:]


def scene(width, height, bits=8, alpha="", flat="", **_):
    samples = np.full((int(height), int(width), 3), 90.0) if flat else make.picture(int(width), int(height), 5)
    if alpha:
        fade = np.broadcast_to(np.linspace(40, 255, int(width))[None, :, None], (int(height), int(width), 1))
        samples = np.concatenate([samples, fade], -1)
    return samples.round().astype(np.uint8) if int(bits) == 8 else (samples * 257).round().astype(np.uint16)


def heic(out, width=160, height=96, bits=8, alpha="", tile=0, irot=0, imir="", exif=0, icc="", nclx="", thumb="", other="", damage="", seed=3, flat="", **_):
    """bits: 8 or 10. alpha: straight or premultiplied. tile: side of the tiles of a grid. exif: its orientation. nclx: primaries/transfer.
    thumb, other: with a thumbnail, with a picture before the primary one. damage: see below."""
    samples, bits, file, extra = scene(width, height, bits, alpha, flat), int(bits), File(), []
    if icc:
        extra.append((box("colr", b"prof", ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()), False))
    if nclx:
        extra.append((box("colr", b"nclx", struct.pack(">HHHB", *(int(n) for n in nclx.split("/")), 6, 0x80)), False))
    if int(irot):
        extra.append((box("irot", bytes([int(irot)])), True))
    if imir:
        extra.append((box("imir", bytes([int(imir)])), True))
    if other: # a picture before the primary one
        still(file, 255 - samples[:64, :64], bits)
    if alpha == "premultiplied":
        most = samples.max() if bits > 8 else 255
        samples = samples.copy()
        samples[..., :3] = (samples[..., :3].astype(float) * samples[..., 3:] / most).round()
    primary = grid(file, samples, bits, int(tile), extra) if int(tile) else still(file, samples, bits, extra, premultiplied=alpha == "premultiplied")
    if int(exif):
        item = file.add("Exif", struct.pack(">I", 0) + exif_of(exif))
        file.refer("cdsc", item, [primary])
    if thumb:
        small = still(file, 255 - samples[:64, :64], bits)
        file.refer("thmb", small, [primary])
    if damage == "itself":
        file.refer("dimg" if int(tile) else "auxl", primary, [primary])
    data = bytearray(file.bytes(primary))
    if damage == "cut":
        data = data[:len(data) * 2 // 3]
    elif damage == "flips": # in the bit streams
        rng = np.random.default_rng(int(seed))
        for at in rng.integers(len(data) // 2, len(data), 200):
            data[at] ^= 1 << int(rng.integers(8))
    elif damage == "size": # the header claims more than the bit stream has
        data = data.replace(ispe(int(width), int(height)), ispe(int(width) * 8, int(height) * 8))
    elif damage == "claims":
        data = data.replace(ispe(int(width), int(height)), ispe(30000, 30000))
    elif damage == "codec":
        data = data.replace(b"hvc1", b"vvc1")
    elif damage == "configuration":
        at = data.index(b"hvcC") + 4
        data[at + 23:at + 60] = bytes(37)
    pathlib.Path(out).write_bytes(data)


def heic_seen(out, width=160, height=96, alpha="", irot=0, imir="", **_):
    """What a viewer shows of it, as a PNG: by Pillow."""
    image = Image.fromarray(scene(width, height, 8, alpha))
    image = image.rotate(90 * int(irot), expand=True)
    if imir:
        image = image.transpose([Image.Transpose.FLIP_TOP_BOTTOM, Image.Transpose.FLIP_LEFT_RIGHT][int(imir)])
    image.save(out, "PNG")


def can_write():
    with tempfile.TemporaryDirectory() as folder:
        try:
            heic(f"{folder}/a.heic", 64, 64)
        except (OSError, subprocess.CalledProcessError):
            return False
    return True


RECIPES = {"heic": heic, "heic_seen": heic_seen}
