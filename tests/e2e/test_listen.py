# SPDX-License-Identifier: Apache-2.0
"""What --listen answers: the metrics of a run say what it did, readiness follows queue and workers, strangers find bounds."""
import json
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request

import pytest

import faults
from world import wait_for

ROOT = pathlib.Path(__file__).resolve().parents[2]
ALERTS = ROOT / "config" / "deploy" / "prometheus"
OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"


class Listener:
    def __init__(self, running):
        running.wait_for_log('"run.listening"')
        address = [line for line in running.so_far().log if line["event"] == "run.listening"][0]["address"]
        self.host, port = address.rsplit(":", 1)
        self.port = int(port)

    def get(self, path, **headers):
        """(status, headers, text)"""
        request = urllib.request.Request(f"http://{self.host}:{self.port}{path}", headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status, answer.headers, answer.read().decode()
        except urllib.error.HTTPError as refused:
            return refused.code, refused.headers, refused.read().decode()

    def raw(self, data, seconds=20):
        with socket.create_connection((self.host, self.port), timeout=seconds) as peer:
            peer.sendall(data)
            answer = b""
            while piece := peer.recv(65536):
                answer += piece
            return answer

    def status(self):
        return json.loads(self.get("/status")[2])["pipelines"][0]

    def samples(self, **headers):
        """{(name, labels in alphabetical order): value}"""
        return samples_of(self.get("/metrics", **headers)[2])


def samples_of(text):
    found = {}
    for line in text.splitlines():
        if not line.startswith("#"):
            name, labels, value = re.fullmatch(r"([a-z_]+)(?:\{(.*)\})? (\S+)", line).groups()
            pairs = sorted(re.findall(r'([a-z]+)="((?:[^"\\]|\\.)*)"', labels or ""))
            key = (name, *(f"{label}={word}" for label, word in pairs if (label, word) != ("pipeline", "e2e")))
            assert key not in found, f"twice: {line}"
            found[key] = float(value)
    return found


def listening(world, *arguments, env=None):
    running = world.start("--listen", "127.0.0.1:0", *arguments, env=env)
    return running, Listener(running)


def promtool(*arguments, text=None, folder=None):
    tool = shutil.which("promtool")
    if tool is None:
        pytest.skip("promtool is not installed (Debian: prometheus)")
    return subprocess.run([tool, *arguments], input=text, text=True, capture_output=True, cwd=folder, check=False)


def test_metrics_say_what_the_run_did(world):
    world.pipeline(steps=[{"require": {"min_width": 100}}, {"resize": {"width": 64}}],
                   outputs={name: {"steps": [{"convert": {"format": kind}}],
                                   "to": {"s3": {"bucket": world.target, "key": f"{name}/{{name}}.{{ext}}"}}}
                            for name, kind in (("a", "jpeg"), ("b", "webp"))})
    good = [world.upload(f"in/good{i}.jpg") for i in range(3)]
    small, gone = world.upload("in/small.jpg", world.picture(width=50, height=40)), world.upload("in/gone.jpg")
    damaged = world.upload("in/damaged.jpg", b"no picture")
    world.s3.delete_object(Bucket=world.source, Key="in/gone.jpg")
    running, listener = listening(world)
    world.announce(*good, small, gone, damaged)
    world.send("no event at all")
    running.wait_for_results(7)
    wait_for(lambda: world.depth() == (0, 0), "an empty queue")
    world.announce(good[0])  # done already
    running.wait_for_results(8)
    settled = lambda: sum(value for key, value in listener.samples().items() if key[0] == "pixmill_events_settled_total")
    wait_for(lambda: settled() == 8, "eight settled events")
    found = listener.samples()
    results = running.so_far().results
    counted = {key: value for key, value in found.items() if key[0].endswith("_total") and key[0].startswith("pixmill")}
    outputs = [one for result in results for one in result["outputs"]]
    stored = [one for one in outputs if one["stored"] == "stored"]
    assert counted == {
        ("pixmill_events_received_total",): 8,
        ("pixmill_events_settled_total", "outcome=ack"): 5,
        ("pixmill_events_settled_total", "outcome=dead"): 3,
        ("pixmill_images_total", "outcome=stored"): 3,
        ("pixmill_images_total", "outcome=current"): 1,
        ("pixmill_images_total", "outcome=gone"): 1,
        ("pixmill_images_total", "outcome=failed"): 3,
        ("pixmill_outputs_total", "format=jpeg", "outcome=stored", "output=a"): 3,
        ("pixmill_outputs_total", "format=webp", "outcome=stored", "output=b"): 3,
        ("pixmill_outputs_total", "format=jpeg", "outcome=current", "output=a"): 1,
        ("pixmill_outputs_total", "format=webp", "outcome=current", "output=b"): 1,
        ("pixmill_failures_total", "status=bad_input", "step="): 2,
        ("pixmill_failures_total", "status=bad_input", "step=require"): 1,
        ("pixmill_dead_letters_total", "status=bad_input"): 3,
        ("pixmill_source_bytes_total",): sum(result["source_size"] for result in results),
        ("pixmill_output_bytes_total",): sum(one["size"] for one in stored),
        ("pixmill_source_pixels_total",): 4 * 320 * 240 + 50 * 40}, counted
    # Each histogram: as many as there were, and a sum that fits what was printed.
    assert found[("pixmill_image_duration_seconds_count",)] == 8
    assert abs(found[("pixmill_image_duration_seconds_sum",)] - sum(result["ms"] for result in results) / 1000) < 0.001
    assert found[("pixmill_step_duration_seconds_count", "step=resize")] == 4
    for stage in ("fetch", "work", "store"):
        took = [result["timings"][f"{stage}_ms"] for result in results if f"{stage}_ms" in result.get("timings", {})]
        assert found[("pixmill_stage_duration_seconds_count", f"stage={stage}")] == len(took) > 0
        assert abs(found[("pixmill_stage_duration_seconds_sum", f"stage={stage}")] - sum(took) / 1000) < 0.001
    assert found[("pixmill_message_age_seconds_count",)] == 8
    assert 0 <= found[("pixmill_message_age_seconds_sum",)] < 8 * 600
    assert found[("pixmill_workers",)] == 2 and found[("pixmill_in_flight",)] == 0
    assert abs(found[("process_start_time_seconds",)] - time.time()) < 600
    assert found[("process_open_fds",)] > 5 and found[("process_resident_memory_bytes",)] > 1e6
    # Nothing that is a stranger's word is a label.
    text = listener.get("/metrics")[2]
    assert world.source not in text and world.target not in text and "good0" not in text
    # The same as OpenMetrics.
    status, headers, opened = listener.get("/metrics", Accept=f"{OPENMETRICS},text/plain;q=0.5")
    assert status == 200 and headers["Content-Type"] == OPENMETRICS and opened.endswith("\n# EOF\n")
    assert "# TYPE pixmill_images counter\n" in opened
    # /status has the same counts, and why it failed.
    one = listener.status()
    assert one["counters"]["done"] == 4 and one["counters"]["failed"] == 3 and one["counters"]["skipped"] == 1
    assert sorted(failure["status"] for failure in one["failures"]) == ["bad_input"] * 3
    assert any(failure["object"].endswith("in/damaged.jpg") for failure in one["failures"])
    assert running.terminate().code in (0, 3)
    checked = promtool("check", "metrics", text=text)
    assert checked.returncode == 0 and checked.stderr == "", checked.stderr


def test_a_queue_that_is_away_is_not_ready(world, proxies):
    proxy = proxies(world.peers.sqs_url)
    world.queue_url = world.queue_url.replace(world.peers.sqs_url, proxy.url)
    world.pipeline()
    running, listener = listening(world, env={"AWS_ENDPOINT_URL_SQS": proxy.url})
    wait_for(lambda: listener.get("/readyz")[0] == 200, "readiness")
    proxy.fail(faults.reset)
    status, _, text = wait_for(lambda: (lambda got: got[0] == 503 and got)(listener.get("/readyz")), "no readiness")
    one = json.loads(text)["pipelines"][0]
    assert one["pipeline"] == "e2e" and one["ready"] is False and "sqs" in one["reason"].lower(), one
    assert listener.get("/livez")[0] == 200
    proxy.heal()
    wait_for(lambda: listener.get("/readyz")[0] == 200, "readiness again")
    assert running.terminate().code == 0


def test_what_is_in_flight_is_seen_and_draining_is_not_ready(world):
    steps = [{"resize": {"width": 64}}, {"fault-slow": {"at": "pixels", "time": "4s"}}, {"convert": {"format": "jpeg"}}]
    world.pipeline(outputs={"small": {"steps": steps, "to": {"s3": {"bucket": world.target, "key": "out/{name}.{ext}"}}}})
    world.announced("in/<b>slow.jpg")
    running, listener = listening(world)
    at_work = wait_for(lambda: [one for one in listener.status()["in_flight"] if one["stage"] == "work"], "an image at work")
    assert at_work[0]["object"] == f"s3://{world.source}/in/<b>slow.jpg" and at_work[0]["age_s"] >= 0
    assert listener.samples()[("pixmill_workers_busy",)] == 1 and listener.samples()[("pixmill_in_flight",)] == 1
    running.signal(signal.SIGTERM)
    running_out = lambda: listener.get("/readyz")
    status, _, text = wait_for(lambda: (lambda got: got[0] == 503 and got)(running_out()), "draining")
    assert json.loads(text)["pipelines"][0]["reason"] == "draining"
    assert running.wait().statuses() == ["ok"]


def test_a_reload_that_fails_shows_and_changes_nothing(world):
    world.pipeline()
    running, listener = listening(world)
    wait_for(lambda: listener.get("/readyz")[0] == 200, "readiness")
    whole = (world.folder / "p.yaml").read_text()
    (world.folder / "p.yaml").write_text("nonsense: 1")
    running.signal(signal.SIGHUP)
    wait_for(lambda: listener.samples()[("pixmill_config_last_reload_successful",)] == 0, "a failed reload")
    assert listener.samples()[("pixmill_config_generation",)] == 1 and listener.get("/readyz")[0] == 200
    (world.folder / "p.yaml").write_text(whole)
    running.signal(signal.SIGHUP)
    wait_for(lambda: listener.samples()[("pixmill_config_last_reload_successful",)] == 1, "a reload")
    assert listener.samples()[("pixmill_config_generation",)] > 1
    upload = world.announced("in/a.jpg")
    running.wait_for_results(1)
    assert running.so_far().result(upload)["status"] == "ok"
    assert listener.status()["reload"]["ok"] is True and listener.status()["counters"]["done"] == 1
    assert running.terminate().code == 0


def test_the_page(world):
    running, listener = listening(world)
    status, headers, text = listener.get("/status", Accept="text/html,application/xhtml+xml")
    assert status == 200 and headers["Content-Type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert "innerHTML" not in text and "http://" not in text and "https://" not in text
    assert listener.get("/status")[1]["Content-Type"] == "application/json"
    running.terminate()


def test_strangers_find_bounds(world):
    running, listener = listening(world)
    assert listener.get("/nothing")[0] == 404
    assert listener.raw(b"POST /status HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n").startswith(b"HTTP/1.1 405 ")
    assert listener.raw(b"HEAD /livez HTTP/1.1\r\nHost: x\r\n\r\n").split(b"\r\n\r\n")[1] == b""
    try:
        large = listener.raw(b"GET /livez HTTP/1.1\r\nHost: x\r\nX: " + b"y" * 20000 + b"\r\n\r\n")
    except ConnectionError:
        large = b""
    assert large == b"" or large.split(b" ")[1] in (b"413", b"414", b"431", b"400"), large[:100]
    assert listener.raw(b"nonsense\r\n\r\n")[:15] in (b"", b"HTTP/1.1 400 Ba", b"HTTP/1.0 400 Ba")
    # As many connections as there may be, all silent: one more waits until they have gone, and images go on meanwhile.
    silent = [socket.create_connection((listener.host, listener.port)) for _ in range(80)]
    upload = world.announced("in/a.jpg")
    running.wait_for_results(1)
    assert running.so_far().result(upload)["status"] == "ok"
    for peer in silent:
        peer.close()
    wait_for(lambda: listener.get("/livez")[0] == 200, "an answer")
    assert running.terminate().code == 0


def test_an_address_that_is_taken(world):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        finished = world.start("--listen", address).wait()
    assert finished.code == 2
    assert f"cannot listen on {address}: Address already in use" in finished.err


def test_the_alerts(world):
    checked = promtool("check", "rules", "alerts.yaml", folder=ALERTS)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    tested = promtool("test", "rules", str(ROOT / "tests" / "deploy" / "alerts.test.yaml"), folder=ALERTS)
    assert tested.returncode == 0, tested.stdout + tested.stderr


def test_alerts_name_what_there_is_and_what_to_do():
    rules = (ALERTS / "alerts.yaml").read_text()
    page = (ROOT / "docs" / "operators.md").read_text()
    source = (ROOT / "core" / "connectors" / "metrics.c").read_text()
    source += (ROOT / "core" / "cli" / "process_metrics.c").read_text()
    names = set(re.findall(r'"(pixmill_[a-z_]+)"', source))
    used = {re.sub(r"_(total|bucket|sum|count)$", "", name) for name in re.findall(r"\b(pixmill_[a-z_]+)", rules)}
    assert used and used <= names, used - names
    anchors = {re.sub(r"[^a-z0-9 -]", "", head.lower()).replace(" ", "-") for head in re.findall(r"^#+ (.*)$", page, re.M)}
    links = re.findall(r"docs/operators\.md#([a-z0-9-]+)", rules)
    assert len(links) == rules.count("- alert:") and set(links) <= anchors, set(links) - anchors
    for name in names:
        assert f"`{name}" in page, f"{name} is not in docs/operators.md"
