# SPDX-License-Identifier: Apache-2.0
"""The running process from outside: nobody reads what it says, signals, the probe of its life. Needs no peers."""
import fcntl
import json
import os
import resource
import signal
import subprocess
import time
from pathlib import Path

import pytest

from world import make, wait_for

F_SETPIPE_SZ = 1031


class Folder:
    """A pipeline over a folder, and pixmill to run on it."""

    def __init__(self, build, folder):
        self.build, self.folder, self.started = build, folder, []
        (folder / "in").mkdir()
        (folder / "p.yaml").write_text("""
version: 1
name: process
workers: 2
trigger: { directory: { path: in } }
source: { file: {} }
outputs: { small: { steps: [{ resize: { width: 16 } }], to: { file: { path: "out/{stem}.{ext}" } } } }
""")
        make.make("photo", folder / "picture.jpg", width=64, height=48)

    def add(self, count):
        data = (self.folder / "picture.jpg").read_bytes()
        for i in range(count):
            (self.folder / "in" / f"{i}.jpg").write_bytes(data)

    def command(self, *words):
        return [str(self.build / "bin" / "pixmill"), *words]

    def start(self, *arguments, stdout=subprocess.DEVNULL, stderr=None):
        log = open(self.folder / "log", "wb") if stderr is None else stderr
        process = subprocess.Popen(self.command("run", "p.yaml", "--log-format", "json", "--plugin-dir", str(self.build / "plugins"), *arguments),
                                   cwd=self.folder, stdin=subprocess.DEVNULL, stdout=stdout, stderr=log)
        self.started.append(process)
        return process

    def log(self):
        return [json.loads(line) for line in (self.folder / "log").read_text().splitlines() if line.startswith("{")]

    def events(self):
        return [line["event"] for line in self.log()]

    def wait_for_log(self, event, count=1):
        wait_for(lambda: self.events().count(event) >= count, event)

    def done(self):
        return len(list((self.folder / "in" / "done").glob("*.jpg")))

    def alive(self, *arguments, **more):
        return subprocess.run(self.command("alive", "p.yaml", *arguments), cwd=self.folder, capture_output=True, text=True, timeout=60, **more)


@pytest.fixture
def folder(build, tmp_path):
    made = Folder(build, tmp_path)
    yield made
    for process in made.started:
        if process.poll() is None:
            process.send_signal(signal.SIGCONT)
            process.kill()
            process.wait()


def full_pipe():
    """Both ends of a pipe as small as can be."""
    reader, writer = os.pipe()
    fcntl.fcntl(writer, F_SETPIPE_SZ, 4096)
    return reader, writer


@pytest.mark.parametrize("which", ["stdout", "stderr", "both"])
def test_unread_output_stops_nothing(folder, which):
    """Neither the work, nor SIGTERM."""
    reader, writer = full_pipe()
    folder.add(60)
    process = folder.start("--json", "--log-level", "debug",
                           stdout=subprocess.DEVNULL if which == "stderr" else writer, stderr=None if which == "stdout" else writer)
    wait_for(lambda: folder.done() == 60, "all sources done")
    process.send_signal(signal.SIGTERM)
    begun = time.monotonic()
    assert process.wait(30) == 0
    assert time.monotonic() - begun < 10
    os.close(reader)
    os.close(writer)


def test_results_come_when_they_are_read(folder):
    """What was kept is all there, each line whole; the pipe's mode is as it was, since others share it."""
    reader, writer = full_pipe()
    folder.add(40)
    process = folder.start("--json", stdout=writer)
    wait_for(lambda: folder.done() == 40, "all sources done")
    assert fcntl.fcntl(writer, fcntl.F_GETFL) & os.O_NONBLOCK == 0
    process.send_signal(signal.SIGTERM)
    os.close(writer)
    with open(reader, encoding="utf-8") as lines:
        results = [json.loads(line) for line in lines]
    assert sorted(result["source"] for result in results) == sorted(f"{i}.jpg" for i in range(40))
    assert process.wait(30) == 0


