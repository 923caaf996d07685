# SPDX-License-Identifier: Apache-2.0
"""A new pipeline file while pixmill runs: SIGHUP and --watch, under load, and files that are wrong. Needs no peers."""
import json
import os
import signal
import subprocess
from pathlib import Path

import pytest

from test_process import Folder, folder  # noqa: F401 (a fixture)
from world import wait_for

PIPELINE = """
version: 1
name: process
workers: 2
trigger: {{ directory: {{ path: in{trigger} }} }}
source: {{ file: {{}} }}
outputs: {{ small: {{ steps: [{{ resize: {{ width: {width} }} }}], to: {{ file: {{ path: "out/{{stem}}.{{ext}}" }} }} }} }}
"""


def write(folder, width, trigger="", text=PIPELINE):
    """In one step, as editors and mounted volumes do it."""
    (folder.folder / "new").write_text(text.format(width=width, trigger=trigger))
    os.rename(folder.folder / "new", folder.folder / "p.yaml")


def width_of(path):
    data = path.read_bytes()  # of the frame header
    at = 2
    while data[at + 1] not in (0xC0, 0xC1, 0xC2):
        at += 2 + int.from_bytes(data[at + 2:at + 4], "big")
    return int.from_bytes(data[at + 7:at + 9], "big")


def made(folder):
    return {path.name: width_of(path) for path in (folder.folder / "out").glob("*.jpg")}


def log_of(folder, event):
    return [line for line in folder.log() if line["event"] == event]


def processes_below(pid):
    tree = subprocess.run(["ps", "-A", "-o", "pid=,ppid="], capture_output=True, text=True, check=True).stdout
    parents = {int(line.split()[0]): int(line.split()[1]) for line in tree.splitlines()}
    found, more = set(), {pid}
    while more:
        more = {child for child, parent in parents.items() if parent in more} - found
        found |= more
    return found


def stop(process):
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 0


def test_new_file_is_used_for_what_comes_after(folder):
    write(folder, 16)
    process = folder.start()
    folder.wait_for_log("run.started")
    folder.add(1)
    wait_for(lambda: folder.done() == 1, "the first file")
    write(folder, 24)
    process.send_signal(signal.SIGHUP)
    folder.wait_for_log("run.reloaded")
    (folder.folder / "in" / "later.jpg").write_bytes((folder.folder / "picture.jpg").read_bytes())
    wait_for(lambda: folder.done() == 2, "the second file")
    assert made(folder) == {"0.jpg": 16, "later.jpg": 24}
    assert [line["generation"] for line in log_of(folder, "run.started")] == ["1", "2"]
    status = json.loads(folder.alive().stdout)
    assert status["generation"] == 2 and status["reload"]["ok"] is True and status["pipeline"] == "process"
    stop(process)


@pytest.mark.parametrize("text, says", [
    ("version: 1\nname: [\n", "p.yaml"),
    (PIPELINE.replace("width: {width}", "width: 0"), "p.yaml:7:"),
    (PIPELINE.replace("resize", "resise"), "did you mean"),
    (PIPELINE.replace("path: in", "path: nowhere"), "nowhere"),
])
def test_file_that_is_wrong_changes_nothing(folder, text, says):
    write(folder, 16)
    process = folder.start()
    folder.wait_for_log("run.started")
    write(folder, 24, text=text if "{width}" in text or "{{" in text else text.replace("{", "{{"))
    process.send_signal(signal.SIGHUP)
    folder.wait_for_log("reload.failed")
    assert says in " ".join(line["msg"] for line in log_of(folder, "reload.error")), log_of(folder, "reload.error")
    folder.add(1)
    wait_for(lambda: folder.done() == 1, "work of the old generation")
    assert made(folder) == {"0.jpg": 16}
    assert json.loads(folder.alive().stdout)["reload"]["ok"] is False
    write(folder, 24)
    process.send_signal(signal.SIGHUP)
    folder.wait_for_log("run.reloaded")
    stop(process)


def test_watched_file_is_reloaded_when_its_content_changes(folder):
    write(folder, 16)
    process = folder.start("--watch")
    folder.wait_for_log("run.started")
    write(folder, 16)  # another file, the same text
    write_link = folder.folder / "p.yaml"
    wait_for(lambda: folder.alive().returncode == 0, "the probe")
    (folder.folder / "elsewhere.yaml").write_text(PIPELINE.format(width=24, trigger=""))
    os.symlink("elsewhere.yaml", folder.folder / "link")
    os.rename(folder.folder / "link", write_link)
    folder.wait_for_log("run.reloaded")
    folder.add(1)
    wait_for(lambda: folder.done() == 1, "a file")
    assert made(folder) == {"0.jpg": 24}
    assert folder.events().count("run.reloaded") == 1 and "reload.failed" not in folder.events()
    stop(process)


def test_watch_and_once_exclude_each_other(folder):
    ran = subprocess.run(folder.command("run", "p.yaml", "--once", "--watch"), cwd=folder.folder, capture_output=True, text=True, timeout=60)
    assert ran.returncode == 2 and "--once ends with what is there: it cannot be combined with --watch" in ran.stderr


def test_term_while_a_generation_starts(folder):
    process = folder.start()
    folder.wait_for_log("run.started")
    process.send_signal(signal.SIGHUP)
    stop(process)


@pytest.mark.parametrize("trigger", ["", ", settle: keep"])
def test_reloads_under_load(folder, trigger):
    """Every image is done once by a generation, and only while that one is at work; nothing of the others is left."""
    write(folder, 16, trigger)
    results = open(folder.folder / "results", "wb")
    process = folder.start("--json", stdout=results)
    folder.wait_for_log("run.started")
    reloads, broken, files, fds, below = 30, 0, 0, 0, 0
    data = (folder.folder / "picture.jpg").read_bytes()
    for i in range(1, reloads + 1):
        for _ in range(10):
            (folder.folder / "in" / f"{files}.jpg").write_bytes(data)
            files += 1
        if i % 3 == 0:
            broken += 1
            write(folder, 0, trigger)
            process.send_signal(signal.SIGHUP)
            folder.wait_for_log("reload.failed", broken)
        else:
            write(folder, 16 + i, trigger)
            process.send_signal(signal.SIGHUP)
            folder.wait_for_log("run.reloaded", i - broken)
        if i == 5:
            below, fds = len(processes_below(process.pid)), len(os.listdir(f"/proc/{process.pid}/fd"))
    # What stays in its folder is done again by each pipeline that differs.
    wait_for(lambda: len(made(folder)) == files and (trigger == "" or set(made(folder).values()) == {16 + 29}), "all renditions")
    wait_for(lambda: (folder.folder / "results").read_bytes().count(b"\n") >= files, "all results")
    wait_for(lambda: len(processes_below(process.pid)) <= below, "no process of an old generation")
    wait_for(lambda: len(os.listdir(f"/proc/{process.pid}/fd")) <= fds + 2, "no descriptor of an old generation")
    stop(process)
    lines = [json.loads(line) for line in (folder.folder / "results").read_text().splitlines()]
    assert all(line["status"] == "ok" for line in lines)
    made_by = [(line["source"], line["outputs"][0]["width"]) for line in lines]
    widths = [16] + [16 + i for i in range(1, reloads + 1) if i % 3 != 0]
    assert len(set(made_by)) == len(made_by)
    assert {width for _, width in made_by} <= set(widths)
    if trigger == "":
        assert sorted(line["source"] for line in lines) == sorted(f"{i}.jpg" for i in range(files))
        assert folder.done() == files and not list((folder.folder / "in").glob("*.jpg"))
