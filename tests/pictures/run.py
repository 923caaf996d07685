#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Many kinds of source through the pipelines of this folder, and every output judged by tools that are not libvips.

    run.py --build DIR [-j N] [--keep DIR] [--list] [--sheet FILE.png] [--measure] [KIND-GLOB ...]

One line for each kind of source, then what is wrong; the last line is "N passed, N failed". README.md tells how a kind is added, and
expectations.yaml holds what is promised, how far an output may be from it, and what is known to be wrong.
"""
import argparse
import collections
import concurrent.futures
import fnmatch
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

import numpy as np
import yaml
from PIL import Image

import colour
import decode
import judges
import sources
import tools

HERE = pathlib.Path(__file__).resolve().parent
PIPELINES = ("same", "shape", "moving", "metadata", "lossless", "exact", "drawings")
LIKE_SAME = ("lossless", "exact")  # for the kinds that go through "same"
NEEDED = ("convert", "identify", "exiftool")


def libvips_of(build):
    """"prebuilt", or the system's version, such as "8.14"."""
    cache = build / "CMakeCache.txt"
    if not cache.exists() or "PIXMILL_VIPS:STRING=prebuilt" in cache.read_text(encoding="utf-8"):
        return "prebuilt"
    text = subprocess.run(["vips", "--version"], capture_output=True, text=True, check=True).stdout
    return re.search(r"(\d+\.\d+)", text)[1]


# --- sources ---

def make_source(kind, desk, folder):
    """The source as the judges see it: (Picture, what is wrong with it)."""
    path = folder / kind.file
    kind.make(path, desk)
    if kind.truth and kind.frames == 1:
        return decode.Picture(kind.truth(), decode.kind_of(path.read_bytes()[:64]), kind.alpha, None, [], None, kind.bits), None
    picture = decode.read(path)
    picture.frames = [decode.turned_by(frame, kind.turn) for frame in picture.frames]
    wrong = None
    if kind.truth:
        far = max(float(colour.difference(want, got).max()) for want, got in zip(kind.truth(), picture.frames))
        wrong = f"CIEDE2000 {far:.1f} from what it shows" if far > 0.5 else None
    scene = np.asarray(sources.scene.image("RGBA" if kind.alpha else "RGB", hard=kind.frames > 1).convert("RGBA"), float) / 255
    if kind.near and colour.difference(scene, picture.frames[0]).mean() > kind.near:
        wrong = "does not show the scene"
    stated = (kind.alpha, kind.frames, list(kind.delays), kind.bits if picture.kind != "heif" else 8)
    found = (picture.alpha, len(picture.frames), picture.delays, picture.bits)
    return picture, wrong or (None if stated == found else f"alpha, frames, delays, bits are {found}, stated as {stated}")


def make_safely(kind, desk, folder):
    try:
        return make_source(kind, desk, folder)
    except (tools.Failed, decode.Unreadable, OSError, ValueError) as error:
        return None, f"{type(error).__name__}: {error}"


# --- pixmill ---

def apply(build, work, name, files):
    """{source: its result}, or the words with which the pipeline was refused."""
    command = [build / "bin" / "pixmill", "apply", work / f"{name}.yaml", *files, "--out", work / "out" / name, "--json", "--log-level", "warn", "--log-format", "json"]
    env = {key: os.environ[key] for key in ("PATH", "PIXMILL_ENGINE", "HOME", "ASAN_OPTIONS", "LSAN_OPTIONS", "LD_LIBRARY_PATH") if key in os.environ}
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False, env=env, timeout=600, stdin=subprocess.DEVNULL)
    if done.returncode not in (0, 3):
        return done.stderr.strip()
    results = {pathlib.Path(result["source"]).stem: result for result in json.loads(done.stdout)["results"]}
    for line in map(json.loads, done.stderr.splitlines()):
        if line.get("event") == "plugin.log":
            results[pathlib.Path(line["source"]).stem].setdefault("said", []).append(line["msg"])
    return results


