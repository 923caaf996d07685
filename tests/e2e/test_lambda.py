# SPDX-License-Identifier: Apache-2.0
"""pixmill as a Lambda function: every kind of invocation, its answer, and what lies in S3 afterwards."""
import http.client
import json
import time

import pytest

import events
import runtime_api
from world import Running

BAD = b"\xff\xd8\xff\xe0 no picture"
QUEUE_ARN = "arn:aws:sqs:eu-west-1:123456789012:uploads"


class Function:
    """pixmill, started as Lambda starts it."""

    def __init__(self, world, **environment):
        self.world, self.api = world, runtime_api.RuntimeApi()
        if not (world.folder / "p.yaml").exists():
            world.pipeline()
        env = world.environment(AWS_LAMBDA_RUNTIME_API=self.api.host, AWS_LAMBDA_LOG_FORMAT="JSON", _HANDLER="p.yaml",
                                LAMBDA_TASK_ROOT=str(world.folder),
                                PIXMILL_PLUGIN_PATH=f"{world.build}/plugins:{world.build}/test-plugins", **environment)
        self.running = Running([str(world.build / "bin" / "pixmill")], env, world.folder)
        world.running.append(self.running)

    def invoke(self, event, **more):
        return self.api.invoke(event, **more)

    def end(self):
        finished = self.running.terminate(10)
        self.api.close()
        assert self.api.violations == []
        return finished


@pytest.fixture
def function(world):
    made = []

    def make(**environment):
        made.append(Function(world, **environment))
        return made[-1]
    yield make
    for one in made:
        one.api.close()


def message(number, body, arn=QUEUE_ARN, receives=1):
    return {"messageId": f"m{number}", "receiptHandle": "AQEBwJnKyrHigUMZj6rYigCgxlaS3SLy0a", "body": body,
            "attributes": {"ApproximateReceiveCount": str(receives), "SentTimestamp": "1545082649183", "MessageGroupId": "g"},
            "messageAttributes": {}, "md5OfBody": "-", "eventSource": "aws:sqs", "eventSourceARN": arn, "awsRegion": "eu-west-1"}


def batch(*bodies, **more):
    return {"Records": [message(number, body, **more) for number, body in enumerate(bodies, 1)]}


def failed(answer):
    assert answer.kind == "response", answer.raw
    return [one["itemIdentifier"] for one in answer.json["batchItemFailures"]]


def test_a_batch_names_its_failures(world, function):
    good, bad = world.upload("in/good.jpg"), world.upload("in/bad.jpg", BAD)
    aside = world.upload("in/aside.jpg")
    gone = world.upload("in/gone.jpg")
    world.s3.delete_object(Bucket=world.source, Key=gone.key)
    lambda_ = function()
    answer = lambda_.invoke(batch(events.aws(good), events.aws(bad), events.sns(events.aws(aside)), "no event", events.aws(gone),
                                  events.aws(good)))
    assert failed(answer) == ["m2", "m4"]
    assert world.keys() == ["out/aside.jpg.jpg", "out/good.jpg.jpg"]
    assert world.get("out/good.jpg.jpg")["Image"].size == (64, 48)
    assert failed(lambda_.invoke(batch(events.eventbridge(good)))) == []
    lambda_.end()


def test_the_whole_batch_can_fail(world, function):
    good, bad = world.upload("in/good.jpg"), world.upload("in/bad.jpg", BAD)
    world.pipeline()
    pipeline = json.loads((world.folder / "p.yaml").read_text())
    pipeline["trigger"]["lambda"] = {"report_batch_item_failures": False}
    (world.folder / "p.yaml").write_text(json.dumps(pipeline))
    lambda_ = function()
    answer = lambda_.invoke(batch(events.aws(good), events.aws(bad)))
    assert answer.type == "Pixmill.BatchFailed"
    assert "1 of 2 messages failed; m2: " in answer.message
    assert failed(lambda_.invoke(batch(events.aws(good)))) == []
    lambda_.end()


