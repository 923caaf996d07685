#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# build.sh: makes the binaries in tests/abi/1.0 of frozen.c and the header that lies there. Once: when 1.0 is released, they and the
# header stay as they are, and a later minor version gets a folder of its own.
set -euo pipefail
cd "$(dirname "$0")"
include=$(mktemp -d)
trap 'rm -rf "$include"' EXIT
mkdir "$include/pixmill"
cp 1.0/plugin.h "$include/pixmill/plugin.h"
out=1.0/$(uname -m)
mkdir -p "$out"
for kind in crop look write; do
    ${CC:-gcc} -std=gnu17 -Wall -Wextra -Werror -O2 -fPIC -shared -fvisibility=hidden -fno-stack-protector -U_FORTIFY_SOURCE -s -Wl,--build-id=none \
        -Wl,-z,noseparate-code -I"$include" -DKIND="$kind" -DKIND_"$kind" -o "$out/frozen-$kind.so" frozen.c
done
ls -l "$out"
