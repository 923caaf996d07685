# SPDX-License-Identifier: Apache-2.0
"""Several pipeline files in one process. Needs no peers."""
import json
import signal
import subprocess
import urllib.request

from test_process import Folder, folder  # noqa: F401 (a fixture)
from test_reload import log_of
from world import wait_for

PIPELINE = """
version: 1
name: {name}
workers: 1
trigger: {{ directory: {{ path: in-{name} }} }}
source: {{ file: {{}} }}
outputs: {{ small: {{ steps: [{{ resize: {{ width: {width} }} }}], to: {{ file: {{ path: "out-{name}/{{stem}}.{{ext}}" }} }} }} }}
"""


def write(folder, name, width=16):
    (folder.folder / f"in-{name}").mkdir(exist_ok=True)
    (folder.folder / f"{name}.yaml").write_text(PIPELINE.format(name=name, width=width))


def start(folder, *arguments):
    process = subprocess.Popen(folder.command("run", "--log-format", "json", "--plugin-dir", str(folder.build / "plugins"), *arguments),
                               cwd=folder.folder, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=open(folder.folder / "log", "wb"))
    folder.started.append(process)
    return process


def add(folder, name, file):
    (folder.folder / f"in-{name}" / file).write_bytes((folder.folder / "picture.jpg").read_bytes())


def made(folder, name):
    return sorted(path.name for path in (folder.folder / f"out-{name}").glob("*.jpg"))


def ask(folder, path):
    [line] = log_of(folder, "run.listening")
    with urllib.request.urlopen(f"http://{line['address']}{path}", timeout=30) as answer:
        return answer.read().decode()


def test_two_side_by_side(folder):
    write(folder, "a")
    write(folder, "b")
    process = start(folder, "a.yaml", "b.yaml", "--listen", "127.0.0.1:0")
    folder.wait_for_log("run.started", 2)
    add(folder, "a", "1.jpg")
    add(folder, "b", "2.jpg")
    wait_for(lambda: made(folder, "a") == ["1.jpg"] and made(folder, "b") == ["2.jpg"], "a rendition of each")
    ready = json.loads(ask(folder, "/readyz"))
    assert ready["ready"] and [one["pipeline"] for one in ready["pipelines"]] == ["a", "b"]
    status = json.loads(ask(folder, "/status"))
    assert [one["counters"]["done"] for one in status["pipelines"]] == [1, 1]
    metrics = ask(folder, "/metrics").splitlines()
    for name in "ab":
        assert f'pixmill_images_total{{pipeline="{name}",outcome="stored"}} 1' in metrics, metrics
    assert len([line for line in metrics if line.startswith("# TYPE pixmill_images_total")]) == 1
    for file in ("a.yaml", "b.yaml"):
        answer = subprocess.run(folder.command("alive", file), cwd=folder.folder, capture_output=True, text=True, timeout=60)
        assert json.loads(answer.stdout)["pipeline"] == file[0]
    # Both are read anew; the one that is wrong goes on as it was.
    write(folder, "a", 24)
    write(folder, "b", 0)
    process.send_signal(signal.SIGHUP)
    folder.wait_for_log("run.reloaded")
    folder.wait_for_log("reload.failed")
    add(folder, "b", "3.jpg")
    wait_for(lambda: made(folder, "b") == ["2.jpg", "3.jpg"], "work of the old generation")
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 0


def test_once_ends_when_all_have_ended(folder):
    for name in "ab":
        write(folder, name)
        add(folder, name, f"{name}.jpg")
    process = start(folder, "a.yaml", "b.yaml", "--once")
    assert process.wait(120) == 0
    assert made(folder, "a") == ["a.jpg"] and made(folder, "b") == ["b.jpg"]
    assert sorted(line["pipeline"] for line in log_of(folder, "pipeline.ended")) == ["a", "b"]


def test_one_that_fails_stops_no_other(folder):
    """What a plugin refuses is known only when the workers start."""
    write(folder, "a")
    write(folder, "b")
    text = (folder.folder / "b.yaml").read_text()
    (folder.folder / "b.yaml").write_text(text.replace("resize: { width: 16 }", "resize: { width: 16, kernel: nonsense }"))
    process = start(folder, "a.yaml", "b.yaml")
    folder.wait_for_log("pipeline.failed")
    [failed] = log_of(folder, "pipeline.failed")
    assert failed["pipeline"] == "b" and "b.yaml:" in failed["msg"]
    add(folder, "a", "1.jpg")
    wait_for(lambda: made(folder, "a") == ["1.jpg"], "the other's work")
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 2


def test_names_tell_them_apart(folder):
    write(folder, "a")
    (folder.folder / "c.yaml").write_text((folder.folder / "a.yaml").read_text())
    ran = subprocess.run(folder.command("run", "a.yaml", "c.yaml"), cwd=folder.folder, capture_output=True, text=True, timeout=60)
    assert ran.returncode == 2 and 'a.yaml and c.yaml are both called "a"' in ran.stderr


def test_all_errors_of_all_files(folder):
    write(folder, "a")
    (folder.folder / "b.yaml").write_text("version: 1\noutputs: {}\n")
    (folder.folder / "c.yaml").write_text("version: 7\n")
    ran = subprocess.run(folder.command("run", "a.yaml", "b.yaml", "c.yaml"), cwd=folder.folder, capture_output=True, text=True, timeout=60)
    assert ran.returncode == 2 and "b.yaml:" in ran.stderr and "c.yaml:" in ran.stderr
    many = subprocess.run(folder.command("run", *["a.yaml"] * 17), cwd=folder.folder, capture_output=True, text=True, timeout=60)
    assert many.returncode == 2 and "one process runs at most 16 pipelines, and a Lambda function one" in many.stderr
