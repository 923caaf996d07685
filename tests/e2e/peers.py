#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The services that the end-to-end tests talk to, for as long as they are needed: radosgw is S3, moto is SQS and IAM.

    peers.py               starts them, prints the environment for pixmill and the AWS CLI, ends with Ctrl-C
    peers.py --json FILE   the same, and writes the addresses to FILE for `pytest --peers FILE`
    peers.py -- COMMAND    runs a command in that environment

All listen on 127.0.0.1 on ports that were free, keep everything in memory and one temporary folder, and end with this
process. Both services check signatures, and know the same access key.
"""
import argparse
import ctypes
import http.client
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import uuid

HERE = pathlib.Path(__file__).resolve().parent
REGION = "us-east-1"
READY_SECONDS = 60
PR_SET_PDEATHSIG = 1


class Unavailable(Exception):
    """The peers cannot be had on this machine."""


class Broken(Exception):
    """They are installed and do not start."""


def install():
    """Folder with more modules for Debian's python3, or ''."""
    done = subprocess.run([str(HERE / "setup.sh")], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if done.returncode == 77:
        raise Unavailable(done.stderr.strip().splitlines()[-1])
    if done.returncode != 0:
        raise Broken(f"setup.sh failed with {done.returncode}: {done.stderr.strip()[-2000:]}")
    return done.stdout.strip()


def free_ports(count):
    """Held all at once, so that they differ."""
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def die_with_parent():
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


CEPH = """\
[global]
fsid = {fsid}
mon host = v2:127.0.0.1:{mon_port}
mon initial members = only
public addr = 127.0.0.1
cluster addr = 127.0.0.1
ms bind ipv6 = false
keyring = {dir}/keyring
auth allow insecure global id reclaim = true
run dir = {dir}
admin socket = {dir}/$name.asok
log file = {dir}/$name.log
crash dir = {dir}
# One daemon of each kind, one copy, few placement groups: what starts fastest.
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 2
osd pool default pgp num = 2
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
mon allow pool size one = true
mon max pg per osd = 1000
mon data avail crit = 1
mon data avail warn = 1
[mon.only]
mon data = {dir}/mon
mon cluster log file = {dir}/cluster.log
[osd.0]
osd data = {dir}/osd
osd objectstore = memstore
memstore device bytes = 2147483648
osd class load list = *
osd class default list = *
[client.gateway]
rgw data = {dir}
rgw enable apis = s3, admin
rgw enable usage log = false
rgw frontends = beast endpoint=127.0.0.1:{s3_port} tcp_nodelay=1
rgw rados pool pg num min = 2
"""


class Peers:
    """`with Peers() as peers:` or start() and stop(). Addresses and keys are attributes after the start."""

    def __init__(self):
        self.processes = []
        self.folder = None
        self.s3_url = self.sqs_url = self.access_key = self.secret_key = None
        self.region = REGION

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stop()

    def environment(self):
        return {"AWS_ENDPOINT_URL_S3": self.s3_url, "AWS_ENDPOINT_URL_SQS": self.sqs_url, "AWS_ACCESS_KEY_ID": self.access_key,
                "AWS_SECRET_ACCESS_KEY": self.secret_key, "AWS_REGION": self.region, "AWS_EC2_METADATA_DISABLED": "true"}

    def to_json(self):
        return {name: getattr(self, name) for name in ("s3_url", "sqs_url", "access_key", "secret_key", "region")}

    @classmethod
    def from_json(cls, fields):
        peers = cls()
        vars(peers).update(fields)
        return peers

    def start(self):
        modules = install()
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="pixmill-peers-"))
        try:
            sqs_port, s3_port, mon_port = free_ports(3)
            self.sqs_url, self.s3_url = f"http://127.0.0.1:{sqs_port}", f"http://127.0.0.1:{s3_port}"
            # Daemons start on this thread and none waits for another without need: ceph's three take longest.
            self._start_moto(sqs_port, modules)
            self._start_ceph(s3_port, mon_port)
            self._make_key(modules)
            self._wait("radosgw", lambda: self._answers(s3_port))
            self._tool("radosgw-admin", "--name", "client.gateway", "user", "create", "--uid=tests", "--display-name=tests",
                       "--max-buckets=0",  # no limit: every test makes two
                       f"--access-key={self.access_key}", f"--secret-key={self.secret_key}")
        except BaseException:
            self.stop()
            raise

    def stop(self):
        for process in reversed(self.processes):
            process.kill()  # nothing of theirs is worth an orderly end
        for process in self.processes:
            process.wait()
        self.processes = []
        if self.folder:
            shutil.rmtree(self.folder, ignore_errors=True)

    def _spawn(self, name, *command, env=None):
        with open(self.folder / f"{name}.out", "wb") as out:
            # From /: the OSD of Debian 13 looks for its classes in lib/..., as if there were no other folder to be in.
            process = subprocess.Popen(command, cwd="/", stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT,
                                       preexec_fn=die_with_parent, start_new_session=True, env=env)
        process.peer = name
        self.processes.append(process)

    def _tool(self, *command):
        done = subprocess.run([command[0], "--conf", str(self.folder / "ceph.conf"), *command[1:]], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=READY_SECONDS)
        if done.returncode != 0:
            raise Broken(f"{' '.join(command)}: exit {done.returncode}: {done.stdout[-2000:]}")
        return done.stdout

    def _wait(self, what, ready):
        until = time.monotonic() + READY_SECONDS
        while not ready():
            for process in self.processes:
                if process.poll() is not None:
                    said = (self.folder / f"{process.peer}.out").read_text(errors="replace")
                    raise Broken(f"{process.peer} ended with {process.returncode}: {said[-2000:]}")
            if time.monotonic() > until:
                raise Broken(f"{what} is not ready after {READY_SECONDS} s")
            time.sleep(0.1)

    @staticmethod
    def _answers(port):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        try:
            connection.request("GET", "/")
            return connection.getresponse().status < 500
        except OSError:
            return False
        finally:
            connection.close()

    def _start_moto(self, port, modules):
        env = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        # The three calls of _make_key are let through; from then on every signature is checked.
        env.update(PYTHONPATH=modules, INITIAL_NO_AUTH_ACTION_COUNT="3", PYTHONDONTWRITEBYTECODE="1")
        self._spawn("moto", "/usr/bin/python3", "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port), env=env)

    def _make_key(self, modules):
        port = int(self.sqs_url.rpartition(":")[2])
        self._wait("moto", lambda: self._answers_moto(port))
        import boto3
        iam = boto3.client("iam", endpoint_url=self.sqs_url, region_name=self.region, aws_access_key_id="none",
                           aws_secret_access_key="none")
        iam.create_user(UserName="tests")
        key = iam.create_access_key(UserName="tests")["AccessKey"]
        everything = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
        iam.put_user_policy(UserName="tests", PolicyName="everything", PolicyDocument=json.dumps(everything))
        self.access_key, self.secret_key = key["AccessKeyId"], key["SecretAccessKey"]

    @staticmethod
    def _answers_moto(port):
        """Whether it listens: a request would count as one of the three."""
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    def _start_ceph(self, s3_port, mon_port):
        conf = self.folder / "ceph.conf"
        fsid = str(uuid.uuid4())
        conf.write_text(CEPH.format(fsid=fsid, dir=self.folder, s3_port=s3_port, mon_port=mon_port))
        for name in ("mon", "osd"):
            (self.folder / name).mkdir()
        for entity, rights in (("mon.", ["mon"]), ("client.admin", ["mon", "osd"]), ("client.gateway", ["mon", "osd"]),
                               ("osd.0", ["mon", "osd"])):
            caps = [word for right in rights for word in ("--cap", right, "allow *")]
            create = [] if (self.folder / "keyring").exists() else ["--create-keyring"]
            subprocess.run(["ceph-authtool", str(self.folder / "keyring"), *create, "--name", entity, "--gen-key", *caps],
                           check=True, stdout=subprocess.DEVNULL)
        monmap = str(self.folder / "monmap")
        subprocess.run(["monmaptool", "--create", "--fsid", fsid, "--addv", "only", f"[v2:127.0.0.1:{mon_port}]", monmap],
                       check=True, stdout=subprocess.DEVNULL)
        self._tool("ceph-mon", "--id", "only", "--mkfs", "--monmap", monmap, "--keyring",
                   str(self.folder / "keyring"))
        self._spawn("mon", "ceph-mon", "--conf", str(conf), "--foreground", "--id", "only")
        osd = str(uuid.uuid4())
        self._tool("ceph", "--connect-timeout", "30", "osd", "new", osd)
        self._tool("ceph-osd", "--id", "0", "--mkfs", "--osd-uuid", osd)
        self._spawn("osd", "ceph-osd", "--conf", str(conf), "--foreground", "--id", "0")
        self._spawn("rgw", "radosgw", "--conf", str(conf), "--foreground", "--name", "client.gateway")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", metavar="FILE")
    parser.add_argument("command", nargs="*")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    started = time.monotonic()
    try:
        with Peers() as peers:
            print(f"ready in {time.monotonic() - started:.1f} s", file=sys.stderr)
            if arguments.json:
                pathlib.Path(arguments.json).write_text(json.dumps(peers.to_json()))
            if arguments.command:
                sys.exit(subprocess.run(arguments.command, env={**os.environ, **peers.environment()}).returncode)
            for name, value in peers.environment().items():
                print(f"export {name}={value}", flush=True)
            signal.pause()
    except Unavailable as why:
        print(f"peers.py: {why}", file=sys.stderr)
        sys.exit(77)
    except Broken as why:
        sys.exit(f"peers.py: {why}")
    except KeyboardInterrupt:
        pass


if __name__ == "__main__":
    main()
