#!/bin/bash
# tidy.sh BUILD: clang-tidy over core/ and plugins/, as .clang-tidy says. Exits 77 where its version 14 cannot be had.
set -o pipefail
tool=$(scripts/llvm14.sh clang-tidy) || exit 77
# PyPI's comes without the compiler's own headers.
headers=()
case $tool in */build-tools/*) headers=("--extra-arg=-resource-dir=$(clang -print-resource-dir)") ;; esac
found=$(mktemp)
trap 'rm -f "$found"' EXIT
find core plugins -name '*.c' ! -path 'plugins/template/*' -print0 |
    xargs -0 -n 1 -P "$(nproc)" "$tool" --quiet "${headers[@]}" -p "$1" >"$found" 2>&1 && exit 0
grep -vE '^[0-9]+ warnings|^Suppressed|^Use -header|^$' "$found"
exit 1
