#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Kills, stops and misleads the broker while it works through a queue, then looks whether anything was lost.

    kill9.py --build DIR [--messages 2000] [--kills 20] [--seed N] [--how broker|workers|term|none] [--versions] [--fifo]
    kill9.py --build DIR --faults NAME[,NAME...]|all [--messages 60]
    kill9.py --build DIR --how crash [--times 20] [--points NAME[,NAME...]]

--how broker: kill -9 of the broker, again and again. workers: one broker, whose worker processes are killed; it must outlive them
all. term: the broker is told to end, as at a deployment; it must do so in its grace time. crash: a build with
PIXMILL_CRASH_POINTS dies after each step of the protocol in turn (crash.py).

Sources are uploaded, overwritten (A, B and A, B, A), deleted or damaged; 30 % of the messages come twice and those of one source in
any order. --versions: the sources' bucket keeps versions, so that an old event can still be worked on. --fifo: a FIFO queue; order within a group is kept, and a message that waits for the one before it is not received again.
--faults: a proxy (faults.py) between the broker and both services spoils one request in five; "mixed" is all at once.

The oracle is proof.py's. The last line is "N passed, N failed".
"""
import argparse
import json
import os
import pathlib
import random
import signal
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import faults  # noqa: E402
import peers as peers_module  # noqa: E402
import proof  # noqa: E402

UNDER_FAULTS_S = 120  # that long one kind of fault lasts at most


def disturb(build, folder, pipeline, world, messages, kills, how):
    """Sends while brokers come and go, each somewhere else in its work. What was wrong with that."""
    share, wrong = len(messages) // (kills + 1), []
    for i in range(kills):
        world.send(messages[i * share:(i + 1) * share])
        broker = proof.work(build, folder, pipeline, world, "--grace", f"{proof.GRACE_S}s")
        time.sleep(world.rng.uniform(0.15, 2.0))
        if how == "term":
            wrong.append(proof.stop(broker))
        else:
            proof.kill(broker)
    world.send(messages[kills * share:])
    return [one for one in wrong if one]


def kill_workers(build, folder, pipeline, world, messages, kills):
    """One broker; any of its other processes, while it works. What was wrong with it."""
    share, log = max(1, len(messages) // kills), folder / "broker.log"
    broker = proof.work(build, folder, pipeline, world)
    for i in range(kills):
        world.send(messages[i * share:(i + 1) * share if i + 1 < kills else None])
        # Only what has got on since the last kill: on a slow machine a worker needs longer to start than we to strike.
        said, until = log.stat().st_size if log.exists() else 0, time.time() + 5
        while i > 0 and log.stat().st_size == said and time.time() < until and broker.poll() is None:
            time.sleep(0.02)
        time.sleep(world.rng.uniform(0.02, 0.3))
        workers = proof.descendants(broker.pid)
        if workers:
            try:
                os.kill(world.rng.choice(workers), signal.SIGKILL)
            except ProcessLookupError:
                pass
        if broker.poll() is not None:
            return [f"the broker ended with {broker.returncode} after {i + 1} kills"]
    wrong = proof.stop(broker)
    return [wrong] if wrong else []


def order_kept(world, folder, killed):
    """FIFO: in each group, sources end in the order in which they were sent; none that waits is received again."""
    ended, again = {}, []
    for one in proof.results(folder):
        if one["status"] in proof.FINAL:
            ended.setdefault(one["key"], len(ended))
        if one["attempt"] > 1 and not killed:
            again.append(f"{one['key']}: received {one['attempt']} times")
    wrong = []
    for group, keys in world.order.items():
        at = [ended[key] for key in dict.fromkeys(keys) if key in ended]
        if at != sorted(at):
            wrong.append(f"{group}: {sorted(dict.fromkeys(keys), key=lambda key: ended.get(key, 0))[:8]}")
    return wrong, again


def prove(options, environment, folder):
    build = options.build.resolve()
    world = proof.World(environment, random.Random(options.seed))
    world.queue(options.fifo)
    world.returns = not options.no_returns
    source, target = world.bucket("source", options.versions), world.bucket("target")
    watched = faults.Proxy(environment["AWS_ENDPOINT_URL_S3"])  # it only looks
    world.environment["AWS_ENDPOINT_URL_S3"] = watched.url
    pipeline = folder / "p.yaml"
    pipeline.write_text(proof.PIPELINE.format(queue=world.url, source=source, target=target, more=""))

    messages = proof.make_messages(world, source, options.messages)
    started = time.time()
    if options.how == "workers":
        wrong = kill_workers(build, folder, pipeline, world, messages, options.kills)
    elif options.how == "none":
        world.send(messages)
        wrong = []
    else:
        wrong = disturb(build, folder, pipeline, world, messages, options.kills, options.how)
    in_time = proof.drain(build, folder, pipeline, world)
    took, left = time.time() - started, world.counts(world.url)
    dead = world.dead_sources()
    order, again = order_kept(world, folder, options.how != "none") if options.fifo else ([], [])
    found = proof.crashes(folder)
    want = proof.undisturbed(build, folder, world, source)
    checks = proof.judge(world, source, target, want, left, dead)
    checks["nothing crashed"] = found
    checks["every broker ended as it was told"] = wrong + ([] if in_time else ["the queue was not empty in time"])
    checks["no rendition was ever replaced by an older one"] = proof.setbacks(watched.accepted)
    watched.stop()
    if options.fifo:
        # What killed brokers held becomes visible again in any order: moto lets a group's second message pass while the first is
        # counted as pending, which SQS does not.
        if options.how == "none":
            checks["the order of each group is kept"] = order
            checks["no message is received twice"] = again
    print(f"measured: {world.sent} messages about {len(world.sound)} sound, {len(world.damaged)} damaged and {len(world.gone)} deleted sources; "
          f"{options.kills if options.how != 'none' else 0} kills; {took:.0f} s; {len(dead)} dead letters")
    return proof.report(checks, folder)


def failing_head(options, environment, folder):
    """FIFO: the first of a group fails some times for the store's sake; those behind it wait and are not received meanwhile."""
    build = options.build.resolve()
    world = proof.World(environment, random.Random(options.seed))
    world.queue(fifo=True)
    source, target = world.bucket("source"), world.bucket("target")
    pipeline = folder / "p.yaml"
    pipeline.write_text(proof.PIPELINE.format(queue=world.url, source=source, target=target, more=""))
    keys = [f"in/{i}.jpg" for i in range(6)]
    world.send([("g", world.upload(source, key, proof.picture(i, 0))) for i, key in enumerate(keys)])
    proxy = faults.Proxy(environment["AWS_ENDPOINT_URL_S3"])
    rule = proxy.fail(faults.status(403, b"", Content_Type="text/plain"), method="GET", target=keys[0], times=4)
    broker = proof.work(build, folder, pipeline, world, AWS_ENDPOINT_URL_S3=proxy.url)
    deadline = time.time() + 60
    while time.time() < deadline and sum(world.counts(world.url)) > 0:
        time.sleep(0.2)
    wrong = proof.stop(broker)
    proxy.stop()
    said = [(one["key"], one["status"], one["attempt"]) for one in proof.results(folder)]
    done = [key for key, status, _ in said if status == "ok"]
    print(f"measured: the first of 6 failed {rule.struck} times, the others were received {max((one[2] for one in said if one[0] != keys[0]), default=0)} time(s)")
    return proof.report({
        "the first of a group fails, and is done later": [] if rule.struck >= 1 and keys[0] in done else [str(said)],
        "those behind it are done in their order": [] if done == keys else [str(done)],
        "none of them is received again meanwhile": [str(one) for one in said if one[0] != keys[0] and one[2] > 1],
        "the broker ends as it is told": [wrong] if wrong else [],
    }, folder)


