#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# build.sh BUILD [CMAKE-ARGUMENTS...]: pixmill with the prebuilt libvips, as bundle and zip, and the plugins that tests use. Exits 77 with the reason
# on standard error where the prebuilt libvips cannot be had.
set -uo pipefail
build=$1
shift
cd "$(dirname "$0")/../.." || exit 1
log=$(mktemp)
trap 'rm -f "$log"' EXIT
if ! cmake -S . -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=Release -DPIXMILL_WERROR=ON -DPIXMILL_VIPS=prebuilt "$@" >"$log" 2>&1; then
    cat "$log"
    why=$(grep -E 'npm cannot fetch|npm is missing' "$log") || exit 1
    echo "$why" >&2
    exit 77
fi
cmake --build "$build" --target lambda-zip test-plugins
