#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
set -euo pipefail

usage() {
    cat <<'END'
deploy.sh [-p PIPELINE] [-f FILE]... [-b BUCKET] STACK [PARAMETER=VALUE...]: pixmill on AWS Lambda, from nothing to working.

  -p PIPELINE  the pipeline file; config/deploy/pipeline.yaml when not given. The template sets QUEUE_URL, SOURCE_BUCKET and
               DESTINATION_BUCKET for it.
  -f FILE      goes into the function: a plugin's .so among the plugins, all else beside the pipeline file, such as a watermark's image
  -b BUCKET    for what CloudFormation fetches; pixmill-artifacts-ACCOUNT-REGION, made when missing, when not given
  PARAMETER    of template.yaml: MemorySize=3008 AlarmEmail=you@example.com ...

Builds the bundle in build-lambda when it is not there (BUNDLE=FOLDER names another), checks the pipeline, packs, and deploys the stack
with the AWS CLI, with your credentials and region. The same command again updates what is there.
END
}

die() {
    echo "deploy.sh: $1" >&2
    exit "${2:-1}"
}

here=$(cd "$(dirname "$0")" && pwd)
source=$(cd "$here/../../.." && pwd)
pipeline=$here/../pipeline.yaml files=() bucket=
while getopts "p:f:b:h" option; do
    case $option in
    p) pipeline=$OPTARG ;;
    f) files+=("$OPTARG") ;;
    b) bucket=$OPTARG ;;
    h) usage; exit 0 ;;
    *) usage >&2; exit 2 ;;
    esac
done
shift $((OPTIND - 1))
[ $# -ge 1 ] || { usage >&2; exit 2; }
stack=$1
shift
[[ $stack =~ ^[a-z][a-z0-9-]{0,20}$ ]] || die "the stack's name \"$stack\" is not of the form [a-z][a-z0-9-]{0,20}: buckets and queues are named after it" 2
for parameter in "$@"; do
    [[ $parameter == *=* ]] || die "\"$parameter\" is not of the form PARAMETER=VALUE" 2
done
for file in "$pipeline" "${files[@]}"; do
    [ -r "$file" ] || die "$file cannot be read" 2
done
command -v aws >/dev/null 2>&1 || die "the AWS CLI (aws) is missing" 2

bundle=${BUNDLE:-$source/build-lambda/bundle}
if [ ! -x "$bundle/bootstrap" ]; then
    [ -z "${BUNDLE:-}" ] || die "$BUNDLE holds no bootstrap: it is not a bundle" 2
    (cd "$source" && scripts/deps.sh package &&
        cmake -S . -B build-lambda -G Ninja -DCMAKE_BUILD_TYPE=Release -DPIXMILL_TESTS=OFF -DPIXMILL_VIPS=prebuilt &&
        cmake --build build-lambda --target bundle) >&2
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/lambda"
cp -r "$bundle" "$work/function"
cp "$pipeline" "$work/function/pipeline.yaml"
for file in "${files[@]}"; do
    case $file in *.so) cp "$file" "$work/function/lib/pixmill/plugins/" ;; *) cp "$file" "$work/function/" ;; esac
done
chmod -R a+rX "$work/function"

# As the template will set them; what they are does not matter to the check.
(cd "$work/function" && QUEUE_URL=https://sqs.us-east-1.amazonaws.com/123456789012/queue SOURCE_BUCKET=source DESTINATION_BUCKET=destination \
    bin/pixmill validate pipeline.yaml) >&2 || die "the pipeline is not deployed"
cmake -D FOLDER="$work/function" -D OUT="$work/lambda/pixmill-lambda.zip" -P "$source/cmake/make_zip.cmake" >&2
cp "$here/template.yaml" "$work/lambda/"
cp "$here/../storage.yaml" "$work/"

if [ -z "$bucket" ]; then
    account=$(aws sts get-caller-identity --query Account --output text)
    region=${AWS_REGION:-${AWS_DEFAULT_REGION:-$(aws configure get region)}} || die "no region: set AWS_REGION"
    bucket=pixmill-artifacts-$account-$region
    aws s3api head-bucket --bucket "$bucket" 2>/dev/null || aws s3 mb "s3://$bucket" >&2
fi
case $(uname -m) in aarch64) architecture=arm64 ;; *) architecture=x86_64 ;; esac
aws cloudformation package --template-file "$work/lambda/template.yaml" --s3-bucket "$bucket" --s3-prefix "$stack" \
    --output-template-file "$work/packaged.yaml" >/dev/null
aws cloudformation deploy --template-file "$work/packaged.yaml" --stack-name "$stack" --capabilities CAPABILITY_IAM --no-fail-on-empty-changeset \
    --parameter-overrides "Name=$stack" "Architecture=$architecture" "$@"
aws cloudformation describe-stacks --stack-name "$stack" --query 'Stacks[0].Outputs' --output table
