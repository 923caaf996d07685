# SPDX-License-Identifier: Apache-2.0
"""No secret reaches anything that pixmill says or writes: output, log, records, dead letters, reason files, plans."""
import http.server
import json
import os
import subprocess
import threading

import pytest

from world import make, wait_for

# One for each way in, and never part of a legitimate text.
CANARIES = {name: f"canary{name}{i}canary" for i, name in enumerate(
    ("User", "Password", "Query", "Token", "Item", "Variable", "Key", "Session", "Process", "Proxy"), 100)}


def assert_silent(*texts):
    said = "\n".join(text if isinstance(text, str) else json.dumps(text) for text in texts)
    told = [name for name, canary in CANARIES.items() if canary.lower() in said.lower()]
    assert not told, f"{told} in:\n{said}"


def url(port):
    return f"http://{CANARIES['User']}:{CANARIES['Password']}@127.0.0.1:{port}/hook/{CANARIES['Item']}?key={CANARIES['Query']}"


@pytest.fixture
def endpoint():
    """Answers every request with 404, so that the exchange itself works."""
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_error(404)
        do_POST = do_GET

        def log_message(self, *_):
            pass
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port
    server.shutdown()


def environment(build, folder, **more):
    env = {name: os.environ[name] for name in ("PATH", "ASAN_OPTIONS", "LSAN_OPTIONS", "UBSAN_OPTIONS") if name in os.environ}
    return {**env, "HOME": str(folder), "PIXMILL_PLUGIN_PATH": f"{build}/plugins:{build}/test-plugins",
            "TOKEN": CANARIES["Token"], "ITEM": CANARIES["Item"], "VARIABLE": CANARIES["Variable"], **more}


def pixmill(build, folder, *words, **env):
    done = subprocess.run([str(build / "bin" / "pixmill"), *words], cwd=folder, env=environment(build, folder, **env),
                          capture_output=True, text=True, timeout=60)
    return done.returncode, done.stdout + done.stderr


