# SPDX-License-Identifier: Apache-2.0
"""A stand-in of AWS Lambda's Runtime API, strict about states, sizes, headers and time: what the real one refuses is refused
here and noted in `violations`, which tests expect to be empty. Between invocations it can freeze the runtime."""
import http.server
import json
import os
import queue
import re
import signal
import threading
import time

PAYLOAD_MAX = 6 * 1024 * 1024
PREFIX = "/2018-06-01/runtime"


class Answer:
    def __init__(self, kind, body, headers):
        self.kind, self.raw, self.headers = kind, body, headers
        self.json = json.loads(body)
        self.type = self.json.get("errorType") if kind != "response" and isinstance(self.json, dict) else None
        self.message = self.json.get("errorMessage") if self.type else None


class RuntimeApi:
    def __init__(self):
        self.violations, self.init_errors = [], []
        self.next_asked = threading.Event()  # and not yet answered
        self.first_next = None  # time.perf_counter() of the end of the start
        self._events, self._answers = queue.Queue(), queue.Queue()
        self._in_flight, self._count, self._closed = None, 0, False
        self._waiting = []  # sockets of held next requests
        stand_in = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def do_GET(self):
                stand_in._next(self)

            def do_POST(self):
                stand_in._post(self)

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._server.handle_error = lambda *_: None  # a runtime that was killed leaves its connection
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.host = f"127.0.0.1:{self._server.server_port}"

    def close(self):
        self._closed = True
        self._server.shutdown()
        self._server.server_close()

    # --- the service's side ---

    def _refuse(self, handler, status, kind, why):
        self.violations.append(f"{handler.command} {handler.path}: {kind}: {why}")
        self._reply(handler, status, {"errorType": kind, "errorMessage": why})

    @staticmethod
    def _reply(handler, status, body, headers=()):
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        try:
            handler.send_response(status)
            for name, value in headers:
                handler.send_header(name, value)
            handler.send_header("Content-Type", "application/json")
            handler.send_header("Content-Length", str(len(data)))
            handler.end_headers()
            handler.wfile.write(data)
        except OSError:
            return False
        return True

    def _next(self, handler):
        if handler.path != f"{PREFIX}/invocation/next":
            self._refuse(handler, 404, "NotFound", "no such path")
            return
        if self._in_flight is not None:
            self._refuse(handler, 403, "InvalidStateTransition", "next while an invocation is open")
            return
        if not handler.headers.get("User-Agent"):
            self.violations.append("next without User-Agent")
        self.first_next = self.first_next or time.perf_counter()
        self._waiting.append(handler.connection)
        self.next_asked.set()
        while not self._closed:
            try:
                event, request_id, deadline_ms = self._events.get(timeout=0.05)
                break
            except queue.Empty:
                if handler.connection not in self._waiting:  # dropped: the runtime has to come again
                    handler.close_connection = True
                    return
        else:
            return
        self._waiting.clear()
        self._in_flight = request_id
        self.next_asked.clear()
        self._reply(handler, 200, event, [
            ("Lambda-Runtime-Aws-Request-Id", request_id), ("Lambda-Runtime-Deadline-Ms", str(deadline_ms)),
            ("Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:eu-west-1:123456789012:function:pixmill"),
            ("Lambda-Runtime-Trace-Id", "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419;Sampled=1")])

    def _post(self, handler):
        size = int(handler.headers.get("Content-Length") or -1)
        if size < 0:
            self._refuse(handler, 411, "LengthRequired", "no Content-Length")
            return
        if size > PAYLOAD_MAX:
            self._refuse(handler, 413, "RequestEntityTooLarge", f"{size} bytes")
            handler.close_connection = True
            return
        body = handler.rfile.read(size)
        if handler.path == f"{PREFIX}/init/error":
            if self.first_next is not None:
                self._refuse(handler, 403, "InvalidStateTransition", "init/error after next")
            elif self._check_error(handler, body):
                self.init_errors.append(Answer("init", body, handler.headers))
                self._reply(handler, 202, {"status": "OK"})
            return
        found = re.fullmatch(re.escape(PREFIX) + r"/invocation/([^/]+)/(response|error)", handler.path)
        if found is None:
            self._refuse(handler, 404, "NotFound", "no such path")
        elif found[1] != self._in_flight:
            self._refuse(handler, 400, "InvalidRequestID", f"{found[1]} is not open")
        elif found[2] == "response" or self._check_error(handler, body):
            self._in_flight = None
            self._reply(handler, 202, {"status": "OK"})
            self._answers.put(Answer(found[2], body, handler.headers))

    def _check_error(self, handler, body):
        try:
            error = json.loads(body)
            good = isinstance(error["errorMessage"], str) and isinstance(error["errorType"], str) and \
                isinstance(error["stackTrace"], list) and handler.headers["Lambda-Runtime-Function-Error-Type"] == error["errorType"]
        except (ValueError, KeyError, TypeError):
            good = False
        if not good:
            self._refuse(handler, 400, "InvalidRequest", f"an error must name itself: {body[:200]!r}")
        return good

    # --- the test's side ---

    def invoke(self, event, timeout=10.0, patience=None):
        """The answer to one invocation whose time is `timeout` seconds. TimeoutError: none came in that time."""
        self._count += 1
        data = event if isinstance(event, bytes) else json.dumps(event).encode()
        assert len(data) <= PAYLOAD_MAX
        self._events.put((data, f"8476a536-e9f4-11e8-9739-{self._count:012d}", int((time.time() + timeout) * 1000)))
        try:
            return self._answers.get(timeout=patience or timeout)
        except queue.Empty:
            raise TimeoutError(f"no answer within {patience or timeout} s") from None

    def freeze(self, process_group, seconds, drop=False):
        """As Lambda does between invocations; drop: the connection that waits is lost meanwhile."""
        assert self.next_asked.wait(10), "it has not asked for the next invocation"
        os.killpg(process_group, signal.SIGSTOP)
        if drop:
            waiting, self._waiting = self._waiting, []
            for connection in waiting:
                try:
                    connection.shutdown(2)
                except OSError:
                    pass
            self.next_asked.clear()
        time.sleep(seconds)
        os.killpg(process_group, signal.SIGCONT)