# --- judging ---

def aspects_of(output):
    """The judgements that apply, by name."""
    yield "opens", judges.opens
    yield "shape", judges.shape
    yield "frames", judges.frames
    yield "upright", judges.upright
    if judges.alike(output) and len(output.got.frames) == len(judges.frames_expected(output)):
        yield "colours", judges.colours
        if output.kind.neutral and output.got.kind != "gif" and not {"contain", "marked"} & {*output.promise, *output.promise.get("size", {})}:
            yield "neutral", judges.neutral
        if "levels" in output.tolerance:
            yield "exact", judges.exact
        if output.kind.alpha and output.got.kind != "jpeg":
            yield "alpha", judges.alpha
        if "size" in output.promise:
            yield "place", judges.place
    if "bits" in output.promise:
        yield "depth", judges.depth
        if output.kind.bits == 16 and output.promise["bits"] != 8 and not output.kind.truth:
            yield "deep", judges.deep
    if "profile" in output.promise:
        yield "profile", judges.profile
    if "metadata" in output.promise:
        yield "metadata", judges.metadata


def judge(output):
    """[(aspect, what is wrong or None)], and what was measured."""
    try:
        output.got = decode.read(output.path, turn=False)
    except (decode.Unreadable, tools.Failed) as error:
        return [("opens", str(error))], None
    found = []
    for aspect, function in aspects_of(output):
        try:
            found.append((aspect, function(output)))
        except (tools.Failed, decode.Unreadable) as error:
            found.append((aspect, str(error)))
    return found, getattr(output, "measured", None)


class Verdicts:
    """Counts what passed and failed, but for what is known to fail."""

    def __init__(self, known, libvips):
        self.libvips = libvips
        self.known = [entry for entry in known if entry.get("libvips", libvips) == libvips]
        self.named, self.excused = [0] * len(self.known), [0] * len(self.known)
        self.passed, self.failed = collections.Counter(), collections.Counter()
        self.lines = []

    def add(self, kind, name, wrong):
        """One judgement, named kind/output/aspect."""
        rows = [i for i, entry in enumerate(self.known) if fnmatch.fnmatchcase(name, entry["judgement"])]
        for i in rows:
            self.named[i] += 1
            self.excused[i] += bool(wrong)
        if rows and wrong:
            return
        if wrong:
            self.failed[kind] += 1
            self.lines.append(f"FAILED  {name}: {wrong}")
        else:
            self.passed[kind] += 1

    def finish(self, whole):
        for entry, named, excused in zip(self.known, self.named, self.excused):
            if excused:
                print(f"known   {entry['judgement']}: {excused} of {named} are wrong: {entry['why']}")
            elif whole:  # of some kinds, a row may name what passes
                self.failed["known"] += 1
                self.lines.append(f"FAILED  known {entry['judgement']}: {'all that it names passes' if named else 'names nothing'}; take it out")
        for line in self.lines:
            print(line)
        print(f"{sum(self.passed.values())} passed, {sum(self.failed.values())} failed")
        return 1 if self.failed else 0


def check_judges(verdicts):
    """The judges themselves: published values, and a move that is known."""
    lab = [np.array([[value]]) for value in ((50, 2.6772, -79.7751), (50, 0, -82.7485), (60.2574, -34.0099, 36.2677), (60.4626, -34.1751, 39.4387))]
    for number, want in ((0, 2.0425), (2, 1.2644)):
        got = float(colour.ciede2000(lab[number], lab[number + 1])[0, 0])
        verdicts.add("judges", f"judges/ciede2000/{want}", None if abs(got - want) < 1e-3 else f"is {got:.4f}")
    whole = np.asarray(sources.scene.image().convert("RGBA"), float) / 255
    for by in (0.01, 0.1, 0.5):
        want, got = colour.resize(whole, 75, 50), colour.resize(whole, 75, 50, (-by * 2 + 4, 4, 146 - by * 2, 96))
        still = colour.resize(whole, 75, 50, (4, 4, 146, 96))
        scale = 142 / 150
        moved = colour.shift(still, got)[0] * scale
        verdicts.add("judges", f"judges/shift/{by}", None if abs(moved - by) < 0.1 * by + 0.002 and want.shape == got.shape else f"is {moved:.4f}")


