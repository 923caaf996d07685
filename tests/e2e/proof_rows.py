# SPDX-License-Identifier: Apache-2.0
"""Rows of the proof that take too long for every run, or that tests/faults.py measures: not collected unless they are named.

    pytest proof_rows.py -k corpus --build DIR

Each prints "measured: ..." (-s shows it).
"""
import csv
import os
import pathlib
import signal
import subprocess
import tarfile
import threading
import time

import pytest

import events
import faults
from world import wait_for

SHARED = pathlib.Path(os.environ.get("PIXMILL_SHARED", pathlib.Path(__file__).resolve().parents[3] / "shared"))
CORPUS = SHARED / "corpus" / "hostile.tar.xz"
DEATHS = [("segv", "SIGSEGV"), ("abort", "SIGABRT"), ("exit", "exit"), ("stack", "SIGSEGV")]


def measured(text):
    print(f"\nmeasured: {text}")


def run_until_empty(world, seconds):
    """Runs until nothing is left: what was given back waits for the next one. All that they said."""
    results, until = [], time.monotonic() + seconds
    while sum(world.depth()) > 0:
        assert time.monotonic() < until, f"{world.depth()} messages are left after {seconds} s"
        finished = world.start("--once").wait(seconds)
        assert finished.code in (0, 3), finished.err[-3000:]
        results += finished.results
    return results


def test_hostile_corpus(world, tmp_path):
    """Every file as a message: the broker lives, each ends as sound renditions or as a dead letter with a reason."""
    if not CORPUS.exists():
        pytest.skip(f"no corpus of hostile images at {CORPUS}")
    with tarfile.open(CORPUS) as archive:
        archive.extractall(tmp_path)
    folder = tmp_path / "hostile"
    with (folder / "MANIFEST.tsv").open(encoding="utf-8", newline="") as rows:
        files = [row["file"] for row in csv.DictReader(rows, delimiter="\t")]
    world.make_queue(visibility=20, max_receive_count=20)
    world.pipeline()
    uploads = {f"in/{i:04d}": world.upload(f"in/{i:04d}", (folder / name).read_bytes()) for i, name in enumerate(files)}
    for upload in uploads.values():
        world.announce(upload)
    results = run_until_empty(world, 600)
    letters = world.dead()
    done = {one["key"] for one in results if one["status"] == "ok"}
    dead = {letter.source.rpartition(f"{world.source}/")[2] for letter in letters}
    assert not set(uploads) - done - dead, "neither done nor a dead letter"
    assert all(letter.reason and letter.attributes.get("pixmill.message") for letter in letters), "a dead letter without a reason"
    assert not [letter.reason for letter in letters if letter.reason.startswith("plugin_crash")]
    assert len(world.keys()) == len(done)
    world.assert_all_settled()
    measured(f"{len(files)} files: {len(done)} done, {len(dead)} dead letters with a reason, 0 broker deaths")


def test_job_of_ten_visibility_timeouts(world):
    world.make_queue(visibility=1)
    world.pipeline(steps=[{"fault-slow": {"time": "12s"}}], limits={"wall_time": "40s"})
    world.announced("in/a.jpg")
    running = world.start()
    stolen, until = 0, time.monotonic() + 60
    wait_for(lambda: world.depth() == (0, 1), "taken")
    while not running.so_far().results and time.monotonic() < until:
        stolen += len(world.sqs.receive_message(QueueUrl=world.queue_url).get("Messages", []))
        time.sleep(0.2)
    wait_for(lambda: world.depth() == (0, 0), "deleted")
    finished = running.terminate()
    assert stolen == 0 and [(one["status"], one["attempt"]) for one in finished.results] == [("ok", 1)]
    measured(f"{finished.results[0]['ms'] / 1000:.1f} s at a visibility timeout of 1 s: processed once")


def test_every_plugin_fault(world):
    """SEGV, abort, exit(), stack overflow, hang, leak of memory, leak of descriptors; good images go on in the same run."""
    world.make_queue(visibility=10, max_receive_count=6)
    world.pipeline(limits={"wall_time": "3s", "cpu_time": "2s"}, workers=2, steps=[
        {f"fault-{name}": {"key": name}} for name in ("segv", "abort", "exit", "stack", "hang", "leak", "fd")])
    for name in ("segv", "abort", "exit", "stack", "hang"):
        world.announced(f"in/{name}.jpg")
    for i in range(40):  # some of them leak, all of them must be done
        world.announced(f"in/{('leak', 'fd', 'good')[i % 3]}-{i}.jpg", world.picture(width=64, height=48))
    run_until_empty(world, 240)
    letters = {letter.source.rpartition("/")[2]: letter for letter in world.dead()}
    for name, tag in DEATHS:
        assert letters[f"{name}.jpg"].reason.startswith(f"plugin_crash:fault-{name}:{tag}"), letters[f"{name}.jpg"].attributes
    hang = letters["hang.jpg"]
    assert hang.reason in ("limit", "transient") and "fault-hang" in hang.attributes.get("pixmill.plugin", "") + hang.message, hang.attributes
    assert set(letters) == {f"{name}.jpg" for name, _ in DEATHS} | {"hang.jpg"}, sorted(letters)
    assert len(world.keys()) == 40
    world.assert_all_settled()
    measured("7 of 7 contained, 5 dead letters name the plugin, 40 of 40 good images done")


