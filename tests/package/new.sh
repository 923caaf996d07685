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

# docs/plugin-authors.md shows these lines.
plugin=$work/my-apply/build/my-apply.so
sanitized=$(readelf -d "$pixmill" | grep -c 'libasan\|libclang_rt' || true)
if [ "$sanitized" != 0 ]; then
    echo "a build with sanitizers: valgrind cannot run it"
elif command -v valgrind >/dev/null; then
    valgrind -q --trace-children=yes --error-exitcode=9 "$pixmill" plugin run "$plugin" "$work/grey.png" "$work/valgrind.png" strength=0.5
    [ -s "$work/valgrind.png" ]
else
    echo "valgrind is missing: not tried"
fi

# That it stops in the plugin, with the names of its parameters.
if [ "$sanitized" != 0 ]; then
    echo "a build with sanitizers: gdb is not tried"
elif ! command -v gdb >/dev/null; then
    echo "gdb is missing: not tried"
elif ! gdb -nx -batch -ex run --args /bin/true </dev/null 2>&1 | grep -q 'exited normally'; then
    echo "gdb may not trace a process here: not tried"
else
    timeout -k 5 120 gdb -nx -batch -ex 'set breakpoint pending on' -ex 'break my_apply.c:apply' -ex run -ex bt -ex kill \
        --args "$pixmill" plugin run "$plugin" "$work/grey.png" "$work/gdb.png" strength=0.5 </dev/null >"$work/gdb.log" 2>&1 || { cat "$work/gdb.log"; exit 1; }
    grep -q '^#0  apply (.*my_apply.c:' "$work/gdb.log" || { cat "$work/gdb.log"; exit 1; }
fi

# A write past the end is found, in the plugin's own source.
asan=$("$cc" -print-file-name=libasan.so) ubsan=$("$cc" -print-file-name=libubsan.so)
if [ "$sanitized" != 0 ] || [ ! -e "$asan" ] || [ ! -e "$ubsan" ] || ! "$cc" --version | grep -q 'Free Software Foundation'; then
    echo "a build with sanitizers, or no libasan and libubsan of gcc: not preloaded"
else
    cd "$work/my-apply"
    sed 's/^    int bands = shape->bands, .*$/&\n    volatile char *few = malloc(4);\n    few[shape->width] = 1;\n    free((void *)few);/' my_apply.c >wrong.c
    flags="-shared -fPIC -g -fvisibility=hidden -fsanitize=address,undefined $(pkg-config --cflags pixmill)"
    for source in my_apply.c wrong.c; do
        # shellcheck disable=SC2086
        "$cc" $flags -o "$work/my-apply.so" "$source" -lm
        code=0
        timeout -k 5 120 env "LD_PRELOAD=$asan:$ubsan" ASAN_OPTIONS=detect_leaks=0 "$pixmill" plugin run "$work/my-apply.so" "$work/grey.png" "$work/asan.png" strength=0.5 >"$work/asan.log" 2>&1 || code=$?
        case $source in
        wrong.c) grep -q 'AddressSanitizer: heap-buffer-overflow' "$work/asan.log" && grep -q '#0 .* in apply .*wrong.c:' "$work/asan.log" || { cat "$work/asan.log"; exit 1; } ;;
        *) [ "$code" = 0 ] && [ -s "$work/asan.png" ] || { cat "$work/asan.log"; exit 1; } ;;
        esac
    done
fi
