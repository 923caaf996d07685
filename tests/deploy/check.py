#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""check.py BUILD [--modules NODE_MODULES]: what config/deploy/ must keep to, and for each rule a copy broken on purpose that the rule finds.

The last line is "N passed, N failed".
"""
import argparse
import copy
import io
import json
import logging
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import zipfile

import yaml

HERE = pathlib.Path(__file__).resolve().parent
DEPLOY = HERE.parent.parent / "config" / "deploy"
REGION = "us-east-1"
ACCOUNT = "123456789012"
NAMES = {"QUEUE_URL": f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/pixmill-uploads",
         "SOURCE_BUCKET": f"pixmill-source-{ACCOUNT}-{REGION}", "DESTINATION_BUCKET": f"pixmill-destination-{ACCOUNT}-{REGION}"}
STORAGE, LAMBDA, FARGATE = "storage.yaml", "lambda/template.yaml", "fargate/template.yaml"


class Loader(yaml.SafeLoader):
    """CloudFormation's short forms, as their long ones."""


def short_form(loader, suffix, node):
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        value = loader.construct_mapping(node, deep=True)
    if suffix == "GetAtt" and isinstance(value, str):
        value = value.split(".", 1)
    return {suffix if suffix in ("Ref", "Condition") else f"Fn::{suffix}": value}


Loader.add_multi_constructor("!", short_form)


def walk(node):
    yield node
    for child in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from walk(child)


def of_type(template, kind):
    return {name: one for name, one in template["Resources"].items() if one["Type"] == kind}


def statements(template):
    for name, one in template["Resources"].items():
        for node in walk(one.get("Properties", {})):
            if isinstance(node, dict) and "Effect" in node:
                yield one["Type"], name, node


def every(value):
    return value if isinstance(value, list) else [value]


# Each rule takes all templates by name and yields what is wrong.

def references(templates):
    for file, template in templates.items():
        known = set(template["Resources"]) | set(template.get("Parameters", {}))
        for node in walk(template):
            names = []
            if isinstance(node, dict) and len(node) == 1:
                (key, value), = node.items()
                if key == "Ref":
                    names = [value]
                elif key == "Fn::GetAtt":
                    names = [value[0]]
                    if value[0] == "Storage" and value[1].split(".")[1] not in templates[STORAGE]["Outputs"]:
                        yield f"{file}: no output {value[1]}"
                elif key == "Fn::Sub" and isinstance(value, str):
                    names = re.findall(r"\$\{([^!}]+)\}", value)
                    for output in re.findall(r"\$\{Storage\.Outputs\.(\w+)\}", value):
                        if output not in templates[STORAGE]["Outputs"]:
                            yield f"{file}: no output {output}"
                    names = [name.split(".")[0] for name in names]
                elif key == "Fn::If" and value[0] not in template.get("Conditions", {}):
                    yield f"{file}: no condition {value[0]}"
            for name in names:
                if not name.startswith("AWS::") and name not in known:
                    yield f"{file}: nothing is named {name}"


def wildcards(templates):
    for file, template in templates.items():
        for kind, name, one in statements(template):
            if one["Effect"] != "Allow":
                continue
            for action in every(one["Action"]):
                if "*" in action:
                    yield f"{file}: {name}: action {action}"
            if kind == "AWS::IAM::Role":
                for resource in every(one.get("Resource", [])):
                    if resource == "*" or isinstance(resource, dict) and resource.get("Fn::Sub", "") in ("*", "arn:${AWS::Partition}:s3:::*"):
                        yield f"{file}: {name}: any resource"


def public(templates):
    allowed = {"UploadIsPublic": ("s3:PutObject", "/incoming/*"), "ReadIsPublic": ("s3:GetObject", "/processed/*")}
    for name, one in of_type(templates[STORAGE], "AWS::S3::BucketPolicy").items():
        for statement in one["Properties"]["PolicyDocument"]["Statement"]:
            if "Fn::If" not in statement:
                if statement["Effect"] == "Allow":
                    yield f"{name}: public without a condition"
                continue
            condition, then, _ = statement["Fn::If"]
            action, place = allowed[condition]
            if then["Action"] != action or not then["Resource"]["Fn::Sub"].endswith(place):
                yield f"{name}: more than {action} on {place} is public"
    if templates[STORAGE]["Parameters"]["PublicUpload"]["Default"] != "false" or templates[LAMBDA]["Parameters"]["PublicUpload"]["Default"] != "false" \
            or templates[FARGATE]["Parameters"]["PublicUpload"]["Default"] != "false":
        yield "uploads are public by default"


