# SPDX-License-Identifier: Apache-2.0
"""The zip for AWS Lambda in a root that holds nothing else: an SQS event, S3, and text on a picture, which asks for fonts."""
import json
import os
import shutil
import stat
import subprocess
import zipfile

import pytest

import events
import runtime_api
from test_lambda import BAD, batch, failed
from world import Running

# What Lambda's kernel gives a process: /proc and /dev/null. No shell, no libc, no certificates, no fonts.
ENTER = 'mount --rbind /proc "$0/proc" && touch "$0/dev/null" && mount --bind /dev/null "$0/dev/null" && exec chroot "$0" /bootstrap'


def enter(root):
    return ["unshare", *(["--user", "--map-root-user"] if os.geteuid() != 0 else []), "--mount", "sh", "-c", ENTER, str(root)]


@pytest.fixture
def root(request, tmp_path):
    path = request.config.getoption("--zip")
    if not path:
        pytest.skip("no --zip")
    folder = tmp_path / "root"
    with zipfile.ZipFile(path) as archive:
        for one in archive.infolist():
            archive.extract(one, folder)
            (folder / one.filename).chmod(stat.S_IMODE(one.external_attr >> 16))
    for name in ("proc", "dev", "tmp"):
        (folder / name).mkdir()
    assert sorted(path.name for path in folder.iterdir()) == ["bin", "bootstrap", "dev", "etc", "lib", "libexec", "proc", "share", "tmp"]
    probe = subprocess.run([*enter(folder)[:-4], "sh", "-c", ENTER.replace("exec", ": exec"), str(folder)], capture_output=True, text=True)
    if probe.returncode != 0:
        pytest.skip(f"no empty root here: {probe.stderr.strip()}")
    return folder


def tier_of(world):
    """What the sandbox is on this machine itself."""
    (world.folder / "in").mkdir()
    (world.folder / "in" / "a.jpg").write_bytes(BAD)
    (world.folder / "tier.yaml").write_text(json.dumps({"version": 1, "trigger": {"directory": {"path": "in"}},
                                                        "outputs": {"a": {"to": {"file": {"path": "out/{name}"}}}}}))
    done = subprocess.run([world.build / "bin" / "pixmill", "run", "tier.yaml", "--once", "--log-format", "json"], cwd=world.folder,
                          env=world.environment(), capture_output=True, text=True)
    return next(line["sandbox"] for line in map(json.loads, done.stderr.splitlines()) if line["event"] == "run.started")


def test_an_sqs_event_in_an_empty_root(world, root):
    text = {"watermark": {"text": "{stem}", "size": 24, "color": "#ff0000"}}
    world.pipeline(outputs={
        "small": {"steps": [{"resize": {"width": 64}}, {"convert": {"format": "jpeg"}}],
                  "to": {"s3": {"bucket": world.target, "key": "small/{name}.{ext}"}}},
        "signed": {"steps": [text, {"convert": {"format": "png"}}], "to": {"s3": {"bucket": world.target, "key": "signed/{name}.{ext}"}}},
        "plain": {"steps": [{"convert": {"format": "png"}}], "to": {"s3": {"bucket": world.target, "key": "plain/{name}.{ext}"}}}})
    shutil.copy(world.folder / "p.yaml", root / "pipeline.yaml")
    good, bad = world.upload("in/good.jpg"), world.upload("in/bad.jpg", BAD)
    api = runtime_api.RuntimeApi()
    env = {**world.peers.environment(), "PATH": "/bin:/usr/bin:/usr/sbin:/sbin", "AWS_LAMBDA_RUNTIME_API": api.host,
           "AWS_LAMBDA_LOG_FORMAT": "JSON", "_HANDLER": "pixmill", "LAMBDA_TASK_ROOT": "/"}
    running = Running(enter(root), env, world.folder)
    world.running.append(running)
    try:
        answer = api.invoke(batch(events.aws(good), events.aws(bad)))
        assert failed(answer) == ["m2"]
        assert world.keys() == ["plain/good.jpg.png", "signed/good.jpg.png", "small/good.jpg.jpg"]
        assert world.get("small/good.jpg.jpg")["Image"].size == (64, 48)
        signed, plain = (world.get(f"{folder}/good.jpg.png")["Image"].convert("RGB") for folder in ("signed", "plain"))
        reds = sum(1 for before, after in zip(plain.getdata(), signed.getdata()) if before != after and after[0] > 200 > 60 > after[1])
        assert reds > 50, "the text is not there"
        # What lies there is what came, and one cache of fonts.
        made = {path.parent.name for path in (root / "tmp").rglob("*") if path.is_file()}
        assert made <= {"pixmill-fontconfig"}
    finally:
        finished = running.terminate(10)
        api.close()
    assert api.violations == []
    [started] = [line for line in finished.log if line["event"] == "run.started"]
    # No namespaces in a chroot; all else as on the machine.
    assert started["sandbox"] >= min("T2", tier_of(world)), started
    assert [line["status"] for line in finished.log if line["level"] in ("WARN", "ERROR")] == ["bad_input"], finished.err


def test_the_first_worker_starts_beside_pixmill(world, root):
    """Pixmill itself would start it by this name, so it cannot have."""
    (root / "libexec" / "pixmill" / "pixmill-worker").unlink()
    world.pipeline(outputs={"plain": {"steps": [{"convert": {"format": "png"}}],
                                      "to": {"s3": {"bucket": world.target, "key": "{name}.{ext}"}}}})
    shutil.copy(world.folder / "p.yaml", root / "pipeline.yaml")
    upload = world.upload("in/good.jpg")
    api = runtime_api.RuntimeApi()
    env = {**world.peers.environment(), "PATH": "/bin:/usr/bin:/usr/sbin:/sbin", "AWS_LAMBDA_RUNTIME_API": api.host,
           "_HANDLER": "pixmill", "LAMBDA_TASK_ROOT": "/"}
    running = Running(enter(root), env, world.folder)
    world.running.append(running)
    try:
        assert failed(api.invoke(batch(events.aws(upload)))) == []
        assert world.keys() == ["good.jpg.png"]
    finally:
        running.terminate(10)
        api.close()


def test_the_start_says_what_is_wrong_with_the_file(world, root):
    (root / "pipeline.yaml").write_text(json.dumps({"version": 1, "outputs": {"a": {"steps": [{"rezise": {}}],
                                                                                   "to": {"s3": {"bucket": "b", "key": "{name}"}}}}}))
    api = runtime_api.RuntimeApi()
    env = {"PATH": "/bin:/usr/bin:/usr/sbin:/sbin", "AWS_LAMBDA_RUNTIME_API": api.host, "_HANDLER": "pixmill", "LAMBDA_TASK_ROOT": "/",
           "AWS_REGION": "eu-west-1"}
    running = Running(enter(root), env, world.folder)
    world.running.append(running)
    running.wait_for_log("did you mean resize? looked in /lib/pixmill/plugins")  # the second line of it
    assert "there is no plugin rezise" in running.so_far().err
    running.terminate(10)
    api.close()