def under_faults(options, environment, folder):
    """The same sources, again for each kind of fault, with a queue and a bucket of its own."""
    build = options.build.resolve()
    world = proof.World(environment, random.Random(options.seed))
    world.queue()
    source = world.bucket("source")
    messages = proof.make_messages(world, source, options.messages)
    want = proof.undisturbed(build, folder, world, source)
    names = list(faults.KINDS) + ["mixed"] if options.faults == "all" else options.faults.split(",")
    passed = failed = spoilt = slowest = 0
    for name in names:
        place = folder / name
        place.mkdir()
        world.queue()
        target = world.bucket("target")
        pipeline = place / "p.yaml"
        pipeline.write_text(proof.PIPELINE.format(queue=world.url, source=source, target=target, more=""))
        proxies = [faults.Proxy(environment[f"AWS_ENDPOINT_URL_{service}"], seed=options.seed) for service in ("S3", "SQS")]
        rules = [rule for proxy, service in zip(proxies, ("s3", "sqs")) for rule in faults.spoil(proxy, service, name)]
        world.send(messages)
        started = time.time()
        broker = proof.work(build, place, pipeline, world, AWS_ENDPOINT_URL_S3=proxies[0].url, AWS_ENDPOINT_URL_SQS=proxies[1].url)
        while time.time() < started + UNDER_FAULTS_S and sum(world.counts(world.url)) > 0 and broker.poll() is None:
            time.sleep(0.5)
        calm_after, still = time.time() - started, sum(world.counts(world.url))
        ended = broker.poll()
        wrong = f"it ended by itself, {ended}" if ended is not None else proof.stop(broker)
        for proxy in proxies:
            proxy.stop()
        in_time = proof.drain(build, place, pipeline, world, 180)
        left, dead = world.counts(world.url), world.dead_sources()
        struck = sum(rule.struck for rule in rules)
        spoilt, slowest = spoilt + struck, max(slowest, calm_after)
        print(f"== {name}: {struck} requests spoilt in {calm_after:.0f} s, {still} messages left then; "
              f"{time.time() - started:.0f} s until all was done")
        checks = proof.judge(world, source, target, want, left, dead)
        checks["nothing crashed"] = proof.crashes(place)
        checks["faults struck"] = [] if struck > 0 else ["none did"]
        checks["the broker goes on and ends as it is told"] = ([wrong] if wrong else []) + ([] if in_time else ["not in time"])
        good, bad = proof.report(checks, place)
        passed, failed = passed + good, failed + bad
    print(f"measured: {len(names)} kinds, {len(messages)} messages each, {spoilt} requests spoilt, slowest kind {slowest:.0f} s")
    return passed, failed


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", required=True, type=pathlib.Path)
    parser.add_argument("--peers", type=pathlib.Path, help="use those that `peers.py --json FILE` has started")
    parser.add_argument("--messages", type=int)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--how", choices=["broker", "workers", "term", "crash", "none"], default="broker")
    parser.add_argument("--versions", action="store_true")
    parser.add_argument("--no-returns", action="store_true", help="A and A, B only, never A, B, A")
    parser.add_argument("--fifo", action="store_true")
    parser.add_argument("--faults")
    parser.add_argument("--times", type=int, default=20, help="crashes at each point")
    parser.add_argument("--points", help="only these points, or all that begin so")
    options = parser.parse_args()
    options.messages = options.messages or (60 if options.faults else 2000)

    def go(peers):
        with tempfile.TemporaryDirectory(prefix="pixmill-kill9-") as folder:
            folder = pathlib.Path(folder)
            if options.faults:
                return under_faults(options, peers.environment(), folder)
            if options.how == "crash":
                import crash
                return crash.prove(options, peers.environment(), folder)
            passed, failed = prove(options, peers.environment(), folder)
            if options.fifo and options.how == "none":
                (folder / "head").mkdir()
                more = failing_head(options, peers.environment(), folder / "head")
                passed, failed = passed + more[0], failed + more[1]
            return passed, failed

    if options.peers:
        passed, failed = go(peers_module.Peers.from_json(json.loads(options.peers.read_text())))
    else:
        try:
            with peers_module.Peers() as peers:
                passed, failed = go(peers)
        except peers_module.Unavailable as why:
            print(f"skipped: {why}")
            return 0
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
