#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the cases in this folder against the programs of a build directory.

    run.py --build DIR [-j N] [--show] [--keep DIR] [--list] [--both] [NAME-GLOB ...]

A name is GROUP/CASE, such as "resize/cover-north"; globs match it whole or its group. One block per failing case;
the last line is "N passed, N failed". README.md tells how a case is written.
"""
import argparse
import concurrent.futures
import copy
import difflib
import fnmatch
import itertools
import json
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys
import tempfile

import yaml

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "samples")]
import check  # noqa: E402
import engines  # noqa: E402
import make  # noqa: E402

KEYS = set("name about pipeline inputs files folders command args env exit stdout stderr json json_lines outputs present absent "
           "texts file_json timeout unless only each steps pictures".split())
DEFAULT_PIPELINE = "p.yaml"


class Wrong(Exception):
    """The case itself is written wrongly."""


# --- reading cases ---

def load_yaml(path):
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    with open(path, encoding="utf-8") as f:
        return yaml.load(f, loader)


def fill(value, words):
    """Puts the values of `each` and the like where @name@ stands; a lone @name@ keeps its type."""
    if isinstance(value, dict):
        return {fill(k, words): fill(v, words) for k, v in value.items()}
    if isinstance(value, list):
        return [fill(v, words) for v in value]
    if not isinstance(value, str) or "@" not in value:
        return value
    lone = re.fullmatch(r"@([a-z_]+)@", value)
    if lone and lone[1] in words:
        return words[lone[1]]
    return re.sub(r"@([a-z_]+)@", lambda m: str(words.get(m[1], m[0])), value)


def expand(case):
    """One case for each combination of the values in `each`; a list of mappings gives its own combinations."""
    each = case.pop("each", None)
    if each is None:
        return [case]
    rows = each if isinstance(each, list) else [dict(zip(each, combination)) for combination in itertools.product(*each.values())]
    return [fill(copy.deepcopy(case), row) for row in rows]


def load_cases():
    cases = []
    for path in sorted(HERE.glob("*.yaml")):
        document = load_yaml(path)
        defaults = document.get("defaults", {})
        for case in document["cases"]:
            for one in expand({**copy.deepcopy(defaults), **case}):
                cases.append((f"{path.stem}/{one['name']}", one, path.parent))
    for path in sorted(HERE.glob("*/*/case.yaml")):
        cases.append((f"{path.parent.parent.name}/{path.parent.name}", load_yaml(path), path.parent))
    names = [name for name, _, _ in cases]
    for name, case, _ in cases:
        if names.count(name) > 1:
            raise Wrong(f"{name}: two cases have this name")
        unknown = set(case) - KEYS
        if unknown:
            raise Wrong(f"{name}: unknown key {', '.join(sorted(unknown))}")
    return cases


# --- making what a case needs ---

def make_file(path, recipe, origin):
    """"photo width=300", or {text:}, {hex:}, {copy:}, {zeros:}."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(recipe, dict):
        kind, value = next(iter(recipe.items()))
        if kind == "text":
            path.write_text(value, encoding="utf-8")
        elif kind == "hex":
            path.write_bytes(bytes.fromhex(value))
        elif kind == "zeros":
            path.write_bytes(bytes(int(value)))
        elif kind == "copy":
            shutil.copy(origin / value, path)
        else:
            raise Wrong(f"{path.name}: {kind} is not a way to make a file")
        return
    name, *pairs = shlex.split(recipe)
    parameters = dict(pair.split("=", 1) for pair in pairs)
    if name in check.RECIPES:
        check.RECIPES[name](str(path), **parameters)
    elif name in make.RECIPES:
        make.make(name, path, **parameters)
    else:
        raise Wrong(f"{path.name}: no recipe \"{name}\"")


def prepare(case, work, origin):
    for name in case.get("folders", []):
        (work / name).mkdir(parents=True, exist_ok=True)
    if "pipeline" in case:
        text = case["pipeline"]
        if isinstance(text, dict):
            make_file(work / DEFAULT_PIPELINE, text, origin)
        else:
            (work / DEFAULT_PIPELINE).write_text(text, encoding="utf-8")
    elif (origin / "pipeline.yaml").exists():
        shutil.copy(origin / "pipeline.yaml", work / DEFAULT_PIPELINE)
    for name, recipe in case.get("inputs", {}).items():
        make_file(work / "in" / name, recipe, origin)
    for name, recipe in case.get("files", {}).items():
        make_file(work / name, recipe, origin)


