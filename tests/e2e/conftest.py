# SPDX-License-Identifier: Apache-2.0
import json
import pathlib
import sys

import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
import peers as peers_module  # noqa: E402


def pytest_addoption(parser):
    parser.addoption("--build", default=str(HERE.parents[1] / "build-dev"), help="build directory of the pixmill to test")
    parser.addoption("--zip", help="pixmill-lambda.zip, to be tried in an empty root")
    parser.addoption("--image", help="the image of config/Dockerfile, to be run with podman")
    parser.addoption("--peers", help="use those that `peers.py --json FILE` has started")


@pytest.fixture(scope="session")
def peers(request):
    running = request.config.getoption("--peers")
    if running:
        yield peers_module.Peers.from_json(json.loads(pathlib.Path(running).read_text()))
        return
    try:
        with peers_module.Peers() as started:
            yield started
    except peers_module.Unavailable as why:
        pytest.skip(str(why))


@pytest.fixture(scope="session")
def build(request):
    folder = pathlib.Path(request.config.getoption("--build")).resolve()
    assert (folder / "bin" / "pixmill").exists(), f"{folder} holds no bin/pixmill"
    return folder


@pytest.fixture(scope="session")
def s3(peers):
    from world import client
    return client(peers, "s3")


@pytest.fixture(scope="session")
def sqs(peers):
    from world import client
    return client(peers, "sqs")


@pytest.fixture
def world(peers, s3, sqs, build, tmp_path):
    from world import World
    made = World(peers, s3, sqs, build, tmp_path)
    yield made
    made.close()


@pytest.fixture
def proxies():
    """`proxies(url)` puts a proxy in front of a service."""
    from faults import Proxy
    started = []

    def start(url):
        started.append(Proxy(url))
        return started[-1]
    yield start
    for proxy in started:
        proxy.stop()
