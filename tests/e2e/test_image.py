# SPDX-License-Identifier: Apache-2.0
"""The image of config/Dockerfile: as a worker on SQS, as a Lambda function, and its health check. Read-only, as nobody, without a capability."""
import json
import os
import shutil
import signal
import subprocess

import pytest

import events
import runtime_api
from test_lambda import BAD, batch, failed
from world import Running, wait_for

HARD = ["--read-only", "--tmpfs", "/tmp:rw,size=64m,mode=1777", "--cap-drop", "all", "--security-opt", "no-new-privileges"]
# Small enough for a machine that is itself a container.
LIMITS = ["--ulimit", "nofile=1024:20000", "--ulimit", "nproc=4096:4096"]


@pytest.fixture
def image(request):
    name = request.config.getoption("--image")
    if not name:
        pytest.skip("no --image")
    return name


def podman(image, *arguments, options=(), env=None):
    variables = [word for name, value in (env or {}).items() for word in ("--env", f"{name}={value}")]
    # Health checks are systemd's, which is not everywhere: what they run is tested by itself. crun wants the newer cgroups.
    runtime = ["--runtime", "runc"] if shutil.which("runc") else []
    return ["podman", *runtime, "run", "--rm", "--no-healthcheck", "--network", "host", *HARD, *LIMITS, *options, *variables, image, *arguments]


def mounted(world):
    (world.folder / "p.yaml").chmod(0o644)
    return ["--volume", f"{world.folder}/p.yaml:/etc/pixmill/pipeline.yaml:ro"]


def told(image, *arguments, options=()):
    return subprocess.run(podman(image, *arguments, options=options), capture_output=True, text=True, timeout=60)


def test_what_it_is(image):
    [about] = json.loads(subprocess.run(["podman", "image", "inspect", image], capture_output=True, check=True).stdout)
    assert about["Config"]["User"] == "65532:65532"
    assert (about.get("Healthcheck") or about["HealthCheck"])["Test"] == ["CMD", "pixmill", "alive", "/etc/pixmill/pipeline.yaml"]
    assert about["Size"] < 70_000_000
    assert told(image, "version").stdout.startswith("pixmill ")
    shell = subprocess.run([*podman(image, options=["--entrypoint", "/bin/sh"]), "-c", "true"], capture_output=True, text=True)
    assert shell.returncode != 0, "there is a shell"


def test_a_worker_drains_and_ends(world, image):
    world.pipeline()
    uploads = [world.upload(f"in/{i}.jpg") for i in range(4)] + [world.upload("in/bad.jpg", BAD)]
    for upload in uploads:
        world.send(events.aws(upload))
    running = Running(podman(image, "run", "/etc/pixmill/pipeline.yaml", "--json", options=mounted(world), env=world.peers.environment()),
                      {**os.environ}, world.folder)
    world.running.append(running)
    wait_for(lambda: len(world.keys()) == 4, "the renditions")
    running.signal(signal.SIGTERM)  # podman hands it on to the process in the container
    finished = running.wait(30)
    assert finished.code == 3, finished.err  # some inputs failed
    assert world.keys() == [f"out/{i}.jpg.jpg" for i in range(4)]
    assert [letter.reason for letter in world.dead()] == ["bad_input"]


def test_a_lambda_function(world, image):
    world.pipeline()
    good = world.upload("in/good.jpg")
    api = runtime_api.RuntimeApi()
    env = {**world.peers.environment(), "AWS_LAMBDA_RUNTIME_API": api.host, "AWS_LAMBDA_LOG_FORMAT": "JSON", "LAMBDA_TASK_ROOT": "/var/task"}
    running = Running(podman(image, options=mounted(world), env=env), {**os.environ}, world.folder)
    world.running.append(running)
    try:
        assert failed(api.invoke(batch(events.aws(good), "no event"))) == ["m2"]
        assert world.keys() == ["out/good.jpg.jpg"]
    finally:
        running.terminate(30)
        api.close()
    assert api.violations == []


def test_validate_finds_what_is_wrong(world, image):
    check = ["validate", "/etc/pixmill/pipeline.yaml"]
    world.pipeline()
    fine = told(image, *check, options=mounted(world))
    assert (fine.returncode, fine.stdout) == (0, "/etc/pixmill/pipeline.yaml: fine (1 output, 2 steps)\n"), fine.stderr
    world.pipeline(steps=[{"resize": {"width": 0}}])
    wrong = told(image, *check, options=mounted(world))
    assert wrong.returncode == 2
    assert "steps: resize: width 0 is below 1" in wrong.stderr
    none = told(image, *check)
    assert none.returncode == 2
    assert "/etc/pixmill/pipeline.yaml: cannot be opened" in none.stderr or "No such file" in none.stderr
