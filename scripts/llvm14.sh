#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# llvm14.sh clang-format|clang-tidy: prints the path of that tool's version 14, the one that judges here (versions differ in details). Where the
# distribution has another, it is installed from PyPI into build-tools/. Exits 77 with the reason where PyPI cannot be reached.
set -uo pipefail
tool=$1
cd "$(dirname "$0")/.." || exit 1
is_14() { "$1" --version 2>/dev/null | grep -qE 'version 14\.'; }
for candidate in "$tool-14" "$tool" "$PWD/build-tools/bin/$tool"; do
    found=$(command -v "$candidate") && is_14 "$found" && echo "$found" && exit 0
done
log=$(mktemp)
trap 'rm -f "$log"' EXIT
if /usr/bin/python3 -m venv build-tools >"$log" 2>&1 && build-tools/bin/pip install --quiet --disable-pip-version-check "$tool==14.0.6" >>"$log" 2>&1 &&
    is_14 "build-tools/bin/$tool"; then
    echo "$PWD/build-tools/bin/$tool"
    exit 0
fi
echo "$tool 14 is neither installed nor to be had from PyPI: $(tail -n 1 "$log")" >&2
exit 77
