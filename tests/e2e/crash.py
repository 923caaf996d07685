# SPDX-License-Identifier: Apache-2.0
"""`kill9.py --how crash`: dies after each step of the protocol in turn, then looks whether anything was lost.

Each scene is one way to work, and the points that it passes are told by the first part of their names. A point that its scene never
passes is a failure: then nothing was proven about it.
"""
import hashlib
import io
import json
import os
import random
import re
import signal
import subprocess
import time

import faults
import proof

DEATH_S = 8  # a broker that has not died by then has not come to its point
QUEUE, FIFO, MULTIPART = ("sqs", "lease", "job", "s3", "run", "notify"), ("fifo",), ("multipart",)
FOLDER, REDRIVE = ("directory", "disposition", "file"), ("redrive",)

FOLDER_PIPELINE = """\
version: 1
name: proof
on_error: { backoff: 100ms }
trigger: { directory: { path: in } }
outputs:
  thumb:
    steps: [ { resize: { width: 60, height: 60, fit: cover } }, { convert: { format: webp } } ]
    to: { file: { path: "out/{stem}_thumb.{ext}" } }
  small:
    steps: [ { resize: { width: 120 } } ]
    to: { file: { path: "out/{stem}_small.{ext}" } }
"""


def points_of(build):
    """{first part: [names]} of the program."""
    said = subprocess.run([str(build / "bin" / "pixmill")], env={**os.environ, "PIXMILL_CRASH_AT": "list"}, stdout=subprocess.PIPE,
                          stdin=subprocess.DEVNULL, text=True, timeout=10, check=False)
    found = {}
    for name in sorted(set(said.stdout.split())) if said.returncode == 0 else []:
        found.setdefault(APART.get(name, name.partition(".")[0]), []).append(name)
    return found


def died(process, seconds=DEATH_S):
    """Whether it died of its point in time. It is gone afterwards."""
    try:
        return process.wait(seconds) == -signal.SIGKILL
    except subprocess.TimeoutExpired:
        proof.kill(process)
        return False


class Tally:
    """How often each point was died at."""

    def __init__(self, points, times):
        self.points, self.times, self.deaths = points, times, dict.fromkeys(points, 0)

    def rounds(self):
        for number in range(self.times):
            for point in self.points:
                # At the first passing, or later in the same work.
                yield point, 1 if number == 0 or "dead_letter" in point or "multipart" in point else 1 + number % 3

    def died(self, point):
        self.deaths[point] += 1

    def check(self):
        return {f"died at each of {len(self.points)} points: {sum(self.deaths.values())} deaths":
                [f"{point}: never passed" for point, count in self.deaths.items() if count == 0]}


def queue(build, folder, environment, rng, points, times, fifo=False):
    world = proof.World(environment, rng)
    world.queue(fifo)
    world.groups = 2  # so that several messages of one are about
    source, target = world.bucket("source"), world.bucket("target")
    told = world.sqs.create_queue(QueueName=f"told-{os.getpid()}-{rng.randrange(10**9)}")["QueueUrl"]
    pipeline, tally = folder / "p.yaml", Tally(points, times)
    pipeline.write_text(proof.PIPELINE.format(queue=world.url, source=source, target=target,
                                              more=f'notify: {{ sqs: {{ queue_url: "{told}" }} }}\n'))
    slow = faults.Proxy(environment["AWS_ENDPOINT_URL_S3"])
    slow.fail(faults.delay(1.5), method="GET")  # so that messages are held for more than a heartbeat
    number, in_time, noted = 0, True, set()
    for point, passing in tally.rounds():
        # A damaged one, so that there is a dead letter to write, and some that are sound.
        messages = proof.make_messages(world, source, 1, first=number, damaged=1.0)
        messages += proof.make_messages(world, source, 4, first=number + 1)
        number += 10
        world.send(messages)
        more = {"AWS_ENDPOINT_URL_S3": slow.url} if point == "lease.extended" else {}
        if died(proof.work(build, folder, pipeline, world, PIXMILL_CRASH_AT=f"{point}:{passing}", **more)):
            tally.died(point)
        if number % (10 * len(points)) == 0:  # all points once: a queue of thousands would be slow to search
            in_time = proof.drain(build, folder, pipeline, world) and in_time
            records = [json.loads(message["Body"]) for message in world.take_all(told)]
            noted |= {record["key"] for record in records if record["status"] == "ok"}
    slow.stop()
    left, dead = world.counts(world.url), world.dead_sources()
    want = proof.undisturbed(build, folder, world, source)
    checks = tally.check()
    checks.update(proof.judge(world, source, target, want, left, dead))
    checks["the end of every sound source was notified"] = sorted(set(world.sound) - noted)
    checks["nothing crashed but where it was told"] = proof.crashes(folder) + ([] if in_time else ["the queue was not empty in time"])
    return checks