def https_only(templates):
    for name, one in of_type(templates[STORAGE], "AWS::S3::BucketPolicy").items():
        if not any(s.get("Effect") == "Deny" and s.get("Condition") == {"Bool": {"aws:SecureTransport": "false"}}
                   and s["Action"] == "s3:*" and s["Principal"] == "*" for s in one["Properties"]["PolicyDocument"]["Statement"]):
            yield f"{name}: plain HTTP is let in"


def encrypted(templates):
    for name, one in of_type(templates[STORAGE], "AWS::S3::Bucket").items():
        if "BucketEncryption" not in one["Properties"]:
            yield f"{name}: not encrypted"
    for name, one in of_type(templates[STORAGE], "AWS::SQS::Queue").items():
        if one["Properties"].get("SqsManagedSseEnabled") is not True:
            yield f"{name}: not encrypted"


def queue(templates):
    resources = templates[STORAGE]["Resources"]
    redrive = resources["Queue"]["Properties"].get("RedrivePolicy", {})
    if redrive.get("deadLetterTargetArn") != {"Fn::GetAtt": ["DeadLetters", "Arn"]}:
        yield "the queue has no dead letters"
    condition = resources["QueuePolicy"]["Properties"]["PolicyDocument"]["Statement"][0].get("Condition", {})
    if "aws:SourceArn" not in condition.get("ArnEquals", {}) or "aws:SourceAccount" not in condition.get("StringEquals", {}):
        yield "others may send to the queue"


def visibility(templates):
    template = templates[LAMBDA]
    table = template["Mappings"]["Visibility"]
    for seconds in template["Parameters"]["Timeout"]["AllowedValues"]:
        if table.get(seconds, {}).get("Seconds", 0) < 6 * int(seconds):
            yield f"visibility is below six times a timeout of {seconds} s"
    if template["Resources"]["Storage"]["Properties"]["Parameters"]["VisibilityTimeout"] != {"Fn::FindInMap": ["Visibility", {"Ref": "Timeout"}, "Seconds"]}:
        yield "visibility does not follow the timeout"


def partial_failures(templates):
    trigger = templates[LAMBDA]["Resources"]["Trigger"]["Properties"]
    if trigger.get("FunctionResponseTypes") != ["ReportBatchItemFailures"]:
        yield "answers about single messages are ignored"
    if "MaximumConcurrency" not in trigger.get("ScalingConfig", {}):
        yield "concurrency is unbounded"


def locked_in(templates):
    container = templates[FARGATE]["Resources"]["Task"]["Properties"]["ContainerDefinitions"][0]
    if container.get("ReadonlyRootFilesystem") is not True or container.get("User", "0").startswith(("0", "root")):
        yield "the container may write or is root"
    command = container["Command"]
    grace = int(command[command.index("--grace") + 1].rstrip("s"))
    if container.get("StopTimeout", 30) <= grace:
        yield "the container is killed inside its grace time"
    if container["HealthCheck"]["Command"] != ["CMD", "pixmill", "alive", command[1]]:
        yield "the health check does not ask the process that runs"
    yield from not_json(command)


def not_json(command):
    if "--json" not in command or ("--log-format", "json") not in zip(command, command[1:]):
        yield "results and log are not JSON"


def workload(documents):
    """The Deployment of kubernetes/workload.yaml."""
    [deployment] = [one for one in documents if one["kind"] == "Deployment"]
    [container] = deployment["spec"]["template"]["spec"]["containers"]
    yield from not_json(container["args"])
    for probe in ("startupProbe", "livenessProbe"):
        if container.get(probe, {}).get("exec", {}).get("command") != ["pixmill", "alive", container["args"][1]]:
            yield f"the {probe} does not ask the process that runs"