def test_results_beyond_the_limit_are_counted(folder):
    """More than the buffer holds: left out, and the log says how many."""
    reader, writer = full_pipe()
    process = folder.start("--json", stdout=writer)
    folder.wait_for_log("run.started")
    made = 0
    while "output.full" not in folder.events():
        assert made < 3000
        folder.add(100)
        made += 100
        wait_for(lambda: folder.done() == made, "all sources done", 240)
    os.close(writer)
    received = []

    def read():
        received.append(os.read(reader, 1 << 20))
        return b'"source":"last.jpg"' in b"".join(received)
    os.set_blocking(reader, True)
    wait_for(lambda: len(received.append(os.read(reader, 1 << 20)) or b"".join(received)) > 200 * 1024, "what was kept")
    (folder.folder / "in" / "last.jpg").write_bytes((folder.folder / "picture.jpg").read_bytes())
    wait_for(read, "the last result")
    folder.wait_for_log("output.back")
    [back] = [line for line in folder.log() if line["event"] == "output.back"]
    results = [line for line in b"".join(received).splitlines() if line]
    assert int(back["results"]) + len(results) == made + 1
    process.send_signal(signal.SIGTERM)
    os.close(reader)
    assert process.wait(30) == 0


def test_closed_output_stops_nothing(folder):
    reader, writer = os.pipe()
    os.close(reader)
    folder.add(5)
    process = folder.start("--json", stdout=writer)
    os.close(writer)
    wait_for(lambda: folder.done() == 5, "all sources done")
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 0


# --- signals ---

def test_signals_that_end_nothing(folder):
    process = folder.start()
    folder.wait_for_log("run.started")
    process.send_signal(signal.SIGHUP)
    folder.wait_for_log("run.reloaded")
    process.send_signal(signal.SIGUSR1)
    folder.wait_for_log("run.log_level")
    process.send_signal(signal.SIGUSR1)
    folder.wait_for_log("run.log_level", 2)
    process.send_signal(signal.SIGUSR2)
    folder.wait_for_log("run.status")
    [first, second] = [line["msg"] for line in folder.log() if line["event"] == "run.log_level"]
    assert first.startswith("debug") and not second.startswith("debug")
    status = json.loads([line["msg"] for line in folder.log() if line["event"] == "run.status"][0])
    assert status["state"] == "running" and status["pipeline"] == "process" and status["failing"] == ""
    folder.add(2)
    wait_for(lambda: folder.done() == 2, "work after the signals")
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 0


def test_what_belongs_to_the_process_is_set_at_its_start(folder):
    """No write to what nobody reads ends it, and it takes as many descriptors as it may, whatever its parent left it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard - 1, hard))
    try:
        process = folder.start()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    folder.wait_for_log("run.started")
    assert resource.prlimit(process.pid, resource.RLIMIT_NOFILE) == (hard, hard)
    lines = (Path("/proc") / str(process.pid) / "status").read_text().splitlines()
    [ignored] = [int(line.split()[1], 16) for line in lines if line.startswith("SigIgn")]
    assert all(ignored & 1 << number - 1 for number in (signal.SIGPIPE, signal.SIGIO)), hex(ignored)
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 0


# --- the probe ---

def test_alive(folder):
    answer = folder.alive()
    assert answer.returncode == 3 and "no process" in answer.stderr
    process = folder.start()
    folder.wait_for_log("run.started")
    folder.add(3)
    wait_for(lambda: folder.done() == 3, "some work")
    answer = folder.alive()
    assert answer.returncode == 0, answer.stderr
    status = json.loads(answer.stdout)
    assert status["state"] == "running" and status["done"] == 3 and status["held"] == 0
    # From another place, by another name of the same file.
    os.symlink(folder.folder / "p.yaml", folder.folder / "other.yaml")
    asked = subprocess.run(folder.command("alive", str(folder.folder / "other.yaml")), cwd="/", capture_output=True, timeout=60)
    assert asked.returncode == 0
    process.send_signal(signal.SIGSTOP)
    answer = folder.alive("--timeout", "300")
    assert answer.returncode == 3 and "does not answer within 300 ms" in answer.stderr
    process.send_signal(signal.SIGCONT)
    assert folder.alive().returncode == 0
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 0
    assert folder.alive().returncode == 3


def test_alive_says_what_is_wrong(folder):
    assert folder.alive("--timeout", "0").returncode == 2
    (folder.folder / "p.yaml").unlink()
    answer = folder.alive()
    assert answer.returncode == 3 and "p.yaml: No such file" in answer.stderr


def test_two_processes_of_one_file(folder):
    """Both run; the first answers, the second says so."""
    first = folder.start()
    folder.wait_for_log("run.started")
    second = folder.start()
    folder.wait_for_log("run.alive")
    assert folder.alive().returncode == 0
    for process in (first, second):
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
