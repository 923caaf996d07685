#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# template.sh BUILD CMAKE CC: installs the build into an empty prefix, then follows the template's README outside of our
# tree: the CMake way, the one-line way, install, check, try.
set -euo pipefail
build=$1 cmake=$2 cc=$3
here=$(cd "$(dirname "$0")" && pwd)
source "$here/elf.sh"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
prefix=$work/prefix

"$cmake" --install "$build" --prefix "$prefix" >"$work/install.log" || { cat "$work/install.log"; exit 1; }
cp -r "$prefix"/share/pixmill/template "$work/mine"
cd "$work/mine"

echo "# CMake"
"$cmake" -S . -B build -G Ninja -DCMAKE_PREFIX_PATH="$prefix" -DCMAKE_C_COMPILER="$cc" -DCMAKE_C_FLAGS=-Werror >"$work/configure.log" ||
    { cat "$work/configure.log"; exit 1; }
"$cmake" --build build
check_elf build/round-corners.so

echo "# one line, as the README says it"
pc=$(dirname "$(find "$prefix" -name pixmill.pc)")
export PKG_CONFIG_PATH=$pc${PKG_CONFIG_PATH:+:$PKG_CONFIG_PATH}
line=$(grep '^cc -shared' README.md)
bash -c "${line/#cc/$cc}"
check_elf round-corners.so
if pkg-config --libs pixmill | grep -q vips; then
    echo "pkg-config --libs pixmill links libvips" >&2
    exit 1
fi

echo "# the example of the guide"
awk '/^```c$/ {code = ""; inside = 1; next} /^```$/ {if (inside && code ~ /PM_PLUGIN\(/) printf "%s", code; inside = 0}
     inside {code = code $0 "\n"}' "$here/../../docs/plugin-authors.md" >soften.c
guide=$(grep '^cc -shared' "$here/../../docs/plugin-authors.md")
bash -c "${guide/#cc/$cc} -Wall -Wextra -Werror"
check_elf soften.so

echo "# install"
"$cmake" --install build
pluginsdir=$(pkg-config --variable=pluginsdir pixmill)
[ -f "$pluginsdir/round-corners.so" ] || { echo "nothing in $pluginsdir" >&2; exit 1; }

pixmill=$prefix/bin/pixmill
if [ ! -x "$pixmill" ]; then
    echo "pixmill is not built: it was not tried"
    exit 0
fi
echo "# check"
"$pixmill" plugin check build/round-corners.so
"$pixmill" plugin check soften.so
echo "# try"
"$pixmill" plugins round-corners | grep -q 'shorter side'
# A grey 500x400 PNG.
python3 - photo.png <<'PY'
import struct, sys, zlib
def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
with open(sys.argv[1], "wb") as out:
    out.write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 500, 400, 8, 0, 0, 0, 0)) +
              chunk(b"IDAT", zlib.compress((b"\0" + b"\x80" * 500) * 400)) + chunk(b"IEND", b""))
PY
"$pixmill" apply test/pipeline.yaml photo.png --out out
[ -s out/photo_card.png ] && [ -s out/photo_avatar.webp ]
