# SPDX-License-Identifier: Apache-2.0
"""Renditions that become files keep the order of their sources' versions; a slow disk stops nothing else."""
import errno
import json
import os
import shutil
import subprocess
import time

import pytest

from world import wait_for

SLOW_FSYNC = """
#define _GNU_SOURCE
#include <sys/syscall.h>
#include <unistd.h>
int fsync(int fd) { usleep(1500000); return (int)syscall(SYS_fsync, fd); }
"""


def to_files(world, **top):
    world.pipeline(outputs={"small": {"steps": [{"resize": {"width": 64}}, {"convert": {"format": "jpeg"}}],
                                      "to": {"file": {"path": "out/{name}.{ext}"}}}}, **top)


@pytest.fixture
def uploads(world):
    """Three versions of one object, all of which can still be read."""
    to_files(world)
    world.s3.put_bucket_versioning(Bucket=world.source, VersioningConfiguration={"Status": "Enabled"})
    return [world.upload("in/a.jpg", world.picture(seed=seed)) for seed in (1, 2, 3)]


def stored(world, upload):
    world.announce(upload)
    [output] = world.run().result(upload)["outputs"]
    return output["stored"]


def test_versions_in_a_folder(world, uploads):
    found = []
    for at in (1, 0, 2, 1, 2):
        found.append(stored(world, uploads[at]))
        if at == 1 and len(found) == 1:
            middle = (world.folder / "out/a.jpg.jpg").read_bytes()
        if at == 0:
            assert (world.folder / "out/a.jpg.jpg").read_bytes() == middle
    assert found == ["stored", "stale", "stored", "stale", "current"]
    world.assert_all_settled()
    assert world.dead() == []


def test_all_versions_at_once(world, uploads):
    """One worker each, delivered newest first: whichever is done last, the newest stays."""
    world.announce(*reversed(uploads), *uploads)
    world.run("--workers", "4")
    (world.folder / "out/a.jpg.jpg").rename(world.folder / "seen.jpg")
    assert stored(world, uploads[2]) == "stored"
    assert (world.folder / "out/a.jpg.jpg").read_bytes() == (world.folder / "seen.jpg").read_bytes()


def slow_disk(world):
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        pytest.skip("no compiler for a slow fsync")
    if "ASAN_OPTIONS" in os.environ:
        pytest.skip("a preloaded library and AddressSanitizer do not go together")
    source, library = world.folder / "slow.c", world.folder / "slow.so"
    source.write_text(SLOW_FSYNC)
    subprocess.run([compiler, "-shared", "-fPIC", "-o", library, source], check=True)
    return str(library)


def test_a_slow_disk_costs_no_lease(world):
    """fsync takes longer than the visibility timeout: the message stays ours, and each image is done once."""
    world.make_queue(visibility=2)
    to_files(world)
    uploads = [world.announced(f"in/{n}.jpg") for n in range(2)]
    running = world.start(env={"LD_PRELOAD": slow_disk(world)})
    running.wait_for_results(2)
    time.sleep(0.5)
    finished = running.terminate()
    assert finished.code == 0
    assert finished.statuses() == ["ok"] * 2, "some were delivered again"
    assert all(result["attempt"] == 1 for result in finished.results)
    world.assert_all_settled()
    assert len(list((world.folder / "out").glob("*.jpg"))) == len(uploads)


def test_a_slow_disk_does_not_delay_the_end(world):
    """SIGTERM while fsync is at it: the grace time counts, and not how many fsyncs wait."""
    world.make_queue(visibility=30)
    to_files(world)
    for n in range(8):
        world.announced(f"in/{n}.jpg")
    running = world.start("--grace", "1s", env={"LD_PRELOAD": slow_disk(world)})
    wait_for(lambda: world.depth()[1] > 0, "a message is taken")
    running.wait_for_results(1)
    began = time.monotonic()
    running.terminate()
    assert time.monotonic() - began < 10, "sixteen fsyncs take 24 s"


def test_a_half_written_file_is_not_taken(world):
    """Found at the start with half of its bytes, while another process has it open."""
    folder = world.folder / "in"
    folder.mkdir()
    data = world.picture(ending="png")
    (world.folder / "p.yaml").write_text(json.dumps({
        "version": 1, "trigger": {"directory": {"path": "in"}},
        "outputs": {"a": {"steps": [{"resize": {"width": 64}}], "to": {"file": {"path": "out/{stem}.{ext}"}}}}}))
    with open(folder / "a.png", "wb", buffering=0) as writer:
        writer.write(data[:len(data) // 2])
        os.utime(folder / "a.png", (time.time() - 60, time.time() - 60))
        (folder / "b.png").write_bytes(data)
        running = world.start()
        running.wait_for_results(1)
        assert [result["source"] for result in running.so_far().results] == ["b.png"]
        assert (folder / "a.png").exists() and not (folder / "failed").exists()
        writer.write(data[len(data) // 2:])
    running.wait_for_results(2)
    wait_for(lambda: (folder / "done/a.png").exists(), "a.png is done")
    assert running.terminate().statuses() == ["ok", "ok"]
    assert (folder / "done/a.png").read_bytes() == data
    assert len(list((world.folder / "out").glob("a.*"))) == 1


@pytest.fixture
def small_disk(world):
    """A file system of its own at out/, as long as the test takes."""
    out = world.folder / "out"
    out.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k,nr_inodes=100,mode=777", "pixmill-test", out], capture_output=True)
    if mounted.returncode:
        pytest.skip(f"nothing can be mounted here: {mounted.stderr.decode().strip()}")
    yield out
    subprocess.run(["umount", "--lazy", out], check=True)


def remount(out, options):
    subprocess.run(["mount", "-o", f"remount,{options}", out], check=True)


def fill(out):
    with open(out / "filler", "wb", buffering=0) as filler:
        try:
            while True:
                filler.write(bytes(4096))
        except OSError as error:
            assert error.errno == errno.ENOSPC


DISKS = {"full": (fill, lambda out: (out / "filler").unlink()),
         "no-inodes": (lambda out: remount(out, "nr_inodes=1"), lambda out: remount(out, "nr_inodes=200")),
         "read-only": (lambda out: remount(out, "ro"), lambda out: remount(out, "rw"))}


@pytest.mark.parametrize("spoil, mend", DISKS.values(), ids=DISKS)
def test_a_disk_that_fails_sets_no_source_aside(world, small_disk, spoil, mend):
    """Forty good images while nothing can be written, and no retry allowed: none is in failed/, all are done afterwards."""
    folder = world.folder / "in"
    folder.mkdir()
    (world.folder / "p.yaml").write_text(json.dumps({
        "version": 1, "workers": 2, "on_error": {"backoff": "100ms", "retries": 0}, "trigger": {"directory": {"path": "in"}},
        "outputs": {"a": {"steps": [{"resize": {"width": 64}}], "to": {"file": {"path": "out/{stem}.{ext}"}}}}}))
    spoil(small_disk)
    data = world.picture(width=100, height=80)
    for n in range(40):
        (folder / f"{n}.jpg").write_bytes(data)
    running = world.start()
    running.wait_for_log("dependency.failing")
    running.wait_for_results(5)  # each of them more than on_error.retries allows
    assert not (folder / "failed").exists()
    assert len(list(folder.glob("*.jpg"))) == 40
    mend(small_disk)
    wait_for(lambda: len(list(folder.glob("done/*.jpg"))) == 40, "all are done")
    assert running.terminate().code == 0
    assert not (folder / "failed").exists()
    assert len(list(small_disk.glob("*.jpg"))) == 40
