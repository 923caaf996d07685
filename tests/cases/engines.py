# SPDX-License-Identifier: Apache-2.0
"""Whether what one engine made of a case looks like what the other made of it (PIXMILL_ENGINE)."""
import re

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from PIL import ImageSequence

import check

PICTURES = {".jpg", ".png", ".webp", ".gif", ".tif", ".avif"}
MEAN = 1     # levels of 255, over the whole picture ..
TINY = 16    # .. twice that where a side is below so many px: it is all border
LOSSY = 4    # .. and after an encoder that rounds what differs by one level into another block
MOST = 3     # levels at any pixel ..
EDGE = 16    # .. but where a step of more than so many levels is near: libvips rounds between its two directions, and rings otherwise
NEAR = 3     # px


def rerun(case):
    """A case that the other engine may do otherwise: it scales. One that names an engine is about it."""
    return not any("PIXMILL_ENGINE" in part.get("env", {}) for part in [case] + case.get("steps", [])) and re.search(r"resize|\d+x|x\d+", str(case))


def pictures(work):
    """{name: path} of what a case wrote."""
    found = (path for path in work.rglob("*") if path.suffix in PICTURES and path.is_file())
    return {str(path.relative_to(work)): path for path in found if path.relative_to(work).parts[0] != "in"}


def frames(path):
    image, _ = check.opened(path)
    if getattr(image, "n_frames", 1) == 1:
        return [check.pixels(image)]
    return [check.pixels(frame) for frame in ImageSequence.Iterator(image)]


def is_exact(path):
    """What was encoded is what is read."""
    data = path.read_bytes()
    return (data[:4] == b"\x89PNG" and data[25] != 3) or (data[:4] == b"RIFF" and b"VP8L" in data[:64])


def near_edges(picture):
    """The pixels with a step, or the border, near them."""
    steps = np.zeros(picture.shape[:2])
    for axis in (0, 1):
        step = np.abs(np.diff(picture, axis=axis)).max(axis=2)
        for at in (slice(0, -1), slice(1, None)):
            place = (at, slice(None)) if axis == 0 else (slice(None), at)
            steps[place] = np.maximum(steps[place], step)
    steps = np.pad(steps, NEAR, constant_values=255)
    return sliding_window_view(steps, (2 * NEAR + 1, 2 * NEAR + 1)).max(axis=(2, 3)) > EDGE


def judge_frame(a, b, exact):
    if a.shape != b.shape:
        return f"it is {a.shape[1]}x{a.shape[0]} and {b.shape[1]}x{b.shape[0]}"
    apart = np.abs(a - b)
    allowed = LOSSY if not exact else 2 * MEAN if min(a.shape[:2]) < TINY else MEAN
    if apart.mean() > allowed:
        return f"they differ by {apart.mean():.2f} levels on average, more than {allowed}"
    most = apart.max(axis=2)[~near_edges(b)].max(initial=0) if exact else 0
    return f"they differ by {most:.0f} levels away from edges, more than {MOST}" if most > MOST else None


def judge(work, other):
    """What is wrong with a case that was run in both folders, by an engine each."""
    ours, theirs = pictures(work), pictures(other)
    problems = [f"only one engine writes {name}" for name in sorted(ours.keys() ^ theirs.keys())]
    for name in sorted(ours.keys() & theirs.keys()):
        path, twin = ours[name], theirs[name]
        if path.read_bytes() == twin.read_bytes():
            continue
        a, b = frames(path), frames(twin)
        wrong = [f"there are {len(a)} and {len(b)} pages"] if len(a) != len(b) else [judge_frame(x, y, is_exact(path)) for x, y in zip(a, b)]
        problems += [f"{name}, by the one engine and the other: {w}" for w in wrong if w][:3]
    return problems
