#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# demo.sh [FOLDER]: installs what is needed, builds pixmill, and mills the images in FOLDER (or a dozen made-up ones) through
# config/demo.yaml. Everything it makes lies in demo-out/; FOLDER is only read.
set -euo pipefail
cd "$(dirname "$0")"
folder=${1:-}
[ -z "$folder" ] || [ -d "$folder" ] || { echo "demo.sh: $folder is no folder" >&2; exit 2; }

scripts/deps.sh build

echo "Building ..."
cmake -S . -B build-release -G Ninja -DCMAKE_BUILD_TYPE=RelWithDebInfo -DPIXMILL_TESTS=OFF >build-release.log 2>&1 &&
    cmake --build build-release >>build-release.log 2>&1 || { tail -n 40 build-release.log >&2; exit 1; }
rm -f build-release.log

export PIXMILL_DEMO=$PWD/demo-out
rm -rf demo-out
mkdir -p demo-out/in
if [ -n "$folder" ]; then
    cp -R "$folder/." demo-out/in/
else
    /usr/bin/python3 tests/samples/make.py --demo demo-out/in
fi

echo "Running: pixmill run config/demo.yaml --once"
status=0
build-release/bin/pixmill run config/demo.yaml --once --json --log-level error >demo-out/results.jsonl || status=$?
[ "$status" = 0 ] || [ "$status" = 3 ] || exit "$status"

echo
/usr/bin/python3 scripts/contact_sheet.py demo-out/in demo-out/out demo-out/results.jsonl demo-out/contact-sheet.png
echo
echo "Renditions:      $PWD/demo-out/out"
echo "Finished inputs: $PWD/demo-out/in/done"
[ ! -d demo-out/in/failed ] || echo "Set aside:       $PWD/demo-out/in/failed (each with a .reason.json)"
echo "To look at:      $PWD/demo-out/contact-sheet.png"
[ "$status" = 0 ] || echo "Some images could not be used (exit code 3 of pixmill); that is part of the show."