def sheet(outputs, path):
    """Every output, on a checkerboard, a row for each kind."""
    rows, cell = collections.defaultdict(list), 76
    for output in outputs:
        rows[output.kind.name].append(output)
    page = Image.new("RGB", (cell * max(map(len, rows.values())), cell * len(rows)), (150, 150, 150))
    for row, name in enumerate(rows):
        for column, output in enumerate(rows[name]):
            try:
                frame = decode.read(output.path, turn=False).frames[0]
            except (decode.Unreadable, tools.Failed):
                continue
            small = Image.fromarray(np.uint8(colour.over(frame, (0.85, 0.75, 0.85)) * 255 + 0.5))
            small.thumbnail((cell - 4, cell - 4))
            page.paste(small, (column * cell + 2, row * cell + 2))
    page.save(path)


def prepare(work):
    Image.fromarray(np.uint8(np.round(judges.MARK * 255))).save(work / "mark.png")
    for name in PIPELINES:
        shutil.copy(HERE / "pipelines" / f"{name}.yaml", work)


def chosen_kinds(globs):
    """Those that can be made here; what is missing is said."""
    found, missing = [], collections.defaultdict(list)
    for kind in sources.KINDS:
        if globs and not any(fnmatch.fnmatchcase(kind.name, glob) for glob in globs):
            continue
        lacking = tools.lacking(kind.needs)
        if lacking:
            missing[lacking[0]].append(kind.name)
        else:
            found.append(kind)
    for tool, names in missing.items():
        print(f"SKIPPED {len(names)} kinds: {tool} is not here ({', '.join(names)})")
    return found


def gather(kinds, pictures, build, work, table, verdicts):
    """Runs the pipelines; the outputs that came of it, each with what is promised of it."""
    outputs = []
    for group in PIPELINES:
        members = [kind for kind in kinds if ("same" if group in LIKE_SAME else group) in kind.groups]
        if not members:
            continue
        results = apply(build, work, group, [work / "in" / kind.file for kind in members])
        for kind in members:
            result = results.get(kind.name, {}) if isinstance(results, dict) else {"error": {"message": results}}
            made = {entry["output"]: entry for entry in result.get("outputs", [])}
            for name, promise in table["outputs"][group].items():
                if name in made:
                    verdicts.add(kind.name, f"{kind.name}/{name}/made", None)
                    outputs.append(judges.Output(kind, name, promise, judges.row_for(table["tolerances"], kind.name, name), pathlib.Path(made[name]["location"]),
                                                 made[name], result.get("said", []), {}, {}, [], pictures[kind.name]))
                    continue
                message = result.get("error", {}).get("message") or f"not made: {result.get('not_made', {}).get(name)}"
                refusal = next((row for row in table["refusals"] if judges.fits(row["kind"], kind.name) and judges.fits(row["output"], name)
                                and row.get("libvips", verdicts.libvips) == verdicts.libvips and re.search(row["says"], message)), None)
                verdicts.add(kind.name, f"{kind.name}/{name}/made", None if refusal else message)
    return outputs