def multipart(build, folder, environment, rng, points, times):
    """Renditions of more than one part."""
    from PIL import Image
    world = proof.World(environment, rng)
    world.queue()
    source, target = world.bucket("source"), world.bucket("target")
    pipeline, tally = folder / "p.yaml", Tally(points, min(times, 3))
    pipeline.write_text(f"""\
version: 1
name: proof
on_error: {{ backoff: 300ms }}
trigger: {{ sqs: {{ queue_url: "{world.url}", wait_time: 1s }} }}
source: {{ s3: {{ buckets: [{source}], prefix: in/ }} }}
outputs:
  large:
    steps: [ {{ convert: {{ format: png, effort: 1 }} }} ]
    to: {{ s3: {{ bucket: {target}, key: "out/{{stem}}.{{ext}}" }} }}
""")
    out = io.BytesIO()
    Image.effect_noise((2600, 2600), 90).convert("RGB").save(out, "JPEG", quality=60)
    keys = [f"in/{i}.jpg" for i in range(2)]
    for point, passing in tally.rounds():
        world.send([("", world.upload(source, key, out.getvalue())) for key in keys])
        if died(proof.work(build, folder, pipeline, world, "--workers", "1", PIXMILL_CRASH_AT=f"{point}:{passing}"), 30):
            tally.died(point)
    in_time = proof.drain(build, folder, pipeline, world)
    found, wrong = world.renditions(target), []
    for key in ("out/0.png", "out/1.png"):
        if key not in found:
            wrong.append(f"{key}: missing")
            continue
        image = Image.open(io.BytesIO(world.s3.get_object(Bucket=target, Key=key)["Body"].read()))
        image.load()
        if image.size != (2600, 2600):
            wrong.append(f"{key}: {image.size}")
    checks = tally.check()
    checks["both large renditions are there and whole"] = wrong
    checks["the queue is empty, and there is no dead letter"] = [] if in_time and not world.dead_sources() else [str(world.counts(world.url))]
    return checks


def redrive(build, folder, environment, rng, points, times):
    """Dead letters on their way back to work: at worst in both queues, never in none."""
    world = proof.World(environment, rng)
    pipeline, tally, wrong = folder / "p.yaml", Tally(points, min(times, 5)), []
    source, target = world.bucket("source"), world.bucket("target")
    for point, passing in tally.rounds():
        world.queue()
        pipeline.write_text(proof.PIPELINE.format(queue=world.url, source=source, target=target, more=""))
        bodies = {f"letter {i}" for i in range(4)}
        for body in bodies:
            world.sqs.send_message(QueueUrl=world.dead, MessageBody=body)
        process = proof.run(build, folder, pipeline, command=("dlq", "redrive"),
                            env={**world.environment, "PIXMILL_CRASH_AT": f"{point}:{passing}"})
        if died(process, 30):
            tally.died(point)
        back = {message["Body"] for message in world.take_all(world.url)}
        still = sum(world.counts(world.dead))  # some of them out of sight for two minutes
        if not back <= bodies or len(back) + still < len(bodies):
            wrong.append(f"{point}: {len(back)} back, {still} still dead, of {len(bodies)}")
    checks = tally.check()
    checks["no dead letter was lost on its way back"] = wrong
    return checks