def test_a_dead_letter_queue_takes_what_can_never_work(world, function):
    bad = world.upload("in/bad.jpg", BAD)
    world.pipeline(trigger={"dead_letter_url": world.dead_url})
    lambda_ = function()
    assert failed(lambda_.invoke(batch(events.aws(bad)))) == []
    [letter] = world.dead()
    assert (letter.reason, letter.source) == ("bad_input", f"s3://{world.source}/in/bad.jpg")
    assert json.loads(letter.body) == json.loads(events.aws(bad))
    lambda_.end()


def test_a_fifo_batch_stops_at_its_first_failure(world, function):
    uploads = [world.upload("in/1.jpg"), world.upload("in/2.jpg", BAD), world.upload("in/3.jpg")]
    lambda_ = function()
    answer = lambda_.invoke(batch(*map(events.aws, uploads), arn=QUEUE_ARN + ".fifo"))
    assert failed(answer) == ["m2", "m3"]
    assert world.keys() == ["out/1.jpg.jpg"]
    lambda_.end()


def test_uploads_told_without_a_queue(world, function):
    """Nobody reads the answer; but a failure must be one, so that Lambda tries again and tells its destination."""
    lambda_ = function()
    forms = {"s3": lambda u: json.loads(events.aws(u)), "eventbridge": lambda u: json.loads(events.eventbridge(u)),
             "sns": lambda u: {"Records": [{"EventSource": "aws:sns", "EventVersion": "1.0", "EventSubscriptionArn": "arn:x",
                                            "Sns": {"Type": "Notification", "MessageId": "1", "Message": events.aws(u)}}]}}
    for name, form in forms.items():
        answer = lambda_.invoke(form(world.upload(f"in/{name}.jpg")))
        assert [one["status"] for one in answer.json["results"]] == ["ok"]
        assert f"out/{name}.jpg.jpg" in world.keys()
        answer = lambda_.invoke(form(world.upload(f"in/{name}-bad.jpg", BAD)))
        assert (answer.kind, answer.type) == ("error", "Pixmill.BadInput")
    lambda_.end()


@pytest.mark.parametrize("version", ["1.0", "2.0"])
def test_batch_operations(world, function, version):
    world.upload("in/a b.jpg"), world.upload("in/bad.jpg", BAD)
    bucket = {"s3BucketArn": f"arn:aws:s3:::{world.source}"} if version == "1.0" else {"s3Bucket": world.source}
    keys = ["in/a+b.jpg", "in/bad.jpg", "in/none.jpg", "elsewhere/x.jpg"]
    lambda_ = function()
    answer = lambda_.invoke({"invocationSchemaVersion": version, "invocationId": "YXNkbGZqYWRmaiBhc2", "job": {"id": "f3cc4f60"},
                             "tasks": [{"taskId": f"t{i}", "s3Key": key, "s3VersionId": None, **bucket} for i, key in enumerate(keys)]})
    assert answer.json["invocationSchemaVersion"] == version
    assert answer.json["invocationId"] == "YXNkbGZqYWRmaiBhc2"
    assert answer.json["treatMissingKeysAs"] == "PermanentFailure"
    assert [one["taskId"] for one in answer.json["results"]] == ["t0", "t1", "t2", "t3"]
    assert [one["resultCode"] for one in answer.json["results"]] == ["Succeeded"] + ["PermanentFailure"] * 3
    assert answer.json["results"][0]["resultString"] == f"s3://{world.target}/out/a b.jpg.jpg"
    lambda_.end()


def test_an_object_by_name(world, function):
    world.upload("in/a.jpg"), world.upload("in/bad.jpg", BAD)
    lambda_ = function()
    answer = lambda_.invoke({"bucket": world.source, "key": "in/a.jpg"})
    assert (answer.json["status"], answer.json["facts"]["width"]) == ("ok", "320")
    assert [one["location"] for one in answer.json["outputs"]] == [f"s3://{world.target}/out/a.jpg.jpg"]
    assert lambda_.invoke({"bucket": world.source, "key": "in/bad.jpg"}).type == "Pixmill.BadInput"
    refused = lambda_.invoke({"bucket": "other", "key": "in/a.jpg"})
    assert refused.type == "Pixmill.BadInput" and "not in source.s3.buckets" in refused.message
    answer = lambda_.invoke([{"bucket": world.source, "key": f"in/{name}.jpg"} for name in ("a", "bad", "none")])
    assert [one["status"] for one in answer.json["results"]] == ["ok", "bad_input", "skipped"]
    lambda_.end()


