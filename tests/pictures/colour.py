# SPDX-License-Identifier: Apache-2.0
"""Distances between pictures, as floats of sRGB from 0 to 1: CIEDE2000, and how far one lies beside the other."""
import numpy as np

TO_XYZ = np.array([[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]])
WHITE = np.array([0.95047, 1.0, 1.08883])


def lab(rgb):
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((np.maximum(rgb, 0) + 0.055) / 1.055) ** 2.4)
    ratio = linear @ TO_XYZ.T / WHITE
    f = np.where(ratio > 216 / 24389, np.cbrt(np.maximum(ratio, 0)), (24389 / 27 * ratio + 16) / 116)
    return np.stack([116 * f[..., 1] - 16, 500 * (f[..., 0] - f[..., 1]), 200 * (f[..., 1] - f[..., 2])], -1)


def ciede2000(one, two):
    """Of Lab values; Sharma, Wu and Dalal, "The CIEDE2000 Color-Difference Formula", 2005."""
    (l1, a1, b1), (l2, a2, b2) = np.moveaxis(one, -1, 0), np.moveaxis(two, -1, 0)
    mean_chroma = (np.hypot(a1, b1) + np.hypot(a2, b2)) / 2
    g = 0.5 * (1 - np.sqrt(mean_chroma ** 7 / (mean_chroma ** 7 + 25.0 ** 7)))
    a1, a2 = a1 * (1 + g), a2 * (1 + g)
    c1, c2 = np.hypot(a1, b1), np.hypot(a2, b2)
    h1, h2 = np.degrees(np.arctan2(b1, a1)) % 360, np.degrees(np.arctan2(b2, a2)) % 360
    grey = c1 * c2 == 0
    turn = np.where(grey, 0, (h2 - h1 + 180) % 360 - 180)
    dl, dc, dh = l2 - l1, c2 - c1, 2 * np.sqrt(c1 * c2) * np.sin(np.radians(turn) / 2)
    l, c = (l1 + l2) / 2, (c1 + c2) / 2
    h = np.where(grey, h1 + h2, (h1 + turn / 2) % 360)
    t = (1 - 0.17 * np.cos(np.radians(h - 30)) + 0.24 * np.cos(np.radians(2 * h)) + 0.32 * np.cos(np.radians(3 * h + 6))
         - 0.20 * np.cos(np.radians(4 * h - 63)))
    sl = 1 + 0.015 * (l - 50) ** 2 / np.sqrt(20 + (l - 50) ** 2)
    sc, sh = 1 + 0.045 * c, 1 + 0.015 * c * t
    rc = 2 * np.sqrt(c ** 7 / (c ** 7 + 25.0 ** 7))
    rt = -np.sin(np.radians(60 * np.exp(-(((h - 275) / 25) ** 2)))) * rc
    return np.sqrt(np.maximum((dl / sl) ** 2 + (dc / sc) ** 2 + (dh / sh) ** 2 + rt * (dc / sc) * (dh / sh), 0))


def over(rgba, background):
    return rgba[..., :3] * rgba[..., 3:] + np.asarray(background, float) * (1 - rgba[..., 3:])


def difference(want, got):
    """CIEDE2000 of each pixel; what is transparent is compared over black and over white, and the worse counts."""
    shades = [1.0] if want[..., 3].min() == 1 and got[..., 3].min() == 1 else [0.0, 1.0]
    return np.max([ciede2000(lab(over(want, (s,) * 3)), lab(over(got, (s,) * 3))) for s in shades], axis=0)


def shift(want, got, margin=3):
    """How far `got` lies to the right of and below `want`, in pixels: the move that explains most of what differs, by least squares over
    the gradient (Lucas and Kanade). Exact to some thousandths for small moves."""
    weights = np.array([0.3, 0.6, 0.1])
    one, two = (over(image, (1, 1, 1)) @ weights for image in (want, got))
    down, right = np.gradient((one + two) / 2)
    inner = (slice(margin, -margin),) * 2
    down, right, change = down[inner].ravel(), right[inner].ravel(), (two - one)[inner].ravel()
    # Hard edges carry the ringing of two kernels, not a place.
    soft = np.hypot(down, right) <= np.quantile(np.hypot(down, right), 0.97)
    columns = np.stack([right, down, np.ones_like(right)], -1)[soft]
    solved = np.linalg.lstsq(columns, -change[soft], rcond=None)[0]
    return float(solved[0]), float(solved[1])


def resize(rgba, width, height, box=None):
    """By Pillow's Lanczos in floating point, colours weighted by alpha. Independent of how libvips does it."""
    from PIL import Image
    planes = np.concatenate([rgba[..., :3] * rgba[..., 3:], rgba[..., 3:]], -1).astype(np.float32)
    small = np.stack([np.asarray(Image.fromarray(np.ascontiguousarray(planes[..., i])).resize((width, height), Image.Resampling.LANCZOS, box=box))
                      for i in range(4)], -1).astype(np.float64)
    alpha = np.clip(small[..., 3:], 0, 1)
    return np.concatenate([np.clip(small[..., :3] / np.maximum(alpha, 1e-6), 0, 1), alpha], -1)