def tree(folder):
    return {str(path.relative_to(folder)): path for path in folder.rglob("*") if path.is_file()}


def folders(build, folder, environment, rng, points, times):
    del environment
    tally, sound, damaged = Tally(points, times), {}, set()
    (folder / "in").mkdir()
    pipeline = folder / "p.yaml"
    pipeline.write_text(FOLDER_PIPELINE)
    command = ("--once", "--json", "--log-format", "json")
    number = 0
    for point, passing in tally.rounds():
        for _ in range(3):
            number += 1
            sound[f"{number:05d}.jpg"] = proof.picture(number, 0)
            (folder / "in" / f"{number:05d}.jpg").write_bytes(sound[f"{number:05d}.jpg"])
        number += 1
        damaged.add(f"{number:05d}.jpg")
        (folder / "in" / f"{number:05d}.jpg").write_bytes(proof.picture(number, 0)[:700])
        env = {**os.environ, "PIXMILL_CRASH_AT": f"{point}:{passing}"}
        if died(proof.run(build, folder, pipeline, *command, env=env)):
            tally.died(point)
    last = proof.run(build, folder, pipeline, *command).wait(120)
    found = tree(folder / "in")
    out = {name: path for name, path in tree(folder / "out").items() if not name.startswith(".pixmill-")}
    calm = folder / "calm"
    (calm / "in").mkdir(parents=True)
    for name, data in sound.items():
        (calm / "in" / name).write_bytes(data)
    (calm / "p.yaml").write_text(FOLDER_PIPELINE)
    proof.run(build, calm, calm / "p.yaml", *command).wait(300)
    want = tree(calm / "out")
    digest = lambda path: hashlib.sha256(path.read_bytes()).hexdigest()  # noqa: E731
    reasons = {name for name in found if name.startswith("failed/") and name.endswith(".reason.json")}
    aside = {}  # what was set aside, by its first name: after a kill between its reason and the move it is numbered
    for name in found:
        if name.startswith("failed/") and not name.endswith(".reason.json"):
            aside.setdefault(re.sub(r"-\d+(?=\.jpg$)", "", name.removeprefix("failed/")), []).append(name.removeprefix("failed/"))
    checks = tally.check()
    checks.update({
        "the last run ends by itself": [] if last in (0, 3) else [f"exit code {last}"],
        "every sound file is in done/, once and whole":
            [name for name, data in sound.items() if f"done/{name}" not in found or found[f"done/{name}"].read_bytes() != data],
        "every damaged file is in failed/, with its reason":
            [name for name in damaged if not [one for one in aside.get(name, []) if f"failed/{one}.reason.json" in reasons]],
        "nothing else is in the folder": sorted(name for name in found if not name.startswith("failed/") and
                                                name not in {f"done/{one}" for one in sound}) +
                                         [f"{name}: {names}" for name, names in aside.items() if name not in damaged or len(names) != 1],
        "every rendition is what an undisturbed run makes":
            [name for name, path in want.items() if name not in out or digest(out[name]) != digest(path)] +
            ([] if len(want) == 2 * len(sound) else [f"{len(want)} in the undisturbed run"]),
        "nothing else was written": sorted(set(out) - set(want)),
    })
    return checks