def test_what_is_no_event(world, function):
    lambda_ = function()
    for event in ({"hello": 1}, [], "text", b"no json", {"bucket": "x"}):
        answer = lambda_.invoke(event)
        assert (answer.kind, answer.type) == ("error", "Pixmill.UnknownEvent"), event
    lambda_.end()


def test_too_large_an_answer(world, function):
    lambda_ = function()
    many = [{"bucket": "other", "key": "k" * 500}] * 9000
    assert lambda_.invoke(many, timeout=30).type == "Pixmill.ResponseTooLarge"
    lambda_.end()


def test_the_deadline_ends_what_is_not_finished(world, function):
    world.pipeline(steps=[{"fault-slow": {"time": "20s"}, "when": {"name": "slow.jpg"}}], limits={"wall_time": "30s"})
    slow, quick = world.upload("in/slow.jpg"), world.upload("in/quick.jpg")
    lambda_ = function()
    began = time.monotonic()
    assert failed(lambda_.invoke(batch(events.aws(slow), events.aws(quick)), timeout=4)) == ["m1"]
    assert time.monotonic() - began < 4
    answer = lambda_.invoke({"bucket": world.source, "key": "in/slow.jpg"}, timeout=3)
    assert (answer.kind, answer.type) == ("error", "Pixmill.Deadline")
    assert failed(lambda_.invoke(batch(events.aws(quick)))) == []
    lambda_.end()


@pytest.mark.parametrize("drop", [False, True])
def test_a_freeze_between_invocations(world, function, drop):
    upload = world.upload("in/a.jpg")
    lambda_ = function()
    assert failed(lambda_.invoke(batch(events.aws(upload)))) == []
    lambda_.api.freeze(lambda_.running.process.pid, 2, drop)
    assert failed(lambda_.invoke(batch(events.aws(upload)))) == []
    lambda_.end()


def test_an_idle_function_waits(world, function):
    """Longer than any connection may be silent elsewhere: the next event may come in an hour."""
    upload = world.upload("in/a.jpg")
    lambda_ = function()
    assert lambda_.api.next_asked.wait(30)
    time.sleep(12)
    assert len(lambda_.api._waiting) == 1, "it asked again"
    assert failed(lambda_.invoke(batch(events.aws(upload)))) == []
    lambda_.end()


def test_sigterm_ends_it_at_once(world, function):
    world.pipeline(steps=[{"fault-slow": {"time": "20s"}}], limits={"wall_time": "30s"})
    idle = function()
    assert idle.api.next_asked.wait(10)
    began = time.monotonic()
    assert idle.end().code == 0 and time.monotonic() - began < 2
    busy = function()
    world.upload("in/slow.jpg")
    with pytest.raises(TimeoutError):
        busy.invoke({"bucket": world.source, "key": "in/slow.jpg"}, timeout=20, patience=2)
    began = time.monotonic()
    assert busy.end().code == 0 and time.monotonic() - began < 2


def test_a_file_that_is_wrong_is_told_before_the_first_invocation(world, function):
    (world.folder / "p.yaml").write_text("version: 1\noutputz: {}\n")
    lambda_ = function()
    assert lambda_.running.wait(20).code == 2
    [error] = lambda_.api.init_errors
    assert error.type == "Pixmill.BadConfig"
    assert f"{world.folder}/p.yaml:2:1: unknown key \"outputz\"" in error.message
    assert lambda_.api.violations == []


