#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# run.sh BUILD: the templates, manifests and Dockerfile of config/. Needs what the end-to-end tests need (moto); the manifests' schemas and
# the Dockerfile's linter come from npm and are left out, saying so, where npm or its registry is not at hand. The last line is
# "N passed, N failed".
set -uo pipefail
build=$(realpath "$1") || exit 1
cd "$(dirname "$0")" || exit 1
log=$(mktemp)
trap 'rm -f "$log"' EXIT

modules=$(../e2e/setup.sh 2>"$log")
case $? in
0) ;;
77) echo "skipped: $(tail -n 1 "$log")"; exit 0 ;;
*) cat "$log"; exit 1 ;;
esac

kinds=()
if folder=$(./setup.sh 2>"$log"); then
    kinds=(--modules "$folder")
else
    echo "skipped: the schemas of config/deploy/kubernetes and the linter of config/Dockerfile: $(tail -n 1 "$log")"
fi
PYTHONPATH=$modules PYTHONDONTWRITEBYTECODE=1 timeout 120 /usr/bin/python3 -W ignore check.py "$build" "${kinds[@]}"