def away(world, proxies, service, fault, seconds, count):
    """`count` images while a service is away for some seconds. (seconds until the first rendition, until the last one)."""
    url = world.peers.s3_url if service == "S3" else world.peers.sqs_url
    world.make_queue(visibility=10, max_receive_count=3)
    world.pipeline()
    data = [world.picture(width=64, height=48, seed=i) for i in range(5)]
    for i in range(count):
        world.announced(f"in/{i:04d}.jpg", data[i % 5])
    proxy = proxies(url)
    running = world.start(env={f"AWS_ENDPOINT_URL_{service}": proxy.url})
    running.wait_for_results(5)
    proxy.fail(fault)
    time.sleep(seconds)
    before = len(world.keys())
    proxy.heal()
    began = time.monotonic()
    wait_for(lambda: len(world.keys()) > before, "the first rendition after the outage", 300)
    first = time.monotonic() - began
    wait_for(lambda: len(world.keys()) == count and world.depth() == (0, 0), "all done", 300)
    took = time.monotonic() - began
    finished = running.terminate()
    assert finished.code in (0, 3), finished.err[-3000:]
    assert world.dead() == [], "good images became dead letters"
    assert first <= 30, f"the first rendition came {first:.0f} s after the outage"
    return first, took


def test_store_refuses_for_30_s(world, proxies):
    first, took = away(world, proxies, "S3", faults.reset, 30, 150)
    measured(f"150 of 150 done, 0 dead letters, first rendition {first:.1f} s after, all {took:.0f} s after")


def test_store_is_silent_for_30_s(world, proxies):
    """Packets dropped: connections are taken and nothing comes."""
    first, took = away(world, proxies, "S3", faults.silent(120), 30, 150)
    measured(f"150 of 150 done, 0 dead letters, first rendition {first:.1f} s after, all {took:.0f} s after")


def test_queue_is_away_for_60_s(world, proxies):
    first, took = away(world, proxies, "SQS", faults.reset, 60, 150)
    measured(f"150 of 150 done, 0 dead letters, first rendition {first:.1f} s after, all {took:.0f} s after")


def test_sigterm_while_stdout_is_not_read(world):
    """The reader of our output may stop reading: work and the end go on."""
    world.pipeline()
    for i in range(200):
        world.announced(f"in/{i:04d}.jpg", world.picture(width=64, height=48, seed=i % 3))
    command = [str(world.build / "bin" / "pixmill"), "run", "p.yaml", "--json", "--log-format", "json"]
    reading, writing = os.pipe()
    broker = subprocess.Popen(command, env=world.environment(), cwd=world.folder, stdin=subprocess.DEVNULL, stdout=writing,
                              stderr=subprocess.DEVNULL, start_new_session=True)
    os.close(writing)
    try:
        wait_for(lambda: world.depth() == (0, 0) and len(world.keys()) == 200, "all done with nobody reading", 120)
        began = time.monotonic()
        broker.send_signal(signal.SIGTERM)
        broker.wait(27)
        took = time.monotonic() - began
    finally:
        broker.kill()
        broker.wait()
        os.close(reading)
    measured(f"200 of 200 done, SIGTERM took {took:.1f} s")


def test_two_brokers_one_queue_with_duplicates(world):
    """Everything comes twice, to two brokers at once: one rendition each, written once."""
    world.pipeline()
    uploads = [world.upload(f"in/{i:04d}.jpg", world.picture(width=64, height=48, seed=i % 3)) for i in range(60)]
    for _ in range(2):
        threads = [threading.Thread(target=world.announce, args=(upload,)) for upload in uploads]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    world.send(events.aws(uploads[0]))
    one, two = world.start("--once"), world.start("--once")
    results = one.wait(120).results + two.wait(120).results + run_until_empty(world, 60)
    stored = [output["stored"] for result in results for output in result["outputs"]]
    assert stored.count("stored") == 60 and set(stored) == {"stored", "current"}, stored
    measured(f"{len(results)} results, {stored.count('stored')} written, {stored.count('current')} found current")