def test_parameters_that_are_wrong_are_told_to_the_first_invocation(world, function):
    """Its objects are on their way already."""
    world.pipeline(steps=[{"resize": {"width": -1}}])
    world.upload("in/a.jpg")
    lambda_ = function()
    answer = lambda_.invoke({"bucket": world.source, "key": "in/a.jpg"})
    assert (answer.kind, answer.type) == ("error", "Pixmill.BadConfig")
    assert "resize: width -1 is below 1" in answer.message
    assert lambda_.running.wait(20).code == 2
    assert lambda_.api.violations == []


def check_emf(line):
    """As the specification of the embedded metric format asks."""
    aws = line["_aws"]
    assert abs(aws["Timestamp"] / 1000 - time.time()) < 600
    for directive in aws["CloudWatchMetrics"]:
        assert directive["Namespace"] == "pixmill" and len(directive["Metrics"]) <= 100
        for metric in directive["Metrics"]:
            values = line[metric["Name"]]
            values = values if isinstance(values, list) else [values]
            assert 0 < len(values) <= 100 and all(isinstance(value, (int, float)) for value in values)
        for names in directive["Dimensions"]:
            assert len(names) <= 30
            for name in names:
                assert name in ("Pipeline", "Step", "Status") and isinstance(line[name], str)


def test_logs_and_metrics(world, function):
    upload = world.upload("in/secret-name.jpg")
    bad = world.upload("in/bad.jpg", BAD)
    lambda_ = function()
    lambda_.invoke(batch(*[events.aws(upload)] * 150, events.aws(bad)), timeout=30)
    said = lambda_.end()
    metrics = [json.loads(line) for line in said.out.splitlines()]
    for line in metrics:
        check_emf(line)
        assert world.source not in json.dumps(line) and "secret-name" not in json.dumps(line)
    assert sum(line.get("Messages", 0) for line in metrics) == 151
    failed_ones = [line for line in said.err.splitlines() if '"image.failed"' in line or '"image.retry"' in line]
    assert sum(line.get("Failures", 0) for line in metrics if "Status" not in line) == 1, failed_ones
    assert [line["Status"] for line in metrics if "Status" in line] == ["bad_input"]
    assert sum(len(line.get("Latency", [])) for line in metrics) == 151
    assert {line["Step"] for line in metrics if "Step" in line} == {"resize", "convert"}
    log = [json.loads(line) for line in said.err.splitlines()]
    assert all({"timestamp", "level", "event"} <= set(line) for line in log)
    [end] = [line for line in log if line["event"] == "invocation.done"]
    assert end["requestId"].endswith("000000000001") and end["traceId"].startswith("Root=1-")
    assert world.peers.secret_key not in said.out + said.err


def test_log_settings(world, function):
    quiet = function(AWS_LAMBDA_LOG_LEVEL="WARN")
    quiet.invoke({"bucket": world.source, "key": "in/none.jpg"})
    assert quiet.end().err == ""


def test_the_stand_in_is_strict():
    """Or else it would prove nothing."""
    api = runtime_api.RuntimeApi()
    link = http.client.HTTPConnection(api.host)

    def post(path, body, **headers):
        link.request("POST", runtime_api.PREFIX + path, body, headers)
        answer = link.getresponse()
        answer.read()
        return answer.status

    error = json.dumps({"errorMessage": "m", "errorType": "T", "stackTrace": []})
    assert post("/invocation/1/response", "{}") == 400
    assert post("/init/error", "{}") == 400
    assert post("/init/error", error) == 400  # without the header
    assert post("/init/error", error, **{"Lambda-Runtime-Function-Error-Type": "T"}) == 202
    assert post("/nothing", "{}") == 404
    assert len(api.violations) == 4 and len(api.init_errors) == 1
    api.close()


def test_outside_of_lambda_the_trigger_is_missed(world):
    world.pipeline()
    pipeline = json.loads((world.folder / "p.yaml").read_text())
    pipeline["trigger"] = {"lambda": {}}
    (world.folder / "p.yaml").write_text(json.dumps(pipeline))
    finished = world.run(code=2)
    assert "trigger: lambda works only inside AWS Lambda" in finished.err
