#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# deps.sh build|package|test: installs from Debian's or Ubuntu's own packages what building pixmill needs, with the system's libvips;
# packing it, with the prebuilt one; testing all of it. As root, or by sudo; else it says what to install. Does nothing, and asks no
# network, when all is there.
set -eu

. /etc/os-release
both="gcc cmake ninja-build pkg-config libc6-dev libyaml-dev libjansson-dev libssl-dev libcurl4-openssl-dev libexpat1-dev zlib1g-dev
      libmicrohttpd-dev libseccomp-dev libheif-dev fonts-dejavu-core"
build="$both libvips-dev libvips-tools python3 python3-pil python3-numpy"
package="$both binutils ca-certificates dpkg-dev"
# npm is often there from elsewhere, and then in the way of Debian's; nobody needs it where its packages lie in a folder.
[ -n "${PIXMILL_VIPS_PACKAGES:-}" ] || command -v npm >/dev/null 2>&1 || package="$package npm"
plugins=libheif-plugin-libde265 # a file of its own from libheif 1.17 on
test="g++ clang llvm clang-format clang-tidy libcmocka-dev python3-yaml libimage-exiftool-perl file binutils xz-utils
      imagemagick webp libavif-bin libheif-examples libtiff-tools libjpeg-turbo-progs libjxl-tools valgrind gdb"

case "${ID:-}-${VERSION_ID:-}" in
debian-12) test="$test libclang-rt-14-dev" ;;
debian-13) build="$build $plugins libheif-plugin-aomenc libheif-plugin-dav1d" package="$package $plugins" test="$test libclang-rt-19-dev python3-venv libheif-plugin-x265" ;;
ubuntu-24.04) build="$build $plugins libheif-plugin-aomenc libheif-plugin-dav1d" package="$package $plugins" test="$test libclang-rt-18-dev clang-format-14 clang-tidy-14 libheif-plugin-x265" ;;
*) echo "deps.sh: made for Debian 12, Debian 13 and Ubuntu 24.04; trying the same packages here" >&2 ;;
esac

case "${1:-build}" in
build) wanted=$build ;;
package) wanted=$package ;;
test) wanted="$build $package $test" ;;
*) echo "usage: $0 build|package|test" >&2; exit 2 ;;
esac

missing=
for package in $wanted; do
    dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" = 0 ]; then
    as_root=
elif command -v sudo >/dev/null 2>&1; then
    as_root=sudo
else
    echo "These packages are missing, and neither root nor sudo is at hand. Install them with:" >&2
    echo "  apt-get install --no-install-recommends$missing" >&2
    exit 1
fi
echo "Installing:$missing"
export DEBIAN_FRONTEND=noninteractive
$as_root apt-get update -qq
# shellcheck disable=SC2086 # a list of names
$as_root apt-get install -y -qq --no-install-recommends $missing >/dev/null
