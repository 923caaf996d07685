#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""As much of S3 and SQS as the soak needs, quick enough not to be what is measured.

    standin.py COUNT      prints its port, serves until it is ended

It hands out COUNT upload events of one queue and some twice, holds their objects, and takes renditions of which it keeps the headers
only. GET /stats tells what became of the messages. Signatures are not checked. Of all sources, one in a hundred is damaged, one in a
hundred gone.
"""
import asyncio
import collections
import hashlib
import io
import json
import random
import sys
import time
import urllib.parse

VISIBILITY_S = 30
SIZES = [(64, 48), (160, 120), (333, 250), (400, 300), (640, 427)]
FORMATS = [("jpg", "JPEG", {"quality": 85}), ("png", "PNG", {}), ("webp", "WEBP", {"quality": 80}), ("gif", "GIF", {}),
           ("tif", "TIFF", {"compression": "tiff_lzw"}), ("jpg", "JPEG", {"quality": 90, "progressive": True})]


def samples():
    """[(ending, bytes, MD5)]"""
    from PIL import Image
    rng, made = random.Random(1), []
    for size in SIZES:
        for ending, name, options in FORMATS:
            image = Image.effect_noise(size, 30).convert("RGB")
            for _ in range(15):
                x, y = rng.randrange(size[0]), rng.randrange(size[1])
                image.paste(tuple(rng.randrange(256) for _ in range(3)), (x, y, x + rng.randrange(5, 80), y + rng.randrange(5, 80)))
            out = io.BytesIO()
            (image.quantize(64) if name == "GIF" else image).save(out, name, **options)
            made.append((ending, out.getvalue(), hashlib.md5(out.getvalue()).hexdigest()))
    return made


class Service:
    def __init__(self, count):
        self.count, self.samples = count, samples()
        self.next, self.deleted, self.dead, self.gone, self.puts, self.duplicates = 0, 0, 0, 0, 0, 0
        self.back = collections.deque()  # numbers of messages that are visible again
        self.held = {}  # handle: (number, until)
        self.objects = {}  # rendition: headers
        self.receives = collections.Counter()
        self.ended = set()

    # --- what is where ---

    def source(self, number):
        """(key, bytes, MD5); bytes None: gone."""
        ending, data, md5 = self.samples[number % len(self.samples)]
        if number % 100 == 37:
            data = data[:len(data) // 3]
            md5 = hashlib.md5(data).hexdigest()
        return f"in/{number:06d}.{ending}", None if number % 100 == 73 else data, md5

    def event(self, number):
        key, data, md5 = self.source(number)
        record = {"eventVersion": "2.1", "eventSource": "aws:s3", "eventTime": "2026-11-23T06:00:00.000Z", "eventName": "ObjectCreated:Put",
                  "s3": {"bucket": {"name": "source"},
                         "object": {"key": key, "size": len(data) if data else 1000, "eTag": md5, "sequencer": f"{number:016X}"}}}
        return json.dumps({"Records": [record]})

    # --- SQS ---

    def receive(self, most):
        now, messages = time.monotonic(), []
        if len(self.held) and not self.next < self.count:
            for handle, (number, until) in list(self.held.items()):
                if until < now:
                    del self.held[handle]
                    self.back.append(number)
        while len(messages) < most and (self.back or self.next < self.count):
            if self.back:
                number = self.back.popleft()
            else:
                number = self.next
                self.next += 1
                if number % 50 == 11:
                    self.back.append(number)  # it comes twice
                    self.duplicates += 1
            self.receives[number] += 1
            handle = f"{number}-{self.receives[number]}"
            self.held[handle] = (number, now + VISIBILITY_S)
            body = self.event(number)
            messages.append({"MessageId": f"m{number}", "ReceiptHandle": handle, "Body": body,
                             "MD5OfBody": hashlib.md5(body.encode()).hexdigest(),
                             "Attributes": {"ApproximateReceiveCount": "1", "SentTimestamp": "1732342813000"}})
        return messages

    async def sqs(self, operation, request):
        if operation == "ReceiveMessage":
            messages = self.receive(request.get("MaxNumberOfMessages", 1))
            until = time.monotonic() + request.get("WaitTimeSeconds", 0)
            while not messages and time.monotonic() < until and (self.held or self.back):
                await asyncio.sleep(0.05)
                messages = self.receive(request.get("MaxNumberOfMessages", 1))
            return {"Messages": messages} if messages else {}
        if operation == "GetQueueAttributes":
            return {"Attributes": {"QueueArn": "arn:aws:sqs:us-east-1:123456789012:soak", "VisibilityTimeout": str(VISIBILITY_S),
                                   "RedrivePolicy": json.dumps({"deadLetterTargetArn": "arn:aws:sqs:us-east-1:123456789012:dead",
                                                                "maxReceiveCount": 5})}}
        if operation == "GetQueueUrl":
            return {"QueueUrl": f"http://127.0.0.1:{self.port}/123456789012/{request['QueueName']}"}
        if operation in ("DeleteMessageBatch", "ChangeMessageVisibilityBatch"):
            for entry in request["Entries"]:
                number, _ = self.held.pop(entry["ReceiptHandle"], (None, 0))
                if number is None:
                    continue
                if operation == "DeleteMessageBatch":
                    self.deleted += 1
                    self.ended.add(number)
                elif entry["VisibilityTimeout"] > 0:
                    self.held[entry["ReceiptHandle"]] = (number, time.monotonic() + entry["VisibilityTimeout"])
                else:
                    self.back.append(number)
            return {"Successful": [{"Id": entry["Id"]} for entry in request["Entries"]], "Failed": []}
        if operation == "SendMessage":
            self.dead += 1
            return {"MessageId": f"d{self.dead}", "MD5OfMessageBody": hashlib.md5(request["MessageBody"].encode()).hexdigest()}
        raise ValueError(operation)

    # --- S3 ---

    def s3(self, method, path, headers, body):
        """(status, headers, body)"""
        missing = (404, [("Content-Type", "application/xml")],
                   b'<?xml version="1.0" encoding="UTF-8"?><Error><Code>NoSuchKey</Code><Message>The specified key does not exist.</Message></Error>')
        bucket, _, key = path.lstrip("/").partition("/")
        if bucket == "source" and key.startswith("in/"):
            _, data, md5 = self.source(int(key[3:9]))
            if data is None:
                self.gone += method == "GET"
                return missing
            return 200, [("ETag", f'"{md5}"'), ("Content-Type", "application/octet-stream"), ("Last-Modified", "Mon, 23 Nov 2026 06:00:00 GMT")], data
        if method == "PUT":
            etag = f'"{hashlib.md5(body).hexdigest()}"'
            self.objects[key] = [(name, value) for name, value in headers.items() if name.startswith("x-amz-meta-")] + [("ETag", etag)]
            self.puts += 1
            return 200, [("ETag", etag)], b""
        if key in self.objects:
            return 200, self.objects[key], b""
        return missing

    def stats(self):
        return {"taken": self.next, "ended": len(self.ended), "deleted": self.deleted, "dead": self.dead, "puts": self.puts,
                "renditions": len(self.objects), "held": len(self.held), "duplicates": self.duplicates, "gone": self.gone}

    async def serve(self, reader, writer):
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
                method, path, _ = head[0].split(" ")
                headers = {}
                for line in head[1:]:
                    name, _, value = line.partition(":")
                    headers[name.lower()] = value.strip()
                if headers.get("expect"):
                    writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
                body = await reader.readexactly(int(headers.get("content-length", 0)))
                if path == "/stats":
                    status, more, answer = 200, [], json.dumps(self.stats()).encode()
                elif "x-amz-target" in headers:
                    said = await self.sqs(headers["x-amz-target"].rpartition(".")[2], json.loads(body))
                    status, more, answer = 200, [("Content-Type", "application/x-amz-json-1.0")], json.dumps(said).encode()
                else:
                    path = urllib.parse.unquote(path.partition("?")[0])
                    status, more, answer = self.s3(method, path, headers, body)
                lines = [f"HTTP/1.1 {status} X", "x-amz-request-id: 4442587FB7D0A2F9", f"Content-Length: {len(answer)}"]
                lines += [f"{name}: {value}" for name, value in more]
                writer.write(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + (b"" if method == "HEAD" else answer))
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


async def main():
    service = Service(int(sys.argv[1]))
    server = await asyncio.start_server(service.serve, "127.0.0.1", 0)
    service.port = server.sockets[0].getsockname()[1]
    print(service.port, flush=True)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    asyncio.run(main())
