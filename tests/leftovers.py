#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Tells which processes of pixmill a test run has left behind.

    leftovers.py run COMMAND ...   runs it; what it orphans becomes a child of this process, which PIXMILL_LEFTOVERS names to it
    leftovers.py list PID          waits some seconds for the descendants of PID that are pixmill's, and prints those that stay

A process is pixmill's when its program or its name says so, wherever it was started from. `list` exits with 1 when there is one.
"""
import ctypes
import os
import pathlib
import signal
import subprocess
import sys
import time

PR_SET_CHILD_SUBREAPER = 36
PATIENCE_S = 6


def run(command):
    if ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        sys.exit("leftovers.py: this kernel lets nobody adopt orphans")
    child = subprocess.Popen(command, env={**os.environ, "PIXMILL_LEFTOVERS": str(os.getpid())})
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda got, _: child.send_signal(got))
    while True:
        pid, status = os.wait()  # orphans, too
        if pid == child.pid:
            code = os.waitstatus_to_exitcode(status)
            return code if code >= 0 else 128 - code


def is_ours(entry):
    try:
        name = (entry / "comm").read_text().strip()
        program = os.path.basename(os.readlink(entry / "exe")).removesuffix(" (deleted)")
    except OSError:
        return False
    return name.startswith("pixmill") or program.startswith("pixmill")


def descendants(root):
    children = {}
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if fields[0] != "Z":
                children.setdefault(int(fields[1]), []).append(entry)
    found = list(children.get(root, []))
    for entry in found:
        found += children.get(int(entry.name), [])
    return found


def left(root):
    until = time.monotonic() + PATIENCE_S
    while True:
        found = [entry for entry in descendants(root) if is_ours(entry)]
        if not found or time.monotonic() > until:
            break
        time.sleep(0.2)
    for entry in found:
        try:
            print(f"{entry.name} {os.readlink(entry / 'exe')}: {(entry / 'cmdline').read_bytes().replace(bytes(1), b' ').decode(errors='replace')}")
        except OSError:
            continue
    return 1 if found else 0


if __name__ == "__main__":
    if len(sys.argv) > 2 and sys.argv[1] == "run":
        sys.exit(run(sys.argv[2:]))
    if len(sys.argv) == 3 and sys.argv[1] == "list":
        sys.exit(left(int(sys.argv[2])))
    sys.exit(__doc__)
