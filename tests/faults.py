#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The long form of each row of the proof (docs/reliability.md), and one table: row, target, measured.

    faults.py --build DIR --crash DIR [--fuzz DIR] [--images 50000] [--row TEXT ...] [--list] [--out FOLDER]

--crash: a build with PIXMILL_CRASH_POINTS. --fuzz: one of the fuzz targets; without it that row is skipped. --row: only rows whose
names hold the text. Each row has a time limit, takes one set of peers (tests/e2e/peers.py) and leaves its output in --out. The last
line is "N passed, N failed".
"""
import argparse
import dataclasses
import json
import os
import pathlib
import re
import shlex
import signal
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
E2E = HERE / "e2e"
sys.path.insert(0, str(E2E))
import peers as peers_module  # noqa: E402

KILL9 = "{python} {e2e}/kill9.py --build {build} --peers {peers}"
PYTEST = "{python} -m pytest {e2e}/proof_rows.py -q -s -rs -p no:cacheprovider --build {build} --peers {peers} -k"
UNIT = "ctest --test-dir {build} --output-on-failure --no-tests=error -R"


@dataclasses.dataclass
class Row:
    name: str
    target: str
    command: str
    seconds: int


ROWS = [
    Row("kill -9 of the broker, 100 times in 2,000 messages", "0 lost, 0 wrong, 0 stale", KILL9 + " --how broker --messages 2000 --kills 100", 900),
    Row("death after each step of the protocol, 20 times each", "0 lost, 0 wrong, 0 stale",
        "{python} {e2e}/kill9.py --build {crash} --peers {peers} --how crash --times 20", 3600),
    Row("A, B, A in any order, 30 % doubled, versions kept, 10 kills", "0 stale, identical bytes",
        KILL9 + " --versions --messages 600 --kills 10", 400),
    Row("FIFO groups under 10 kills", "0 lost, 0 wrong", KILL9 + " --fifo --messages 300 --kills 10", 300),
    Row("FIFO groups whose first message fails", "order kept, no follower received again", KILL9 + " --fifo --how none --messages 100", 200),
    Row("kill -9 of workers, 200 times in 2,000 messages", "the broker never dies, 0 lost", KILL9 + " --how workers --messages 2000 --kills 200", 600),
    Row("hostile corpus, each file as a message", "0 broker deaths, all ended with a reason", PYTEST + " hostile_corpus", 700),
    Row("hostile corpus, three settings of limits and isolation", "0 crashes, memory bounded", "{here}/hostile.sh {build}", 400),
    Row("20 kinds of fault at both services, 20 % each and mixed", "0 lost, 0 truncated", KILL9 + " --faults all --messages 40", 1500),
    Row("store refuses connections for 30 s", "0 dead letters, first rendition <= 30 s after", PYTEST + " store_refuses", 400),
    Row("store takes connections and is silent for 30 s", "0 dead letters, first rendition <= 30 s after", PYTEST + " store_is_silent", 400),
    Row("queue away for 60 s", "0 lost, first rendition <= 30 s after", PYTEST + " queue_is_away", 400),
    Row("a job of more than 10 visibility timeouts", "processed once", PYTEST + " ten_visibility", 120),
    Row("plugin SEGV, abort, exit, stack, hang, leak, descriptors", "7 of 7 contained, plugin named", PYTEST + " plugin_fault", 300),
    Row("SIGTERM, 100 times under load", "0 lost, each within the grace time", KILL9 + " --how term --messages 1500 --kills 100", 900),
    Row("output that nobody reads", "work and SIGTERM go on", PYTEST + " stdout_is_not_read", 200),
    Row("two brokers, every message twice", "written once each", PYTEST + " two_brokers", 200),
    Row("clock 20 minutes off", "0 lost", "{python} -m pytest {e2e}/test_failures.py -q -rs -p no:cacheprovider --build {build} --peers {peers} -k clock", 120),
    Row("credentials expire in the middle", "renewed, 0 lost", UNIT + " credentials", 200),
    Row("escape probes from inside a plugin", "all blocked at T2 and T3; T1 says what is not", UNIT + " 'worker.*(sandbox|seccomp|zygote|leftovers)'", 200),
    Row("soak, {images} images", "memory < +1 % after the first tenth, no more descriptors",
        "{python} {here}/soak.py --build {build} --images {images} --png {out}/soak.png --csv {out}/soak.csv", 2400),
    Row("fuzz targets, 5 s each", "0 findings", "ctest --test-dir {fuzz} -L fuzz --output-on-failure --no-tests=error", 600),
]

MEASURED = re.compile(r"^measured: (.*)", re.M)
SUMMED = re.compile(r"^(\d+) passed, (\d+) failed", re.M)
PYTEST_SUM = re.compile(r"^(.*\d+ (?:passed|failed|skipped|error)[^\n]*) in [\d.]+s", re.M)
CTEST_SUM = re.compile(r"^(\d+)% tests passed, (\d+) tests? failed out of (\d+)|^100% tests passed.* out of (\d+)", re.M)


def verdict(code, said):
    """("ok" | "FAILED" | "skipped", what was measured)"""
    found = MEASURED.findall(said)
    text = "; ".join(found)
    skip = re.search(r"^skipped: (.*)", said, re.M) or re.search(r"^SKIPPED \[\d+\] \S+ (.*)", said, re.M)
    summed = SUMMED.findall(said)
    ctest = CTEST_SUM.search(said)
    if skip and not summed and not found and "passed" not in said:
        return "skipped", skip[1]
    if summed:
        good, bad = map(int, summed[-1])
        return ("ok" if code == 0 and bad == 0 and good > 0 else "FAILED"), f"{text or 'no figure'}; {good} of {good + bad} checks"
    if ctest:
        total, bad = int(ctest[3] or ctest[4]), int(ctest[2] or 0)
        return ("ok" if code == 0 else "FAILED"), f"{total - bad} of {total} test programs"
    tests = PYTEST_SUM.search(said)
    if skip and tests and "passed" not in tests[1]:
        return "skipped", skip[1]
    return ("ok" if code == 0 and (found or tests) else "FAILED"), text or (tests and tests[1]) or f"no figure, exit code {code}"


def run(row, names, out):
    command = row.command.format(**names)
    began = time.monotonic()
    path = out / (re.sub(r"\W+", "-", row.name.format(**names).lower()).strip("-") + ".log")
    with path.open("w", encoding="utf-8") as log:
        process = subprocess.Popen(shlex.split(command), stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=HERE.parent, start_new_session=True)
        try:
            code, late = process.wait(row.seconds), False
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGTERM)
            time.sleep(1)
            try:
                os.killpg(process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            code, late = process.wait(), True
    said = path.read_text(encoding="utf-8", errors="replace")
    how, text = verdict(code, said)
    if late:
        how, text = "FAILED", f"not done within {row.seconds} s"
    return how, text, time.monotonic() - began, path


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=pathlib.Path, required=True)
    parser.add_argument("--crash", type=pathlib.Path, required=True)
    parser.add_argument("--fuzz", type=pathlib.Path)
    parser.add_argument("--peers", type=pathlib.Path, help="use those that `peers.py --json FILE` has started")
    parser.add_argument("--images", type=int, default=50000)
    parser.add_argument("--row", action="append", default=[])
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--out", type=pathlib.Path)
    options = parser.parse_args()
    rows = [row for row in ROWS if (not options.row or any(one in row.name for one in options.row)) and (options.fuzz or "{fuzz}" not in row.command)]
    if options.list:
        print("\n".join(f"{row.name.format(images=f'{options.images:,}')} | {row.target} | {row.command}" for row in rows))
        return 0
    out = (options.out or pathlib.Path(tempfile.mkdtemp(prefix="pixmill-faults-"))).resolve()
    out.mkdir(parents=True, exist_ok=True)
    names = {"python": sys.executable, "here": HERE, "e2e": E2E, "build": options.build.resolve(), "crash": options.crash.resolve(),
             "fuzz": options.fuzz and options.fuzz.resolve(), "images": options.images, "out": out, "peers": options.peers and options.peers.resolve()}
    table, started = [], time.monotonic()

    def all_rows():
        for row in rows:
            how, text, seconds, path = run(row, names, out)
            name = row.name.format(images=f"{options.images:,}")
            table.append((name, row.target, text, how))
            print(f"{how:8} {name}: {text} ({seconds:.0f} s)", flush=True)
            if how == "FAILED":
                wrong = [line for line in path.read_text(errors="replace").splitlines() if not line.startswith("ok ")]
                print("\n".join(f"         | {line[:240]}" for line in wrong[-40:]), flush=True)

    if options.peers:
        all_rows()
    else:
        try:
            with peers_module.Peers() as peers:
                names["peers"] = out / "peers.json"
                names["peers"].write_text(json.dumps(peers.to_json()))
                all_rows()
        except peers_module.Unavailable as why:
            print(f"skipped: {why}")
            return 0
    print("\n| row | target | measured | |\n|---|---|---|---|")
    for line in table:
        print("| " + " | ".join(line) + " |")
    good, bad = sum(line[3] == "ok" for line in table), sum(line[3] == "FAILED" for line in table)
    print(f"\n{time.monotonic() - started:.0f} s; the output of each row is in {out}")
    print(f"{good} passed, {bad} failed")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