def picture(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    make.make("photo", path, width=64, height=48)


def folder_pipeline(say, address, **talkative):
    return json.dumps({
        "version": 1, "name": "secrets",
        "trigger": {"directory": {"path": "in", "watch": False}},
        "on_error": {"retries": 0, "backoff": "100ms"},
        "steps": [{"talkative": {"say": say, "token": "${TOKEN}", "tokens": ["${ITEM}"], "endpoint": address, **talkative}}],
        "outputs": {"small": {"to": {"file": {"path": "out/{stem}.{ext}"}}}}})


def everything_below(folder):
    return [str(path) + "\n" + path.read_bytes().decode("latin-1") for path in folder.rglob("*")
            if path.is_file() and path.name not in ("p.yaml", "config", "process.sh")]


@pytest.mark.parametrize("say,port", [("log", "closed"), ("param", "closed"), ("fail", "closed"), ("vips", "closed"),
                                      ("fetch", "closed"), ("fetch", "answers")])
def test_what_a_step_was_given(build, tmp_path, endpoint, say, port):
    address = url(endpoint if port == "answers" else 1)
    (tmp_path / "p.yaml").write_text(folder_pipeline(say, "${HOOK}"))
    said = []
    for command in (["validate", "p.yaml"], ["explain", "p.yaml"], ["explain", "--json", "p.yaml"], ["doctor", "p.yaml"],
                    ["iam", "p.yaml"], ["run", "p.yaml", "--once", "--log-format", "text", "--log-level", "debug"],
                    ["run", "p.yaml", "--once", "--log-format", "json", "--log-level", "debug", "--json"],
                    ["apply", "p.yaml", "one.jpg", "--out", "applied", "--json"]):
        picture(tmp_path / "in" / "a.jpg")
        picture(tmp_path / "one.jpg")
        said.append(pixmill(build, tmp_path, *command, HOOK=address)[1])
    assert_silent(*said, *everything_below(tmp_path))
    # What the plugin says is told, and what may be shown of a URL.
    if say in ("log", "fail", "vips"):
        assert "token ***, ***, url http://127.0.0.1:1, query ***" in "".join(said)
    if say == "fetch" and port == "closed":
        assert "http://127.0.0.1:1" in "".join(said)


@pytest.mark.parametrize("wrong", [
    {"endpoint": "ftp://x:${PASSWORD}@host/"},
    {"endpoint": "http://${PASSWORD}/word@host"},
    {"say": "${VARIABLE}"},
    {"token": "${TOKEN}${TOKEN}${TOKEN}${TOKEN}"},
    {"tokens": {"a": "${TOKEN}"}},
    {"unknown": "${VARIABLE}"},
    {"token": ["${TOKEN}"]},
])
def test_values_that_are_wrong(build, tmp_path, wrong):
    pipeline = json.loads(folder_pipeline("log", "http://127.0.0.1:1/"))
    pipeline["steps"][0]["talkative"].update(wrong)
    (tmp_path / "p.yaml").write_text(json.dumps(pipeline))
    picture(tmp_path / "in" / "a.jpg")
    for words in (["validate", "p.yaml"], ["validate", "--json", "p.yaml"], ["run", "p.yaml", "--once"], ["explain", "p.yaml"]):
        _, said = pixmill(build, tmp_path, *words, PASSWORD=CANARIES["Password"])
        assert_silent(said)


@pytest.mark.parametrize("place,step", [
    ({"width": "${VARIABLE}"}, "resize"), ({"fit": "${VARIABLE}"}, "resize"), ({"quality": "${VARIABLE}"}, "convert"),
    ({"background": "${VARIABLE}"}, "resize")])
def test_a_variable_that_does_not_fit_is_named_and_not_shown(build, tmp_path, place, step):
    pipeline = {"version": 1, "steps": [{step: place}] if step == "resize" else [],
                "outputs": {"a": {"steps": [{step: place}] if step != "resize" else [], "to": {"file": {"path": "{stem}"}}}}}
    (tmp_path / "p.yaml").write_text(json.dumps(pipeline))
    code, said = pixmill(build, tmp_path, "validate", "p.yaml")
    assert code == 2 and '"${VARIABLE}"' in said
    assert_silent(said)


# --- AWS ---

def aws_pipeline(world, **more):
    world.pipeline(steps=[{"talkative": {"say": "fetch", "token": "${TOKEN}", "tokens": ["${ITEM}"], "endpoint": "${HOOK}"}}],
                   **more)


def test_records_dead_letters_and_their_attributes(world, build):
    records = world.sqs.create_queue(QueueName=f"{world.name}-records")["QueueUrl"]
    aws_pipeline(world, notify={"sqs": {"queue_url": records}})
    upload = world.announced("in/a.jpg", b"no picture at all")
    pipeline = json.loads((world.folder / "p.yaml").read_text())
    pipeline["steps"][0]["talkative"]["say"] = "fail"
    (world.folder / "p.yaml").write_text(json.dumps(pipeline))
    good = world.announced("in/b.jpg")
    env = {"TOKEN": CANARIES["Token"], "ITEM": CANARIES["Item"], "HOOK": url(1)}
    finished = world.run(code=3, env=env)
    [one, two] = world.dead()
    received = world.sqs.receive_message(QueueUrl=records, MaxNumberOfMessages=10)["Messages"]
    assert len(received) == 2
    assert_silent(finished.out, finished.err, *(message["Body"] for message in received), one.attributes, two.attributes)
    assert "token ***" in json.dumps([one.attributes, two.attributes])
    assert finished.result(upload)["status"] == finished.result(good)["status"] == "bad_input"


@pytest.mark.parametrize("how", ["environment", "process", "proxy"])
def test_credentials(world, build, how):
    """They are wrong, so everything fails, and everything is told."""
    world.pipeline()
    world.announced("in/a.jpg")
    env = {"AWS_SECRET_ACCESS_KEY": CANARIES["Key"], "AWS_SESSION_TOKEN": CANARIES["Session"]}
    if how == "process":
        script = world.folder / "process.sh"
        script.write_text(f"#!/bin/sh\necho {CANARIES['Process']} >&2\necho '{{\"Version\": 1, \"AccessKeyId\": \"AKIDEXAMPLE\","
                          f" \"SecretAccessKey\": \"{CANARIES['Key']}\", \"SessionToken\": \"{CANARIES['Session']}\"}}'\n")
        script.chmod(0o755)
        (world.folder / ".aws").mkdir()
        (world.folder / ".aws" / "config").write_text(f"[default]\ncredential_process = {script} --secret {CANARIES['Process']}\n")
        env = {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}
    if how == "proxy":
        env["http_proxy"] = f"http://u:{CANARIES['Proxy']}@127.0.0.1:1"
    said = []
    for command in (["doctor", "p.yaml"], ["dlq", "list", "p.yaml"], ["iam", "p.yaml"], ["validate", "p.yaml"]):
        done = subprocess.run([str(build / "bin" / "pixmill"), *command], cwd=world.folder, env={**world.environment(**env)},
                              capture_output=True, text=True, timeout=120)
        said.append(done.stdout + done.stderr)
    running = world.start("--log-level", "debug", env=env)
    try:
        wait_for(lambda: running.process.poll() is not None or "\"level\":\"error\"" in running.so_far().err, "an error")
        finished = running.terminate()
    finally:
        running.end()
    assert "p.yaml:8:13: trigger" in finished.err or "queue.outage" in finished.err
    assert_silent(*said, finished.out, finished.err)


@pytest.mark.parametrize("section,key", [("aws", "endpoint_url"), ("trigger", "queue_url"), ("trigger", "dead_letter_url"),
                                         ("trigger", "endpoint_url"), ("source", "endpoint_url"), ("notify", "queue_url"),
                                         ("to", "endpoint_url")])
def test_addresses_carry_no_secrets(world, build, section, key):
    address = f"https://{CANARIES['User']}:{CANARIES['Password']}@sqs.eu-west-1.amazonaws.com/1/q?token={CANARIES['Query']}"
    queue = {"queue_url": world.queue_url}
    sections = {"trigger": {"trigger": {key: address}}, "source": {"source": {key: address}},
                "notify": {"notify": {"sqs": {**queue, key: address}}}, "aws": {"aws": {key: address}}, "to": {"place": {key: address}}}
    world.pipeline(**sections[section])
    for words in (["validate", "p.yaml"], ["run", "p.yaml", "--once"], ["doctor", "p.yaml"], ["iam", "p.yaml"], ["dlq", "list", "p.yaml"]):
        done = subprocess.run([str(build / "bin" / "pixmill"), *words], cwd=world.folder, env=world.environment(),
                              capture_output=True, text=True, timeout=60)
        assert_silent(done.stdout, done.stderr)
        assert f"{key} carries more than a host and a path" in done.stderr, done.stderr
    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL_SQS"):
        world.pipeline()
        done = subprocess.run([str(build / "bin" / "pixmill"), "doctor", "p.yaml"], cwd=world.folder,
                              env=world.environment(**{name: address}), capture_output=True, text=True, timeout=60)
        assert_silent(done.stdout, done.stderr)
