#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# build.sh BUILD [CMAKE-ARGUMENTS...]: pixmill with the prebuilt libvips, as bundle and zip, and the plugins that tests use. Exits 77 with the reason
# on standard error where the prebuilt libvips cannot be had.
set -uo pipefail
build=$1
shift
cd "$(dirname "$0")/../.." || exit 1
packages=${PIXMILL_VIPS_PACKAGES:-${XDG_CACHE_HOME:-${HOME:-/tmp}/.cache}/pixmill/vips}
version=$(sed -n 's/^set(prebuilt_version \(.*\))$/\1/p' cmake/PrebuiltVips.cmake)
for name in linux-x64 dev; do
    [ "$(uname -m)-$name" != aarch64-linux-x64 ] || name=linux-arm64
    [ ! -e "$packages/img-sharp-libvips-$name-$version.tgz" ] || continue
    mkdir -p "$packages"
    said=$(cd "$packages" && timeout 120 npm pack --loglevel=error "@img/sharp-libvips-$name@$version" 2>&1) || {
        echo "npm cannot fetch the prebuilt libvips: ${said//$'\n'/ }" >&2
        exit 77
    }
done
set -e
cmake -S . -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=Release -DPIXMILL_WERROR=ON -DPIXMILL_VIPS=prebuilt -DPIXMILL_VIPS_PACKAGES="$packages" "$@"
cmake --build "$build" --target lambda-zip test-plugins
