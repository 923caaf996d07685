# SPDX-License-Identifier: Apache-2.0
"""What one image does to the next, and a machine without time to all of them."""
import json
import os
import random
import signal
import subprocess
import time

from PIL import Image

from world import make

PATIENCE = 60


def apply(world, files, pipeline, *words):
    (world.folder / "p.yaml").write_text(json.dumps(pipeline))
    done = subprocess.run([str(world.build / "bin" / "pixmill"), "apply", "p.yaml", *map(str, files), "--out", "out", "--json",
                           "--plugin-dir", str(world.build / "test-plugins"), *words],
                          cwd=world.folder, env=world.environment(), capture_output=True, text=True, timeout=240)
    assert done.stdout, done.stderr
    results = json.loads(done.stdout)["results"]
    return {os.path.basename(one["source"]): one for one in results}


def pipeline(**settings):
    return {"version": 1, "on_error": {"backoff": "100ms"}, "outputs": {"a": {"steps": [{"resize": {"width": 1200}}],
            "to": {"file": {"path": "{stem}.{ext}"}}}}, **settings}


def test_fate_of_an_image_does_not_depend_on_the_one_before(world):
    """A child that has done others has less of limits.memory left. At 64 MiB, a WebP fits up to 4.0 megapixels, a progressive JPEG up to
    14.3, a PNG always; these have a half of that, or twice as much."""
    files = []
    for width in (200, 900, 1500, 1700):
        files += [save(world, width, "progressive.jpg"), save(world, width, "a.webp"), save(world, width, "b.png")]
    files += [save(world, 3200, "progressive.jpg"), save(world, 3600, "a.webp"), save(world, 6600, "progressive.jpg")]
    files.append(world.folder / "rubbish.jpg")
    files[-1].write_text("no picture")
    fates = {path.name: "ok" for path in files}
    fates.update({"3600-a.webp": "limit", "6600-progressive.jpg": "limit", "rubbish.jpg": "bad_input"})
    limits = {"memory": "64MiB"}
    fresh = apply(world, files, pipeline(limits=limits, workers=1, isolation="per-job"))
    assert {name: one["status"] for name, one in fresh.items()} == fates
    for seed in range(2):
        shuffled = random.Random(seed).sample(files, len(files))
        shared = apply(world, shuffled, pipeline(limits=limits, workers=1, jobs_per_child=1000))
        assert {name: one["status"] for name, one in shared.items()} == fates, seed


def test_what_fits_is_no_matter_of_chance(world):
    """Near the limit, while a busy machine makes threads start and end in another order each time, all copies of a picture have one fate."""
    copies = []
    for width in (1300, 2000, 2700):
        first = save(world, width, "a.webp")
        for i in range(8):
            copies.append(world.folder / f"{i}-{first.name}")
            os.link(first, copies[-1])
    busy = [subprocess.Popen(["sh", "-c", "while :; do :; done"]) for _ in range(4)]
    try:
        results = apply(world, copies, pipeline(limits={"memory": "64MiB"}, workers=2, isolation="per-job"))
    finally:
        for process in busy:
            process.kill()
            process.wait()
    fates = {}
    for name, one in results.items():
        fates.setdefault(name.split("-", 1)[1], set()).add(one["status"])
    assert len(fates) == 3 and all(len(those) == 1 and those <= {"ok", "limit"} for those in fates.values()), fates


def test_a_rendition_may_take_more_than_half_of_the_memory(world):
    """It is encoded into the broker's memory file: on the heap, which grows by doubling, 32 MiB of 64 were the most."""
    noise = Image.frombytes("RGB", (3600, 3600), random.Random(1).randbytes(3600 * 3600 * 3))
    noise.save(world.folder / "noise.jpg", quality=75)
    wanted = pipeline(limits={"memory": "64MiB", "cpu_time": "60s", "wall_time": "120s"}, workers=1)
    for format, settings in (("png", {"effort": 1}), ("jpeg", {"quality": 100, "subsampling": "444"})):
        wanted["outputs"]["a"]["steps"] = [{"convert": {"format": format, **settings}}]
        result = apply(world, [world.folder / "noise.jpg"], wanted)["noise.jpg"]
        assert result["status"] == "ok", result
        assert result["outputs"][0]["size"] > 33 << 20, result
        with Image.open(result["outputs"][0]["location"]) as made:
            made.load()
            assert (made.format, made.size) == (format.upper(), (3600, 3600))


def save(world, width, kind):
    parameters = {"progressive.jpg": {"progressive": True, "quality": 80}, "a.webp": {"method": 0}, "b.png": {"compress_level": 1}}
    path = world.folder / f"{width}-{kind}"
    make.image(width, width * 2 // 3, seed=width).save(path, **parameters[kind])
    return path


def test_a_stopped_worker_is_not_the_fault_of_its_image(world):
    """Every child is stopped in the middle of its first job; those that come later are left alone."""
    image = world.folder / "a.jpg"
    make.image(600, 400).save(image)
    slow = pipeline(limits={"wall_time": "1500ms"}, workers=1, steps=[{"fault-slow": {"time": "500ms"}}])
    (world.folder / "p.yaml").write_text(json.dumps(slow))
    process = subprocess.Popen([str(world.build / "bin" / "pixmill"), "apply", "p.yaml", "a.jpg", "--out", "out", "--json",
                                "--plugin-dir", str(world.build / "test-plugins")], cwd=world.folder, env=world.environment(),
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        child = None
        until = time.monotonic() + PATIENCE
        while child is None and time.monotonic() < until:
            child = find_child(process.pid)
            time.sleep(0.005)
        assert child, "no worker process was seen"
        time.sleep(0.15)
        os.kill(child, signal.SIGSTOP)
        out, _ = process.communicate(timeout=PATIENCE)
    finally:
        process.kill()
    result = json.loads(out)["results"][-1]
    assert result["status"] == "ok", result
    assert result["attempt"] == 2


def find_child(broker):
    """A child of the broker's worker: a process named pixmill-child among its descendants."""
    for entry in os.listdir("/proc"):
        try:
            if entry.isdigit() and open(f"/proc/{entry}/comm").read() == "pixmill-child\n" and broker in ancestors(int(entry)):
                return int(entry)
        except OSError:
            pass
    return None


def ancestors(pid):
    while pid > 1:
        with open(f"/proc/{pid}/stat") as stat:
            pid = int(stat.read().rpartition(")")[2].split()[1])
        yield pid