def read_all(outputs, work, pool):
    """Tags of sources and outputs, and what ImageMagick sees: each program reads many files in one go."""
    sources_ = {str(work / "in" / output.kind.file) for output in outputs if "metadata" in output.promise}
    files = sorted({str(output.path) for output in outputs} | sources_)
    halves = [files[0::2], files[1::2]]
    tags, seen = {}, {}
    for part in pool.map(tools.exiftool, halves):
        tags.update(part)
    for part in pool.map(tools.imagemagick, [[str(output.path) for output in outputs[start::2]] for start in (0, 1)]):
        seen.update(part)
    for output in outputs:
        output.tags, output.seen = tags.get(str(output.path), {}), seen.get(str(output.path), [])
        output.source_tags = tags.get(str(work / "in" / output.kind.file), {})


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=pathlib.Path, required=True)
    parser.add_argument("-j", "--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--keep", type=pathlib.Path, help="leave sources and outputs here")
    parser.add_argument("--list", action="store_true", help="the kinds, and nothing else")
    parser.add_argument("--sheet", type=pathlib.Path, help="a picture of all outputs")
    parser.add_argument("--measure", action="store_true", help="print what was measured, to set a tolerance by")
    parser.add_argument("globs", nargs="*")
    words = parser.parse_args()
    if words.list:
        print("\n".join(kind.name for kind in sources.KINDS))
        return 0
    if tools.lacking(NEEDED):
        print(f"skipped: {', '.join(tools.lacking(NEEDED))} not here")
        return 0
    kinds = chosen_kinds(words.globs)
    table = yaml.safe_load((HERE / "expectations.yaml").read_text(encoding="utf-8"))
    build = words.build.resolve()
    verdicts = Verdicts(table["known"], libvips_of(build))
    with tempfile.TemporaryDirectory(prefix="pixmill-pictures-") as temporary, concurrent.futures.ProcessPoolExecutor(words.jobs) as pool:
        work = (words.keep or pathlib.Path(temporary)).resolve()
        (work / "in").mkdir(parents=True, exist_ok=True)
        clock = [time.monotonic()]
        desk = sources.Desk(work / "desk")
        prepare(work)
        check_judges(verdicts)
        pictures = {}
        numbers = {kind.name: i for i, kind in enumerate(sources.KINDS)}
        made = pool.map(make_by_number, [numbers[kind.name] for kind in kinds], [desk.folder] * len(kinds), [work / "in"] * len(kinds), chunksize=4)
        for kind, (picture, wrong) in zip(kinds, made):
            verdicts.add(kind.name, f"{kind.name}/source/made", wrong)
            pictures[kind.name] = picture
        clock.append(time.monotonic())
        outputs = gather([kind for kind in kinds if pictures[kind.name]], pictures, build, work, table, verdicts)
        clock.append(time.monotonic())
        read_all(outputs, work, pool)
        for output, (found, measured) in zip(outputs, pool.map(judge_by_number, [numbers[output.kind.name] for output in outputs],
                                                               [without_kind(output) for output in outputs], chunksize=8)):
            for aspect, wrong in found:
                verdicts.add(output.kind.name, f"{output.kind.name}/{output.name}/{aspect}", wrong)
            if words.measure and measured:
                print(f"measured {output.kind.name}/{output.name}: mean {measured[0]:.2f} p99 {measured[1]:.2f}")
        clock.append(time.monotonic())
        if words.sheet:
            sheet(outputs, words.sheet)
    for kind in kinds:
        good, bad = verdicts.passed[kind.name], verdicts.failed[kind.name]
        print(f"{'ok     ' if not bad else 'FAILED '} {kind.name}: {good} of {good + bad}")
    made, applied, judged = (after - before for before, after in zip(clock, clock[1:]))
    print(f"{len(kinds)} kinds of source, {len(outputs)} outputs, libvips {libvips_of(build)}: made in {made:.0f} s, milled in {applied:.0f} s, "
          f"judged in {judged:.0f} s")
    return verdicts.finish(not words.globs)


def without_kind(output):
    """What can be sent to another process: a kind holds functions."""
    import dataclasses
    return dataclasses.replace(output, kind=None)


def make_by_number(number, folder, into):
    desk = sources.Desk.__new__(sources.Desk)
    desk.folder = folder
    return make_safely(sources.KINDS[number], desk, into)


def judge_by_number(number, output):
    output.kind = sources.KINDS[number]
    return judge(output)


if __name__ == "__main__":
    sys.exit(main())