def change(*path):
    """A copy in which the last step of `path` is set, or removed when None."""
    *steps, last, value = path

    def broken(templates):
        node = copied = copy.deepcopy(templates)
        for step in steps:
            node = node[step]
        if value is None:
            del node[last]
        else:
            node[last] = value
        return copied
    return broken


ROLE = (LAMBDA, "Resources", "Role", "Properties", "Policies", 0, "PolicyDocument", "Statement", 0)
DESTINATION = (STORAGE, "Resources", "DestinationPolicy", "Properties", "PolicyDocument", "Statement")
RULES = [
    (references, change(LAMBDA, "Resources", "Trigger", "Properties", "FunctionName", {"Ref": "Functoin"})),
    (references, change(STORAGE, "Outputs", "QueueArn", None)),
    (wildcards, change(*ROLE, "Action", ["s3:*"])),
    (wildcards, change(*ROLE, "Resource", "*")),
    (public, change(STORAGE, "Parameters", "PublicUpload", "Default", "true")),
    (public, change(*DESTINATION, 1, "Fn::If", 1, "Action", "s3:PutObject")),
    (https_only, change(*DESTINATION, 0, "Condition", "Bool", "aws:SecureTransport", "true")),
    (encrypted, change(STORAGE, "Resources", "Queue", "Properties", "SqsManagedSseEnabled", False)),
    (queue, change(STORAGE, "Resources", "Queue", "Properties", "RedrivePolicy", None)),
    (queue, change(STORAGE, "Resources", "QueuePolicy", "Properties", "PolicyDocument", "Statement", 0, "Condition", "StringEquals", None)),
    (visibility, change(LAMBDA, "Mappings", "Visibility", "120", "Seconds", 719)),
    (partial_failures, change(LAMBDA, "Resources", "Trigger", "Properties", "FunctionResponseTypes", None)),
    (locked_in, change(FARGATE, "Resources", "Task", "Properties", "ContainerDefinitions", 0, "StopTimeout", 60)),
]


class Tally:
    def __init__(self):
        self.passed = self.failed = 0

    def note(self, name, wrong):
        wrong = list(wrong)
        self.passed += not wrong
        self.failed += bool(wrong)
        for line in wrong:
            print(f"FAIL {name}: {line}")


def put_in(node, outputs):
    """`node` with what the nested stack puts out instead of references to it."""
    if isinstance(node, dict):
        target = node.get("Fn::GetAtt")
        if target and target[0] == "Storage":
            return outputs[target[1].split(".")[1]]
        return {key: put_in(value, outputs) for key, value in node.items()}
    if isinstance(node, list):
        return [put_in(value, outputs) for value in node]
    if isinstance(node, str):
        return re.sub(r"\$\{Storage\.Outputs\.(\w+)\}", lambda match: outputs[match[1]], node)
    return node


