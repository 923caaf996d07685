#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# new.sh BUILD CMAKE CC: what `pixmill plugin new` writes is built as its README says against an installed tree, keeps
# every rule of `plugin check`, and runs.
set -euo pipefail
build=$1 cmake=$2 cc=$3
here=$(cd "$(dirname "$0")" && pwd)
source "$here/elf.sh"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
prefix=$work/prefix

"$cmake" --install "$build" --prefix "$prefix" >"$work/install.log" || { cat "$work/install.log"; exit 1; }
pixmill=$prefix/bin/pixmill
pc=$(dirname "$(find "$prefix" -name pixmill.pc)")
export PKG_CONFIG_PATH=$pc${PKG_CONFIG_PATH:+:$PKG_CONFIG_PATH}
# A 40x30 PNG of mid-grey.
python3 - "$work/grey.png" <<'PY'
import struct, sys, zlib
def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
with open(sys.argv[1], "wb") as out:
    out.write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 40, 30, 8, 0, 0, 0, 0)) +
              chunk(b"IDAT", zlib.compress((b"\0" + b"\x80" * 40) * 30)) + chunk(b"IEND", b""))
PY

for kind in apply inspect encode; do
    echo "# $kind"
    name=my-$kind
    cd "$work"
    "$pixmill" plugin new "$name" --kind "$kind"
    cd "$name"
    "$cmake" -S . -B build -G Ninja -DCMAKE_PREFIX_PATH="$prefix" -DCMAKE_C_COMPILER="$cc" -DCMAKE_C_FLAGS=-Werror >configure.log ||
        { cat configure.log; exit 1; }
    "$cmake" --build build
    check_elf "build/$name.so"
    line=$(sed -n 's/^Without CMake: `\(.*\)`$/\1/p' README.md)
    bash -c "${line/#cc/$cc} -Wall -Wextra -Werror"
    check_elf "$name.so"
    "$pixmill" plugin check "build/$name.so"
    "$pixmill" plugin run "build/$name.so" "$work/grey.png" "$work/$name.png" strength=0.75 >said
    cat said
    grep -q "$name\.png: a 40x30 png" said
    [ -s "$work/$name.png" ]
    case $kind in
    inspect) grep -q '^verdict: flag, score 0\.49.*, label "dark"$' said ;;
    *) if grep -q verdict said; then exit 1; fi ;;
    esac
done

# docs/plugin-authors.md shows this line.
if readelf -d "$pixmill" | grep -q 'libasan\|libclang_rt'; then
    echo "a build with sanitizers: valgrind cannot run it"
elif command -v valgrind >/dev/null; then
    valgrind -q --trace-children=yes --error-exitcode=9 "$pixmill" plugin run "$work/my-apply/build/my-apply.so" "$work/grey.png" "$work/valgrind.png" strength=0.5
    [ -s "$work/valgrind.png" ]
else
    echo "valgrind is missing: not tried"
fi
