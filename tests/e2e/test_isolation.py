# SPDX-License-Identifier: Apache-2.0
"""What one image does to the next, and a machine without time to all of them."""
import json
import os
import random
import signal
import subprocess
import time

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
    """Pictures around limits.memory, which a child that has done others has less of."""
    files = []
    for width in (200, 900, 1500, 2000, 2400):
        image = make.image(width, width * 2 // 3, seed=width)
        for name, parameters in (("progressive.jpg", {"progressive": True, "quality": 80}), ("a.webp", {"method": 0}), ("b.png", {"compress_level": 1})):
            files.append(world.folder / f"{width}-{name}")
            image.save(files[-1], **parameters)
    files.append(world.folder / "rubbish.jpg")
    files[-1].write_text("no picture")
    limits = {"memory": "64MiB"}
    fresh = apply(world, files, pipeline(limits=limits, workers=1, isolation="per-job"))
    fates = {name: one["status"] for name, one in fresh.items()}
    assert {"ok", "limit", "bad_input"} <= set(fates.values()), fates  # both sides of the limit are met
    for seed in range(2):
        shuffled = random.Random(seed).sample(files, len(files))
        shared = apply(world, shuffled, pipeline(limits=limits, workers=1, jobs_per_child=1000))
        assert {name: one["status"] for name, one in shared.items()} == fates, seed


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