def command_line(case, build):
    command = case.get("command", "validate")
    args = case.get("args", [])
    args = shlex.split(args) if isinstance(args, str) else [str(a) for a in args]
    pixmill = str(build / "bin" / "pixmill")
    inputs = [f"in/{name}" for name in case.get("inputs", {})]
    if isinstance(command, list):
        return [pixmill] + [str(word) for word in command] + args
    if command == "validate":
        return [pixmill, "validate", DEFAULT_PIPELINE] + args
    if command == "apply":
        return [pixmill, "apply", DEFAULT_PIPELINE] + inputs + ["--out", "out"] + args
    if command == "run":
        return [pixmill, "run", DEFAULT_PIPELINE, "--once"] + args
    if command == "explain":
        return [pixmill, "explain", DEFAULT_PIPELINE] + inputs[:1] + args
    return [pixmill] + shlex.split(command) + args


def environment(case, work, engine):
    keep = ("PATH", "PIXMILL_ENGINE", "ASAN_OPTIONS", "LSAN_OPTIONS", "UBSAN_OPTIONS", "LD_LIBRARY_PATH")
    env = {name: os.environ[name] for name in keep if name in os.environ}
    env.update(HOME=str(work), LC_ALL="C.UTF-8", TZ="UTC", **({"PIXMILL_ENGINE": engine} if engine else {}))
    env.update({name: str(value) for name, value in case.get("env", {}).items()})
    return env


# --- judging ---

def line_fits(want, got):
    if len(want) > 1 and want.startswith("/") and want.endswith("/"):
        return re.fullmatch(want[1:-1], got) is not None
    return want == got


def lines_fit(want, got):
    """Line by line; "..." stands for any number of lines."""
    if not want:
        return not got
    if want[0].strip() == "...":
        return any(lines_fit(want[1:], got[i:]) for i in range(len(got) + 1))
    return bool(got) and line_fits(want[0], got[0]) and lines_fit(want[1:], got[1:])


def judge_text(what, want, got):
    want_lines, got_lines = str(want).rstrip("\n").split("\n"), got.rstrip("\n").split("\n")
    if want_lines == [""] and got_lines == [""] or lines_fit(want_lines, got_lines):
        return []
    return [f"{what} differs:"] + ["    " + line for line in difflib.unified_diff(want_lines, got_lines, "expected", "got", lineterm="")][:60]


def judge_process(case, process):
    problems = []
    want = case.get("exit", 0)
    if process.returncode not in (want if isinstance(want, list) else [want]):
        problems.append(f"exit code {process.returncode}, expected {want}")
    for what, got in (("stdout", process.stdout), ("stderr", process.stderr)):
        if what in case:
            problems += judge_text(what, case[what], got)
    # A crash of one of our programs, or a finding of a sanitizer, is a failure whatever the case expects.
    if process.returncode < 0 or "Sanitizer" in process.stderr:
        problems.append("the program crashed")
    return problems


def judge_json(case, process):
    problems = []
    for key, parse in (("json", json.loads), ("json_lines", lambda text: [json.loads(line) for line in text.splitlines()])):
        if key not in case:
            continue
        try:
            document = parse(process.stdout)
        except ValueError as error:
            problems.append(f"stdout is no JSON: {error}")
            continue
        problems += check.judge_paths(document, case[key])
    return problems


def judge_files(case, work):
    problems = []
    names = [str(p.relative_to(work)) for p in work.rglob("*") if p.is_file()]
    for pattern in case.get("present", []):
        if not fnmatch.filter(names, pattern):
            problems.append(f"no file {pattern}")
    for pattern in case.get("absent", []):
        problems += [f"there should be no {name}" for name in fnmatch.filter(names, pattern)]
    for folder, expected in case.get("only", {}).items():
        got = sorted(n[len(folder) + 1:] for n in names if n.startswith(folder + "/"))
        if got != sorted(expected):
            problems.append(f"{folder}/ holds {got}, expected {sorted(expected)}")
    for name, text in case.get("texts", {}).items():
        problems += judge_text(name, text, (work / name).read_text()) if (work / name).is_file() else [f"no file {name}"]
    for name, paths in case.get("file_json", {}).items():
        found = fnmatch.filter(names, name)
        if not found:
            problems.append(f"no file {name}")
        else:
            problems += [f"{name}: {p}" for p in check.judge_paths(json.loads((work / found[0]).read_text()), paths)]
    for name, expected in case.get("outputs", {}).items():
        path = work / "out" / name
        if not path.is_file():
            there = [n for n in names if n.startswith("out/")]
            problems.append(f"no output out/{name}; there is {', '.join(sorted(there)) or 'nothing'}")
        else:
            problems += [f"out/{name}: {p}" for p in check.judge_picture(path, expected, work)]
    return problems


