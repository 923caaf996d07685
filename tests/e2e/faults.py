# SPDX-License-Identifier: Apache-2.0
"""A proxy that does to answers what networks and overloaded services do.

    proxy = Proxy("http://127.0.0.1:8000")        listens at proxy.url
    proxy.fail(cut, method="GET", times=1)        the next GET's body ends half-way
    proxy.fail(status(503, ...), share=0.2)       one request in five, for as long as it runs

Requests go on as they came, the Host header included, so that signatures stay right. A fault gets the handler and either makes
an answer of its own or spoils the service's.
"""
import http.client
import http.server
import random
import socket
import struct
import threading
import time
import urllib.parse


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body


# --- faults ---

def status(code, body=b"", **headers):
    """The service refuses before it does anything."""
    def strike(handler, forward):
        handler.answer(Answer(code, [(name.replace("_", "-"), value) for name, value in headers.items()], body))
    return strike


def s3_error(code, name):
    body = f'<?xml version="1.0" encoding="UTF-8"?><Error><Code>{name}</Code><Message>made up</Message></Error>'
    return status(code, body.encode(), Content_Type="application/xml")


def sqs_error(code, name):
    return status(code, f'{{"__type":"com.amazonaws.sqs#{name}","message":"made up"}}'.encode(),
                  Content_Type="application/x-amz-json-1.0")


def cut(handler, forward):
    """Half of the body, then the end of the connection."""
    answer = forward()
    handler.answer(answer, body=answer.body[:len(answer.body) // 2])
    handler.hang_up()


def flip(handler, forward):
    """One bit is another on arrival."""
    answer = forward()
    middle = len(answer.body) // 2
    body = answer.body[:middle] + bytes([answer.body[middle] ^ 1]) + answer.body[middle + 1:] if answer.body else b""
    handler.answer(answer, body=body)


def reset(handler, forward):
    handler.hang_up(hard=True)


def lose(handler, forward):
    """Done, but nobody hears of it."""
    forward()
    handler.hang_up()


def delay(seconds):
    def strike(handler, forward):
        time.sleep(seconds)
        handler.answer(forward())
    return strike


# --- the proxy ---

class Rule:
    def __init__(self, fault, method, target, times, share, random_):
        self.fault, self.method, self.target, self.left, self.share, self.random = fault, method, target, times, share, random_
        self.struck = 0

    def takes(self, handler):
        if self.method and handler.command != self.method:
            return False
        if self.target and self.target not in handler.headers.get("X-Amz-Target", "") + " " + handler.path:
            return False
        if self.left == 0 or (self.share is not None and self.random.random() >= self.share):
            return False
        if self.left is not None:
            self.left -= 1
        self.struck += 1
        return True


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def serve(self):
        size = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(size)
        self.server.proxy.seen.append((self.command, self.path, self.headers.get("X-Amz-Target")))

        def forward():
            connection = http.client.HTTPConnection(*self.server.proxy.upstream, timeout=60)
            connection.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
            for name, value in self.headers.items():
                if name.lower() not in ("connection", "keep-alive", "expect"):
                    connection.putheader(name, value)
            connection.endheaders(body if size else None)
            found = connection.getresponse()
            answer = Answer(found.status, found.getheaders(), found.read())
            connection.close()
            return answer
        rule = self.server.proxy.rule_for(self)
        try:
            if rule:
                rule.fault(self, forward)
            else:
                self.answer(forward())
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    do_GET = do_PUT = do_HEAD = do_POST = do_DELETE = serve

    def answer(self, answer, body=None):
        """`body` may be less than what the headers promise."""
        self.send_response_only(answer.status)
        promised = len(answer.body)
        for name, value in answer.headers:
            if name.lower() == "content-length" and self.command == "HEAD":
                promised = value
            elif name.lower() not in ("content-length", "connection", "transfer-encoding", "keep-alive"):
                self.send_header(name, value)
        self.send_header("Content-Length", str(promised))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body if body is None else body)

    def hang_up(self, hard=False):
        self.close_connection = True
        self.wfile.flush()
        if hard:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()
        else:
            self.connection.shutdown(socket.SHUT_RDWR)

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request, client_address):
        """Connections that break are the point."""


class Proxy:
    def __init__(self, url, seed=1):
        parts = urllib.parse.urlsplit(url)
        self.upstream = (parts.hostname, parts.port)
        self.rules, self.seen = [], []
        self._lock = threading.Lock()
        self._random = random.Random(seed)
        self._server = Server(("127.0.0.1", 0), Handler)
        self._server.proxy = self
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def fail(self, fault, method=None, target=None, times=None, share=None):
        """`target` is a part of the path or of SQS's operation. Returns the rule, whose `struck` counts."""
        rule = Rule(fault, method, target, times, share, self._random)
        self.rules.append(rule)
        return rule

    def heal(self):
        self.rules = []

    def rule_for(self, handler):
        with self._lock:
            return next((rule for rule in self.rules if rule.takes(handler)), None)

    def stop(self):
        self._server.shutdown()
        self._server.server_close()
