# SPDX-License-Identifier: Apache-2.0
"""A Lambda function in Python, with its own loop over the Runtime API: S3 object in, 300x300 JPEG out (boto3 and Pillow). With DRAFT the decoder
shrinks, which few handlers ask for."""
import io
import json
import os
import pathlib
import urllib.parse
import urllib.request

import boto3
from botocore.config import Config
from PIL import Image, ImageOps

API = f"http://{os.environ['AWS_LAMBDA_RUNTIME_API']}/2018-06-01/runtime/invocation"
s3 = boto3.client("s3", endpoint_url=os.environ["AWS_ENDPOINT_URL_S3"], region_name=os.environ["AWS_REGION"],
                  config=Config(s3={"addressing_style": "path"}))


def handle(event):
    for message in event["Records"]:
        for record in json.loads(message["body"])["Records"]:
            bucket, key = record["s3"]["bucket"]["name"], urllib.parse.unquote_plus(record["s3"]["object"]["key"])
            image = Image.open(io.BytesIO(s3.get_object(Bucket=bucket, Key=key)["Body"].read()))
            if os.environ.get("DRAFT"):
                image.draft("RGB", (600, 600))
            image = ImageOps.fit(ImageOps.exif_transpose(image).convert("RGB"), (300, 300), Image.Resampling.LANCZOS)
            out = io.BytesIO()
            image.save(out, "JPEG", quality=80)
            s3.put_object(Bucket=os.environ["TARGET"], Key=pathlib.Path(key).stem + ".jpg", Body=out.getvalue(), ContentType="image/jpeg")
    return {"batchItemFailures": []}


while True:
    with urllib.request.urlopen(f"{API}/next") as asked:
        request, event = asked.headers["Lambda-Runtime-Aws-Request-Id"], json.load(asked)
    answer = json.dumps(handle(event)).encode()
    urllib.request.urlopen(urllib.request.Request(f"{API}/{request}/response", answer, {"Content-Type": "application/json"})).close()
