#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# run.sh [BUILD] [ARGUMENTS]: pixmill against the bare C program, vipsthumbnail, Pillow, ImageMagick and sharp (where they are
# there), in one interleaved run; a table with ratios. BUILD, by default build-release, is made when it is missing. ARGUMENTS
# go to bench.py: --help tells them.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
build=$root/build-release
case ${1:-} in '' | -*) ;; *) build=$1; shift ;; esac
[ -e "$build/build.ninja" ] || cmake -S "$root" -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=RelWithDebInfo >/dev/null
cmake --build "$build" --target all bench_bare >/dev/null
exec /usr/bin/python3 "$root/tests/bench/bench.py" "$build" "$@"
