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


def halve(handler, forward):
    """Half of the body, with a length that says so: what a broken cache hands out."""
    answer = forward()
    handler.answer(Answer(answer.status, answer.headers, answer.body[:len(answer.body) // 2]))


def empty(handler, forward):
    """200 and nothing else."""
    answer = forward()
    handler.answer(Answer(200, answer.headers, b""))


def wrong_etag(handler, forward):
    answer = forward()
    headers = [(name, f'"{"0123456789abcdef" * 2}"') if name.lower() == "etag" else (name, value) for name, value in answer.headers]
    handler.answer(Answer(answer.status, headers, answer.body))


def drip(seconds, pause=0.25):
    """The body a byte at a time; after `seconds` the connection ends."""
    def strike(handler, forward):
        answer = forward()
        handler.answer(answer, body=b"")
        until = time.monotonic() + seconds
        for i in range(len(answer.body)):
            if time.monotonic() > until:
                handler.hang_up()
                return
            handler.wfile.write(answer.body[i:i + 1])
            time.sleep(pause)
    return strike


def silent(seconds):
    """Takes the request, does nothing and says nothing."""
    def strike(handler, forward):
        time.sleep(seconds)
        handler.hang_up(hard=True)
    return strike


PAGE = b"<!DOCTYPE html><html><head><title>%s</title></head><body><h1>%s</h1><hr><center>nginx</center></body></html>"


def page(code, title):
    """What a load balancer says when it knows nothing of the service behind it."""
    return status(code, PAGE.replace(b"%s", title), Content_Type="text/html")


def redirect(code):
    return status(code, PAGE.replace(b"%s", b"Moved"), Location="http://127.0.0.1:9/elsewhere", Content_Type="text/html")


# What `kill9.py --faults` does to one request in five: {name: (for S3, for SQS)}
KINDS = {
    "reset": (reset, reset),
    "lost": (lose, lose),
    "cut": (cut, cut),
    "halved": (halve, halve),
    "empty": (empty, empty),
    "flipped": (flip, None),
    "wrong-etag": (wrong_etag, None),
    "500": (s3_error(500, "InternalError"), sqs_error(500, "InternalFailure")),
    "503": (s3_error(503, "SlowDown"), sqs_error(503, "ThrottlingException")),
    "bare-403": (status(403), page(403, b"403 Forbidden")),
    "bare-400": (status(400), page(400, b"400 Bad Request")),
    "404-page": (page(404, b"404 Not Found"), page(404, b"404 Not Found")),
    "502-page": (page(502, b"502 Bad Gateway"), page(502, b"502 Bad Gateway")),
    "200-page": (page(200, b"Maintenance"), page(200, b"Maintenance")),
    "200-error": (s3_error(200, "InternalError"), sqs_error(200, "InternalFailure")),
    "redirect": (redirect(302), redirect(302)),
    "moved": (redirect(301), redirect(307)),
    "slow": (delay(2), delay(2)),
    "drip": (drip(60), drip(60)),
    "silent": (silent(90), silent(90)),
}
SHARE = 0.2
SHARES = {"drip": 0.05, "silent": 0.05}  # each of these costs the client its whole patience
UPLOADS_SPOIL = ("halved", "empty", "wrong-etag", "flipped")  # answers about what is there, not about what was done


def spoil(proxy, service, name):
    """Lets the fault, or all of them ("mixed", one request in five in all), strike requests to a service. Returns the rules."""
    names = list(KINDS) if name == "mixed" else [name]
    rules = []
    for one in names:
        fault = KINDS[one][0 if service == "s3" else 1]
        share = SHARES.get(one, SHARE) / (len(names) if name == "mixed" else 1)
        if fault:
            methods = ["GET", "HEAD"] if service == "s3" and one in UPLOADS_SPOIL else [None]
            rules += [proxy.fail(fault, method=method, share=share) for method in methods]
    return rules


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
            if self.command == "PUT" and answer.status == 200:
                self.server.proxy.accepted.append((self.path, self.headers.get("x-amz-meta-pixmill-src-sequencer")))
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
        self.rules, self.seen, self.accepted = [], [], []
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
