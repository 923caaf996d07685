#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# coverage.sh BUILD [--least PERCENT] [--files]: which lines of core/ ran since the counters were emptied, of a build with PIXMILL_COVERAGE
# (cmake --preset coverage). --files: each file, the least covered first. The last line is "coverage: N.N % of N lines of core/".
set -uo pipefail
build=$1
shift
least=0 files=false
while [ $# -gt 0 ]; do
    case $1 in
    --least) least=$2; shift 2 ;;
    --files) files=true; shift ;;
    *) echo "usage: $0 BUILD [--least PERCENT] [--files]" >&2; exit 2 ;;
    esac
done
# The tools read what the compiler of the same version wrote.
version=$(sed -n 's/.*CMAKE_C_COMPILER_VERSION "\([0-9]*\).*/\1/p' "$build"/CMakeFiles/*/CMakeCCompiler.cmake | head -1)
profdata=$(command -v "llvm-profdata-$version" llvm-profdata | head -1)
cov=$(command -v "llvm-cov-$version" llvm-cov | head -1)
[ -n "$profdata" ] && [ -n "$cov" ] || { echo "skipped: llvm-profdata and llvm-cov are missing (Debian: llvm)"; exit 77; }
shopt -s nullglob
raw=("$build"/coverage/*.profraw)
[ ${#raw[@]} -gt 0 ] || { echo "coverage.sh: $build/coverage holds no counters: no program of this build ran"; exit 1; }
merged=$build/coverage/all.profdata
"$profdata" merge -sparse -o "$merged" "${raw[@]}" || exit 1
objects=()
for program in "$build"/bin/* "$build"/tests/unit/*; do
    [ -f "$program" ] && [ -x "$program" ] && objects+=(-object "$program")
done
"$cov" export -summary-only -instr-profile="$merged" "${objects[@]:1}" -ignore-filename-regex='/(tests|plugins)/' |
    /usr/bin/python3 -c '
import json, os, sys
least, each, core = float(sys.argv[1]), sys.argv[2] == "true", os.path.join(os.getcwd(), "core") + os.sep
files = {os.path.normpath(one["filename"]): one["summary"]["lines"] for one in json.load(sys.stdin)["data"][0]["files"]}
found = {name: lines for name, lines in files.items() if name.startswith(core)}
lines, ran = sum(one["count"] for one in found.values()), sum(one["covered"] for one in found.values())
if each:
    for name, one in sorted(found.items(), key=lambda item: (item[1]["percent"], item[0])):
        print("%6.1f %%  %5d of %5d  %s" % (one["percent"], one["covered"], one["count"], name[len(core) - len("core/"):]))
share = 100 * ran / lines if lines else 0
print("coverage: %.1f %% of %d lines of core/" % (share, lines))
sys.exit(share < least)' "$least" "$files"
