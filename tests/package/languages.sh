#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# languages.sh BUILD SOURCE VIPS_FLAGS..: the header in other languages, where their compilers are: each example of the
# template is built by the line it names, and checked as any plugin.
set -euo pipefail
build=$1 source=$2
shift 2
here=$(cd "$(dirname "$0")" && pwd)
source "$here/elf.sh"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
tried=0

# In front of C++'s own, the folder of all headers hides what theirs include next.
flags=()
for flag; do [ "$flag" = -I/usr/include ] || flags+=("$flag"); done
set -- "${flags[@]}"

# The header alone, in every C++ that has what it needs.
echo '#include <pixmill/plugin.h>' >header.cpp
for compiler in g++ clang++; do
    command -v "$compiler" >/dev/null || continue
    for std in c++14 c++17 c++20; do
        "$compiler" -std="$std" -Wall -Wextra -pedantic -Werror -fsyntax-only -I"$source/core/include" header.cpp
    done
    echo "# $compiler includes the header"
done

for compiler in g++ clang++; do
    command -v "$compiler" >/dev/null || { echo "no $compiler: not tried"; continue; }
    # A C compiler that can link C++ may be there without its headers.
    echo '#include <memory>' | "$compiler" -std=c++20 -fsyntax-only -x c++ - 2>/dev/null || { echo "$compiler has no C++20: not tried"; continue; }
    echo "# $compiler"
    "$compiler" -std=c++20 -Wall -Wextra -pedantic -Wno-missing-field-initializers -Werror -shared -fPIC -O2 -fvisibility=hidden \
        -I"$source/core/include" "${@/#-I/-isystem}" -o tint.so "$source/plugins/template/languages/tint.cpp"
    check_elf tint.so
    "$build/bin/pixmill" plugin check ./tint.so
    # A field of another type does not compile, as in C.
    sed 's/PM_PARAM_NUMBER(Config, amount/PM_PARAM_INT(Config, amount/' "$source/plugins/template/languages/tint.cpp" >wrong.cpp
    if "$compiler" -std=c++20 -fsyntax-only -I"$source/core/include" "$@" wrong.cpp 2>/dev/null; then
        echo "$compiler compiles a parameter whose field is of another type" >&2
        exit 1
    fi
    tried=$((tried + 1))
done

if command -v rustc >/dev/null && echo 'pub fn f() -> &'"'"'static std::ffi::CStr { let _ = std::mem::offset_of!((u8,), 0); c"x" }' |
    rustc --edition 2021 --crate-type lib --emit metadata -o probe.rmeta - 2>/dev/null; then
    echo "# rustc"
    rustc --edition 2021 --crate-type cdylib -C panic=abort -O -D warnings -o negative.so "$source/plugins/template/languages/negative.rs"
    check_elf negative.so
    "$build/bin/pixmill" plugin check ./negative.so
    tried=$((tried + 1))
else
    echo "no rustc of 1.77 or later: not tried"
fi
echo "$tried compilers"