def run_once(case, work, build, engine):
    return subprocess.run(command_line(case, build), cwd=work, env=environment(case, work, engine), stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, errors="replace", timeout=case.get("timeout", 60))


def run_in(work, case, origin, build, show, engine=None):
    """The problems found, and what to show of it. With `steps`, commands follow each other in one folder."""
    work.mkdir(parents=True, exist_ok=True)
    work = work.resolve()
    plugins = next((folder for folder in (build / "plugins", build / "lib/pixmill/plugins") if folder.is_dir()), None)
    case = fill(copy.deepcopy(case), {"build": build, "work": work, "plugins": plugins})
    problems, shown = [], [f"with PIXMILL_ENGINE={engine}:"] if engine and show else []
    try:
        for part in [case] + case.get("steps", []):
            prepare(part, work, origin)
            process = run_once(part, work, build, engine)
            found = judge_process(part, process) + judge_json(part, process) + judge_files(part, work)
            if show or found:
                shown.append(f"$ {shlex.join(['pixmill'] + command_line(part, build)[1:])}  -> {process.returncode}")
                shown += ["  | " + line for line in (process.stdout + process.stderr).splitlines()[: 200 if show else 25]]
            problems += found
    except subprocess.TimeoutExpired as error:
        problems.append(f"no end after {error.timeout} s")
    return [f"PIXMILL_ENGINE={engine}: {problem}" if engine else problem for problem in problems], shown


def run_case(name, case, origin, build, keep, show, both):
    """The problems found: none when the case passes. With `both`, once more by the other engine, whose pictures must look the same."""
    work = pathlib.Path(keep, name.replace("/", "--")) if keep else pathlib.Path(tempfile.mkdtemp(prefix="pixmill-case-"))
    other = work.with_name(work.name + "-vips")
    try:
        problems, shown = run_in(work, case, origin, build, show)
        if both and not problems and engines.rerun(case) and engines.pictures(work):
            problems, more = run_in(other, case, origin, build, show, "vips")
            problems, shown = problems or engines.judge(work, other), shown + more
    finally:
        if not keep:
            shutil.rmtree(work, ignore_errors=True)
            shutil.rmtree(other, ignore_errors=True)
    return problems, shown


def is_sanitized(build):
    done = subprocess.run(["ldd", str(build / "bin" / "pixmill-worker")], capture_output=True, text=True, check=False)
    return "libasan" in done.stdout


def wanted(name, globs):
    return not globs or any(fnmatch.fnmatch(name, g) or name.split("/")[0] == g for g in globs)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", required=True, type=pathlib.Path, help="a build tree, or an installation with its test-plugins")
    parser.add_argument("-j", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--show", action="store_true", help="print what every command said")
    parser.add_argument("--keep", help="work below this folder and leave everything there")
    parser.add_argument("--list", action="store_true", help="print the names and end")
    parser.add_argument("--both", action="store_true", help="cases that write pictures once more with PIXMILL_ENGINE=vips; they must look the same")
    parser.add_argument("globs", nargs="*")
    options = parser.parse_args()
    build = options.build.resolve()
    if not (build / "bin" / "pixmill").exists():
        sys.exit(f"{build}/bin/pixmill is not there: build first")
    flags = {"asan"} if is_sanitized(build) else set()
    flags |= set() if (build / "bin" / "pm-unprotected").exists() else {"bundle"}
    cases = [c for c in load_cases() if wanted(c[0], options.globs)]
    if options.list:
        print("\n".join(name for name, _, _ in cases))
        return 0
    passed = failed = skipped = 0
    with concurrent.futures.ThreadPoolExecutor(max_workers=options.j) as pool:
        runs = []
        for name, case, origin in cases:
            unless = case.get("unless") or []
            if (flags | check.LACKING) & set([unless] if isinstance(unless, str) else unless):
                skipped += 1
                continue
            runs.append((name, pool.submit(run_case, name, case, origin, build, options.keep, options.show, options.both)))
        for name, run in runs:
            try:
                problems, shown = run.result()
            except Exception as error:  # a case written wrongly must not hide the others
                problems, shown = [f"{type(error).__name__}: {error}"], []
            passed, failed = passed + (not problems), failed + bool(problems)
            if problems or options.show:
                print(f"{'FAILED' if problems else 'ok'}  {name}")
                print("\n".join("  " + line for line in problems + shown), flush=True)
    if skipped:
        print(f"{skipped} skipped")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or passed == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
