# SPDX-License-Identifier: Apache-2.0
"""Plugins that call a service of AWS: signed by the broker, as a strict stand-in sees it."""
import json
import subprocess

import pytest

import rekognition
from world import wait_for

REGION = "eu-west-1"


@pytest.fixture
def service(world):
    with rekognition.Rekognition(world.peers.access_key, world.peers.secret_key, world.peers.region) as started:
        yield started


def pipeline(world, **more):
    world.pipeline(steps=[{"caller": more}], aws={"region": world.peers.region}, fetch={"retries": 2})


def run(world, service, **options):
    return world.run(env={"AWS_ENDPOINT_URL_REKOGNITION": service.url}, **options)


def test_a_call_is_signed_and_its_answer_read(world, service):
    pipeline(world, second="aws://rekognition/DetectModerationLabels")
    upload = world.announced("in/a.jpg")
    result = run(world, service).result(upload)
    assert (result["facts"]["caller.status"], result["facts"]["caller.count"]) == ("200", "1")
    assert service.calls == ["DetectFaces"]
    world.assert_all_settled()


def test_a_session_token_is_signed_too(world):
    """Of a folder: the peers know no such token."""
    with rekognition.Rekognition("ASIATEMPORARY", "secret", REGION, "token/+=") as service:
        (world.folder / "p.yaml").write_text(json.dumps({
            "version": 1, "steps": [{"caller": {}}], "outputs": {"a": {"to": {"file": {"path": "{name}.{ext}"}}}}}))
        (world.folder / "a.jpg").write_bytes(world.picture())
        env = world.environment(AWS_ENDPOINT_URL_REKOGNITION=service.url, AWS_REGION=REGION, AWS_ACCESS_KEY_ID="ASIATEMPORARY",
                                AWS_SECRET_ACCESS_KEY="secret", AWS_SESSION_TOKEN="token/+=")
        done = subprocess.run([world.build / "bin" / "pixmill", "apply", "p.yaml", "a.jpg", "--out", "out", "--json", "--plugin-dir",
                               f"{world.build}/plugins:{world.build}/test-plugins"], cwd=world.folder, env=env, text=True, capture_output=True)
        assert done.returncode == 0, done.stdout + done.stderr
        assert service.calls == ["DetectFaces"]


def test_throttling_is_waited_out(world, service):
    pipeline(world)
    service.answers = [(400, "ThrottlingException"), (500, "InternalServerError")]
    upload = world.announced("in/a.jpg")
    assert run(world, service).result(upload)["facts"]["caller.status"] == "200"
    assert service.calls == ["DetectFaces"] * 3


def test_a_refused_picture_is_the_plugins_to_judge(world, service):
    pipeline(world, send="nothing")
    upload = world.announced("in/a.jpg")
    assert run(world, service).result(upload)["facts"]["caller.status"] == "400"


def test_what_is_not_allowed_is_tried_again_and_named(world, service):
    world.pipeline(steps=[{"caller": {}}], aws={"region": world.peers.region}, on_error={"backoff": "3s"})
    service.denied.add("DetectFaces")
    world.announced("in/a.jpg")
    running = world.start(env={"AWS_ENDPOINT_URL_REKOGNITION": service.url})
    running.wait_for_log("allow rekognition:DetectFaces")
    service.denied.clear()
    wait_for(lambda: "ok" in running.so_far().statuses(), "a result")
    finished = running.terminate()
    assert finished.statuses() == ["ok", "retry"] and world.dead() == []
    failed = [line for line in finished.log if line["event"] == "fetch.failed"][0]
    assert failed["url"] == "aws://rekognition/DetectFaces" and "AccessDeniedException" in failed["msg"]


def test_doctor_asks_for_each_right(world, service):
    pipeline(world, second="aws://rekognition/DetectModerationLabels")
    service.denied.add("DetectModerationLabels")
    done = subprocess.run([world.build / "bin" / "pixmill", "doctor", "p.yaml", "--plugin-dir",
                           f"{world.build}/plugins:{world.build}/test-plugins"], cwd=world.folder, text=True, capture_output=True,
                          env=world.environment(AWS_ENDPOINT_URL_REKOGNITION=service.url))
    assert done.returncode == 3, done.stdout + done.stderr
    assert "ok       aws://rekognition/DetectFaces: may be called" in done.stdout
    assert "FAILED   aws://rekognition/DetectModerationLabels: rekognition DetectModerationLabels: 400 AccessDenied" in done.stdout
    assert "hint: allow rekognition:DetectModerationLabels on *" in done.stdout
    assert sorted(service.calls) == ["DetectFaces", "DetectModerationLabels"]


def test_a_wrong_secret_is_told(world, service):
    service.credentials.secret_key = "another"
    pipeline(world)
    world.announced("in/a.jpg")
    running = world.start(env={"AWS_ENDPOINT_URL_REKOGNITION": service.url})
    running.wait_for_log("InvalidSignatureException")
    running.terminate()
    assert service.calls == []