def redrive_files(build, folder, environment, rng, points, times):
    """Files of failed/ on their way back into the folder: in one of both, whole."""
    del environment, rng
    tally, wrong = Tally(points, min(times, 5)), []
    for number, (point, _) in enumerate(tally.rounds()):
        place = folder / str(number)
        (place / "in").mkdir(parents=True)
        (place / "p.yaml").write_text(FOLDER_PIPELINE)
        damaged = {f"{i}.jpg": proof.picture(i, 0)[:700] for i in range(3)}
        for name, data in damaged.items():
            (place / "in" / name).write_bytes(data)
        proof.run(build, folder, place / "p.yaml", "--once").wait(60)
        if died(proof.run(build, folder, place / "p.yaml", command=("dlq", "redrive"), env={**os.environ, "PIXMILL_CRASH_AT": f"{point}:1"}), 30):
            tally.died(point)
        found = sorted(path.read_bytes() for name, path in tree(place / "in").items() if not name.endswith(".json") and "/." not in f"/{name}")
        if found != sorted(damaged.values()):
            wrong.append(f"{point}: {sorted(tree(place / 'in'))}")
    checks = tally.check()
    checks["no file was lost on its way back, and none is there twice"] = wrong
    return checks


def objects_to_files(build, folder, environment, rng, points, times):
    """Sources from S3, renditions as files: stamped before they get their names."""
    world, tally = proof.World(environment, rng), Tally(points, min(times, 5))
    world.queue()
    source = world.bucket("source")
    pipeline = folder / "p.yaml"
    pipeline.write_text(f"""\
version: 1
name: proof
on_error: {{ backoff: 300ms }}
trigger: {{ sqs: {{ queue_url: "{world.url}", wait_time: 1s }} }}
source: {{ s3: {{ buckets: [{source}], prefix: in/ }} }}
outputs:
  small:
    steps: [ {{ resize: {{ width: 120 }} }} ]
    to: {{ file: {{ path: "out/{{stem}}.{{ext}}" }} }}
""")
    number = 0
    for point, passing in tally.rounds():
        world.send(proof.make_messages(world, source, 4, first=number, damaged=0))
        number += 10
        if died(proof.work(build, folder, pipeline, world, PIXMILL_CRASH_AT=f"{point}:{passing}")):
            tally.died(point)
    in_time = proof.drain(build, folder, pipeline, world)
    found = {name for name in tree(folder / "out") if not name.startswith(".pixmill")}
    checks = tally.check()
    checks["every sound source has its file, and there is no other"] = sorted(found ^ {key.removeprefix("in/") for key in world.sound})
    checks["the queue is empty, and there is no dead letter"] = [] if in_time and not world.dead_sources() else [str(world.counts(world.url))]
    return checks


APART = {"file.stamped": "objects", "redrive.moved": "files back"}  # passed by a scene of their own

SCENES = [("objects to files", ("objects",), objects_to_files), ("files back from failed/", ("files back",), redrive_files), ("a queue", QUEUE, queue), ("a FIFO queue", FIFO, lambda *arguments: queue(*arguments, fifo=True)),
          ("renditions in several parts", MULTIPART, multipart), ("folders", FOLDER, folders), ("a redrive", REDRIVE, redrive)]


def prove(options, environment, folder):
    build = options.build.resolve()
    points, passed, failed = points_of(build), 0, 0
    deaths = 0
    known = {kind for _, kinds, _ in SCENES for kind in kinds}
    unknown = sorted(set(points) - known)
    passed, failed = proof.report({"the build has crash points, and each belongs to a scene":
                                   [f"no scene passes {kind}.*" for kind in unknown] + ([] if points else ["PIXMILL_CRASH_POINTS is off"])})
    asked = options.points.split(",") if options.points else None
    for title, kinds, scene in SCENES:
        chosen = [name for kind in kinds for name in points.get(kind, []) if not asked or any(name.startswith(one) for one in asked)]
        if not chosen:
            continue
        place = folder / kinds[0].replace(" ", "-")
        place.mkdir()
        started = time.time()
        checks = scene(build, place, dict(environment), random.Random(f"{options.seed} {title}"), chosen, options.times)
        print(f"== {title}: {time.time() - started:.0f} s")
        deaths += sum(int(name.rsplit(" ", 2)[1]) for name in checks if name.endswith(" deaths"))
        good, bad = proof.report(checks, place)
        passed, failed = passed + good, failed + bad
    print(f"measured: {sum(map(len, points.values()))} points, {deaths} deaths")
    return passed, failed
