# SPDX-License-Identifier: Apache-2.0
"""A strict stand-in for Rekognition: it checks the signature as AWS does, the protocol, and what is sent.

    with Rekognition("AKID", "secret", "eu-west-1") as service: ...     listens at service.url; service.calls holds what came

Signatures are computed again with botocore from the request as it arrived. `service.answers` may hold (status, code) pairs, which are
given first.
"""
import base64
import binascii
import datetime
import http.server
import io
import json
import re
import threading

import botocore.auth
import botocore.awsrequest
import botocore.credentials
from PIL import Image

TARGET = "RekognitionService."
ANSWERS = {
    "DetectFaces": {"FaceDetails": [{"BoundingBox": {"Left": 0.1, "Top": 0.2, "Width": 0.3, "Height": 0.4}, "Confidence": 99.5}]},
    "DetectModerationLabels": {"ModerationLabels": [], "ModerationModelVersion": "7.0"},
}
MEMBERS = {"DetectFaces": {"Image", "Attributes"}, "DetectModerationLabels": {"Image", "MinConfidence"}}
BYTES_MAX, SIDE_MIN = 5 * 1024 * 1024, 80


class Refused(Exception):
    def __init__(self, code, message, status=400):
        super().__init__(message)
        self.code, self.message, self.status = code, message, status


class Rekognition:
    def __init__(self, access_key, secret_key, region, token=None):
        self.credentials, self.region = botocore.credentials.Credentials(access_key, secret_key, token), region
        self.calls, self.answers, self.denied = [], [], set()
        service = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                try:
                    status, answer = 200, service.answer(self, body)
                except Refused as why:
                    status, answer = why.status, {"__type": why.code, "Message": why.message}
                text = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/x-amz-json-1.1")
                self.send_header("x-amzn-RequestId", "00000000-0000-0000-0000-000000000001")
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()

    def answer(self, handler, body):
        self.check_signature(handler, body)
        if handler.path != "/" or handler.headers["Content-Type"] != "application/x-amz-json-1.1":
            raise Refused("UnknownOperationException", f"{handler.path} {handler.headers['Content-Type']}")
        target = handler.headers["X-Amz-Target"] or ""
        operation = target.removeprefix(TARGET)
        if not target.startswith(TARGET) or operation not in ANSWERS:
            raise Refused("UnknownOperationException", target)
        self.calls.append(operation)
        if self.answers:
            status, code = self.answers.pop(0)
            raise Refused(code, "made up", status)
        request = json.loads(body)
        if operation in self.denied:
            raise Refused("AccessDeniedException", f"User: tests is not authorized to perform: rekognition:{operation}")
        self.check_image(operation, request)
        return ANSWERS[operation]

    def check_signature(self, handler, body):
        given = handler.headers["Authorization"] or ""
        match = re.fullmatch(r"AWS4-HMAC-SHA256 Credential=([^/]+)/(\d{8})/([^/]+)/([^/]+)/aws4_request, SignedHeaders=([a-z0-9;-]+), "
                             r"Signature=([0-9a-f]{64})", given)
        if not match:
            raise Refused("MissingAuthenticationTokenException", given)
        key, day, region, name, signed, signature = match.groups()
        if key != self.credentials.access_key or handler.headers["x-amz-security-token"] != self.credentials.token:
            raise Refused("UnrecognizedClientException", "The security token included in the request is invalid.")
        stamp = handler.headers["x-amz-date"]
        now = datetime.datetime.now(datetime.timezone.utc)
        then = datetime.datetime.strptime(stamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=datetime.timezone.utc)
        names = signed.split(";")
        must = {"host", "content-type", "x-amz-date", "x-amz-target"} | ({"x-amz-security-token"} if self.credentials.token else set())
        if (region, name) != (self.region, "rekognition") or not stamp.startswith(day) or abs((now - then).total_seconds()) > 300 or \
                not must <= set(names) or names != sorted(names):
            raise Refused("InvalidSignatureException", f"scope, time or headers: {given}")
        request = botocore.awsrequest.AWSRequest("POST", f"{self.url}{handler.path}", data=body,
                                                 headers={one: handler.headers[one] for one in names if one != "host"})
        request.context["timestamp"] = stamp
        auth = botocore.auth.SigV4Auth(self.credentials, name, region)
        text = auth.string_to_sign(request, auth.canonical_request(request))
        if auth.signature(text, request) != signature:
            raise Refused("InvalidSignatureException", "The request signature we calculated does not match the signature you provided.")

    @staticmethod
    def check_image(operation, request):
        if set(request) - MEMBERS[operation] or set(request.get("Image", {})) != {"Bytes"}:
            raise Refused("InvalidParameterException", f"members {sorted(request)}")
        try:
            data = base64.b64decode(request["Image"]["Bytes"], validate=True)
        except binascii.Error as why:
            raise Refused("SerializationException", str(why)) from why
        if len(data) > BYTES_MAX:
            raise Refused("ImageTooLargeException", f"{len(data)} bytes")
        try:
            image = Image.open(io.BytesIO(data))
        except OSError as why:
            raise Refused("InvalidImageFormatException", "Request has invalid image format") from why
        if image.format not in ("JPEG", "PNG") or min(image.size) < SIDE_MIN:
            raise Refused("InvalidImageFormatException", f"{image.format} {image.size}")
