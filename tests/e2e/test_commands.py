# SPDX-License-Identifier: Apache-2.0
"""doctor, dlq and presign; records of finished sources; classifiers."""
import http.server
import json
import subprocess
import threading
import urllib.error
import urllib.request

import pytest


def pixmill(world, *words, code=0, **env):
    done = subprocess.run([str(world.build / "bin" / "pixmill"), *words], cwd=world.folder, env=world.environment(**env),
                          capture_output=True, text=True, timeout=60)
    assert done.returncode == code, f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout + done.stderr


# --- doctor ---

def test_doctor_is_content_and_leaves_nothing_behind(world):
    world.pipeline()
    world.upload("in/a.jpg")
    said = pixmill(world, "doctor", "p.yaml")
    assert "FAILED" not in said
    for words in ("credentials: from environment", f"{world.queue_url}: 0 waiting", f"s3://{world.source}/in/ can be read",
                  f"s3://{world.target}/out/ can be written"):
        assert words in said
    assert world.keys() == []


def test_doctor_names_what_is_missing(world):
    world.pipeline(outputs={"a": {"to": {"s3": {"bucket": "nobody-has-this-bucket", "key": "{name}"}}}})
    said = pixmill(world, "doctor", "p.yaml", code=3)
    assert "FAILED   outputs.a: s3 PutObject in bucket nobody-has-this-bucket: 404 NoSuchBucket" in said
    assert "1 thing to mend before `pixmill run` can work" in said


def test_doctor_sees_a_wrong_secret(world):
    world.pipeline()
    said = pixmill(world, "doctor", "p.yaml", code=3, AWS_SECRET_ACCESS_KEY="wrong")
    assert "SignatureDoesNotMatch" in said


def test_doctor_wants_a_dead_letter_queue(world):
    world.make_queue(dead=False)
    world.pipeline()
    said = pixmill(world, "doctor", "p.yaml", code=3)
    assert "FAILED   dead letters: the queue has no dead-letter queue" in said


def test_doctor_warns_of_a_short_visibility(world):
    world.make_queue(visibility=5)
    world.pipeline()
    assert "warning  trigger.sqs: the visibility timeout, 5 s, is below twice limits.wall_time" in pixmill(world, "doctor", "p.yaml")


# --- dead letters ---

def letters(world, *keys):
    for key in keys:
        world.announced(key, b"no picture")
    world.send("no event")
    world.run(code=3)


def test_dlq_lists_reasons_and_leaves_the_messages(world):
    letters(world, "in/a.jpg", "in/b.jpg")
    assert pixmill(world, "dlq", "list", "p.yaml").split()[:2] == ["3", "bad_input"]
    listed = json.loads(pixmill(world, "dlq", "list", "p.yaml", "--json"))
    assert sorted(one["source"] for one in listed) == ["", f"s3://{world.source}/in/a.jpg", f"s3://{world.source}/in/b.jpg"]
    assert len(world.dead()) == 3


def test_dlq_redrives_what_was_mended(world):
    letters(world, "in/a.jpg")
    world.upload("in/a.jpg")
    assert "0 messages back in the queue, 2 left" in pixmill(world, "dlq", "redrive", "p.yaml", "--reason", "limit")
    assert "2 messages back in the queue, 0 left" in pixmill(world, "dlq", "redrive", "p.yaml", "--reason", "bad_input")
    finished = world.run(code=3)
    # The object was replaced since that event: a newer one speaks for it.
    assert finished.statuses() == ["bad_input", "skipped"]
    assert len(world.dead()) == 1


def test_dlq_redrive_beside_a_live_worker(world):
    """What fails again meanwhile is not sent a second time: each message once."""
    for i in range(3):
        world.announced(f"in/{i}.jpg", b"no picture")
    world.run(code=3)
    worker = world.start()
    worker.wait_for_log("run.started")
    assert "3 messages back in the queue" in pixmill(world, "dlq", "redrive", "p.yaml")
    worker.wait_for_results(3)
    finished = worker.terminate()
    assert finished.statuses() == ["bad_input"] * 3
    assert len(world.dead()) == 3
    world.assert_all_settled()


def test_dlq_without_messages(world):
    world.pipeline()
    assert pixmill(world, "dlq", "list", "p.yaml") == "no dead letters\n"


# --- presign ---

@pytest.mark.parametrize("key", ["é a+b.jpg", "a//b.jpg", "%41.jpg", "&?#.jpg"])
def test_presigned_urls_work_for_anyone(world, key):
    world.pipeline()
    address = f"s3://{world.target}/{key}"
    put = pixmill(world, "presign", "put", address, "--path-style").strip()
    with urllib.request.urlopen(urllib.request.Request(put, data=b"hello", method="PUT")) as answer:
        assert answer.status == 200
    assert world.keys() == [key]
    with urllib.request.urlopen(pixmill(world, "presign", "get", address, "--path-style").strip()) as answer:
        assert answer.read() == b"hello"
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(put.replace("X-Amz-Expires=900", "X-Amz-Expires=901"))
    assert refused.value.code == 403


# --- records ---

def test_a_record_is_sent_before_the_message_goes(world):
    records = world.sqs.create_queue(QueueName=f"{world.name}-records")["QueueUrl"]
    world.pipeline(notify={"sqs": {"queue_url": records}})
    good, bad = world.announced("in/good.jpg"), world.announced("in/bad.jpg", b"no picture")
    world.run(code=3)
    received = world.sqs.receive_message(QueueUrl=records, MaxNumberOfMessages=10)["Messages"]
    by_key = {record["key"]: record for record in (json.loads(message["Body"]) for message in received)}
    assert by_key[good.key]["status"] == "ok" and by_key[good.key]["etag"] == good.etag
    assert by_key[good.key]["outputs"][0]["location"] == f"s3://{world.target}/out/good.jpg.jpg"
    assert by_key[bad.key]["status"] == "bad_input" and by_key[bad.key]["error"]["message"]
    world.assert_all_settled()


def test_without_its_record_a_source_is_not_done(world):
    world.pipeline(notify={"sqs": {"queue_url": f"{world.queue_url}-nowhere"}})
    world.announced("in/a.jpg")
    running = world.start()
    running.wait_for_log("notify.failed")
    running.terminate()
    assert world.keys() == ["out/a.jpg.jpg"]
    assert sum(world.depth()) == 1


# --- classifiers ---

@pytest.fixture
def classifier():
    seen = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            seen.append(self.rfile.read(int(self.headers["Content-Length"])))
            body = json.dumps({"score": 0.97, "label": "beach"}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/score", seen
    server.shutdown()


def test_what_a_classifier_rejects_goes_to_quarantine(world, classifier):
    url, seen = classifier
    world.pipeline(steps=[{"nsfw-hook": {"mode": "http", "endpoint": url}, "on_reject": "quarantine"}],
                   quarantine={"s3": {"bucket": world.target, "key": "quarantine/{name}"}})
    data = world.picture(width=2000, height=1500)
    upload = world.announced("in/a.jpg", data)
    result = world.run().result(upload)
    assert result["status"] == "rejected" and result["verdicts"][0]["label"] == "beach"
    assert len(seen) == 1 and seen[0][:2] == b"\xff\xd8" and len(seen[0]) < len(data)
    assert world.keys() == ["quarantine/a.jpg"]
    assert world.get("quarantine/a.jpg")["Bytes"] == data
    world.assert_all_settled()