def create(templates):
    """The stacks of storage.yaml and lambda/template.yaml, created by moto (which knows no policies and alarms). Yields what is wrong."""
    import types
    # moto's API Gateway wants these; nothing here uses them, and Debian's package does not ask for them.
    for name, wanted in (("openapi_spec_validator", "validate_spec"), ("openapi_spec_validator.validation", "exceptions"),
                         ("openapi_spec_validator.validation.exceptions", "OpenAPIValidationError")):
        try:
            __import__(name)
        except ImportError:
            sys.modules[name] = types.ModuleType(name)
            setattr(sys.modules[name], wanted, type(wanted, (Exception,), {}))
    import boto3
    import moto
    os.environ.update(AWS_ACCESS_KEY_ID="none", AWS_SECRET_ACCESS_KEY="none", AWS_DEFAULT_REGION=REGION)
    with (moto.mock_aws if hasattr(moto, "mock_aws") else moto.mock_all)():
        s3 = boto3.client("s3")
        s3.create_bucket(Bucket="artifacts")
        archive = io.BytesIO()
        with zipfile.ZipFile(archive, "w") as one:
            one.writestr("bootstrap", "")
        s3.put_object(Bucket="artifacts", Key="code.zip", Body=archive.getvalue())
        stacks = boto3.client("cloudformation")

        def stack(name, template, parameters):
            stacks.create_stack(StackName=name, TemplateBody=json.dumps(template), Capabilities=["CAPABILITY_IAM"],
                                Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()])
            return {one["OutputKey"]: one["OutputValue"] for one in stacks.describe_stacks(StackName=name)["Stacks"][0].get("Outputs", [])}

        # moto's nested stacks have no outputs: the nested one is created first, and its outputs are put in.
        template = copy.deepcopy(templates[LAMBDA])
        nested = template["Resources"].pop("Storage")["Properties"]["Parameters"]
        storage = stack("storage", templates[STORAGE], {"Name": "pixmill", "VisibilityTimeout": "360", "PublicRead": "true"})
        if set(nested) - set(templates[STORAGE]["Parameters"]):
            yield f"the nested stack takes {nested}"
        template["Resources"]["Function"]["Properties"]["Code"] = {"S3Bucket": "artifacts", "S3Key": "code.zip"}
        outputs = stack("pixmill", put_in(template, storage), {})
        sqs = boto3.client("sqs")
        attributes = sqs.get_queue_attributes(QueueUrl=outputs["QueueUrl"], AttributeNames=["All"])["Attributes"]
        if attributes["VisibilityTimeout"] != "360" or "RedrivePolicy" not in attributes:
            yield f"the queue is {attributes}"
        function = boto3.client("lambda")
        settings = function.get_function_configuration(FunctionName=outputs["Function"])
        if settings["Environment"]["Variables"]["QUEUE_URL"] != outputs["QueueUrl"] or settings["Handler"] != "pipeline.yaml":
            yield f"the function is {settings}"
        if len(function.list_event_source_mappings(FunctionName=outputs["Function"])["EventSourceMappings"]) != 1:
            yield "nothing triggers the function"
        s3.head_bucket(Bucket=outputs["DestinationBucket"])


def created(templates):
    try:
        yield from create(templates)
    except Exception as error:  # whatever moto raises about a template
        yield f"{type(error).__name__}: {error}"


def resolve(value):
    """An ARN of a role's statement, with the names that the templates give."""
    text = value["Fn::Sub"] if "Fn::Sub" in value else {"QueueArn": "queue", "DeadLettersArn": "dead"}[value["Fn::GetAtt"][1].split(".")[1]]
    text = text.replace("${AWS::Partition}", "aws").replace("${Storage.Outputs.SourceBucket}", NAMES["SOURCE_BUCKET"])
    text = text.replace("${Storage.Outputs.DestinationBucket}", NAMES["DESTINATION_BUCKET"])
    return text.replace("queue", f"arn:aws:sqs:{REGION}:{ACCOUNT}:pixmill-uploads")


def same_rights(role, printed):
    mine = {one["Sid"]: one for one in role["Properties"]["Policies"][0]["PolicyDocument"]["Statement"]}
    theirs = {one["Sid"]: one for one in printed["Statement"]}
    if set(mine) != set(theirs):
        yield f"statements {sorted(mine)}, pixmill iam prints {sorted(theirs)}"
    for sid in set(mine) & set(theirs):
        if sorted(every(mine[sid]["Action"])) != sorted(every(theirs[sid]["Action"])):
            yield f"{sid}: {mine[sid]['Action']}, pixmill iam prints {theirs[sid]['Action']}"
        if mine[sid].get("Condition") != theirs[sid].get("Condition"):
            yield f"{sid}: condition {mine[sid].get('Condition')}, pixmill iam prints {theirs[sid].get('Condition')}"
        # A log group and a dead-letter queue are not named by the pipeline file.
        if sid not in ("WriteLogs", "DeadLetters") and [resolve(one) for one in every(mine[sid]["Resource"])] != every(theirs[sid]["Resource"]):
            yield f"{sid}: {mine[sid]['Resource']}, pixmill iam prints {theirs[sid]['Resource']}"


