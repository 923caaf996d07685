#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# hostile.sh BUILD: every malformed image of the corpus through `pixmill apply`: the broker survives, no worker crashes, each
# file ends as renditions or as an error, memory and time are bounded. The last line sums up: "N passed, N failed".
# The corpus is ../shared/corpus/hostile.tar.xz beside the source tree; PIXMILL_SHARED names another place for ../shared.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
build=$(cd "${1:?usage: hostile.sh BUILD}" && pwd)
corpus=${PIXMILL_SHARED:-$here/../../shared}/corpus/hostile.tar.xz
[ -r "$corpus" ] || { echo "skipped: no corpus of hostile images at $corpus"; exit 0; }

folder=$(mktemp -d "${TMPDIR:-/tmp}/pixmill-hostile.XXXXXX")
trap 'rm -rf "$folder"' EXIT
tar -xJf "$corpus" -C "$folder"
status=0
/usr/bin/python3 "$here/hostile.py" "$build" "$folder/hostile" "$folder" || status=$?
exit $status
