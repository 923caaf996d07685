#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# wallpapers.sh BUILD [COUNT]: real photographs and drawings, by default 200 of Debian's wallpaper packages (fetched and unpacked
# aside; the system is not changed), through `pixmill apply` with four outputs. No crash, and every output of the size and format
# that the pipeline promises, as Pillow and libvips read them. The last line is "N passed, N failed".
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
build=$(cd "${1:?usage: wallpapers.sh BUILD [COUNT]}" && pwd)
count=${2:-200}
cache=${PIXMILL_WALLPAPERS:-${XDG_CACHE_HOME:-$HOME/.cache}/pixmill/wallpapers}
packages="plasma-workspace-wallpapers mate-backgrounds gnome-backgrounds ukui-wallpapers lxqt-themes xfdesktop4-data
          cinnamon-desktop-data budgie-backgrounds deepin-icon-theme kde-wallpapers-default gnome-shell-common desktop-base sugar-artwork-0.118"

if [ ! -e "$cache/complete" ]; then
    mkdir -p "$cache/debs"
    for package in $packages; do
        (cd "$cache/debs" && apt-get download -qq "$package" >/dev/null 2>&1) || echo "not had here: $package" >&2
    done
    for deb in "$cache"/debs/*.deb; do
        [ -e "$deb" ] || { echo "skipped: no wallpaper package can be fetched"; exit 0; }
        dpkg-deb -x "$deb" "$cache/files"
    done
    : >"$cache/complete"
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
/usr/bin/python3 "$here/wallpapers.py" "$build" "$cache/files" "$count" "$work"