def rights(pixmill, templates, tally):
    if subprocess.run([pixmill, "iam", "--help"], capture_output=True).returncode != 0:
        print("skipped: rights against `pixmill iam`: this build has no such command")
        return
    for file, role, target in ((LAMBDA, "Role", "lambda"), (FARGATE, "TaskRole", "container")):
        done = subprocess.run([pixmill, "iam", str(DEPLOY / "pipeline.yaml"), "--for", target], capture_output=True, text=True,
                              env={**os.environ, **NAMES})
        if done.returncode != 0:
            tally.note(f"iam {target}", [done.stderr])
            continue
        printed = json.loads(done.stdout)
        tally.note(f"rights {target}", same_rights(templates[file]["Resources"][role], printed))
        printed["Statement"][0]["Action"] = ["s3:DeleteObject"]
        tally.note(f"rights {target}, broken", () if list(same_rights(templates[file]["Resources"][role], printed)) else ["not found"])


def manifests(modules, tally):
    files = sorted((DEPLOY / "kubernetes").glob("*.yaml"))
    run = lambda *names: subprocess.run(["node", str(HERE / "kubernetes.mjs"), modules, *map(str, names)], capture_output=True, text=True)
    done = run(*files)
    tally.note("kubernetes", [done.stderr] if done.returncode else ())
    with tempfile.TemporaryDirectory() as folder:
        for name, old, new in (("workload.yaml", "terminationGracePeriodSeconds: 110", "terminationGracePeriodSeconds: soon"),
                               ("scaling.yaml", "scaleTargetRef: { name: pixmill }", "scaleTargetRef: [pixmill]")):
            text = (DEPLOY / "kubernetes" / name).read_text()
            broken = pathlib.Path(folder, name)
            broken.write_text(text.replace(old, new))
            done = run(broken)
            tally.note(f"{name}, broken", () if old in text and done.returncode == 1 and "must be" in done.stderr else [f"not found: {done.stderr}"])


def dockerfile(modules, tally):
    run = lambda name: subprocess.run(["node", str(HERE / "dockerfile.cjs"), modules, str(name)], capture_output=True, text=True)
    file = DEPLOY.parent / "Dockerfile"
    tally.note("Dockerfile", run(file).stderr.splitlines())
    with tempfile.TemporaryDirectory() as folder:
        broken = pathlib.Path(folder, "Dockerfile")
        broken.write_text(file.read_text().replace("--interval=15s", "--interval=15x"))
        tally.note("Dockerfile, broken", () if "unknown unit x" in run(broken).stderr else ["not found"])


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("build")
    parser.add_argument("--modules")
    arguments = parser.parse_args()
    pixmill = str(pathlib.Path(arguments.build, "bin", "pixmill"))
    texts = {name: (DEPLOY / name).read_text() for name in (STORAGE, LAMBDA, FARGATE)}
    templates = {name: yaml.load(text, Loader) for name, text in texts.items()}
    logging.disable(logging.WARNING) # moto tells of every resource that it leaves out
    tally = Tally()
    for rule in dict.fromkeys(rule for rule, _ in RULES):
        tally.note(rule.__name__, rule(templates))
    for rule, broken in RULES:
        tally.note(f"{rule.__name__}, broken", () if list(rule(broken(templates))) else ["not found"])
    tally.note("moto", created(templates))
    bad = change(STORAGE, "Resources", "Queue", "Properties", "VisibilityTimeout", 30)(templates)
    tally.note("moto, broken", () if any("the queue is" in line for line in created(bad)) else ["not found"])
    done = subprocess.run([pixmill, "validate", str(DEPLOY / "pipeline.yaml")], capture_output=True, text=True, env={**os.environ, **NAMES})
    tally.note("pipeline", [done.stderr] if done.returncode else ())
    rights(pixmill, templates, tally)
    text = (DEPLOY / "kubernetes" / "workload.yaml").read_text()
    tally.note("workload", workload(yaml.safe_load_all(text)))
    for old, new in (("pixmill, alive,", "pixmill, validate,"), (", --json", "")):
        tally.note(f"workload without {old}", () if old in text and list(workload(yaml.safe_load_all(text.replace(old, new)))) else ["not found"])
    if arguments.modules:
        manifests(arguments.modules, tally)
        dockerfile(arguments.modules, tally)
    print(f"{tally.passed} passed, {tally.failed} failed")
    return tally.failed != 0


if __name__ == "__main__":
    sys.exit(main())
