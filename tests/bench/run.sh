#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# run.sh [BUILD] [ARGUMENTS]: pixmill against a bare C program, sharp, vipsthumbnail, Pillow and ImageMagick (where they are there), on
# real photographs, in one interleaved run; tables with ratios, and every target beside what was measured. BUILD, by default build-release,
# is made when it is missing. ARGUMENTS go to bench.py: --short takes less than two minutes, --write puts the result into
# docs/performance.md, --help tells the rest.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
build=$root/build-release
case ${1:-} in '' | -*) ;; *) build=$(cd "$1" && pwd); shift ;; esac
[ -e "$build/build.ninja" ] || cmake -S "$root" -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=Release >/dev/null
cmake --build "$build" --target core/all plugins/all bench_bare >/dev/null
exec /usr/bin/python3 "$root/tests/bench/bench.py" "$build" "$@"
