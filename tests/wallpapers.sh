#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# wallpapers.sh BUILD: 200 real pictures from Debian's wallpaper packages through `pixmill apply`, four outputs each: nothing
# crashes, and every rendition has the size and format promised. The last line sums up: "N passed, N failed".
# The packages (about 230 MB) are fetched once by apt-get and unpacked into a cache folder, not installed:
# PIXMILL_WALLPAPERS, by default ~/.cache/pixmill-wallpapers.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
build=$(cd "${1:?usage: wallpapers.sh BUILD}" && pwd)
cache=${PIXMILL_WALLPAPERS:-${XDG_CACHE_HOME:-$HOME/.cache}/pixmill-wallpapers}
packages="plasma-workspace-wallpapers mate-backgrounds ukui-wallpapers lomiri-wallpapers-16.04 lomiri-wallpapers-20.04 lxqt-themes desktop-base"

command -v apt-get >/dev/null && command -v dpkg >/dev/null || { echo "skipped: no apt-get and dpkg here"; exit 0; }
mkdir -p "$cache"
for package in $packages; do
    [ -d "$cache/$package" ] && continue
    (cd "$cache" && apt-get download -q "$package" >fetch.log 2>&1) || continue # not every release has every one
    for deb in "$cache/$package"_*.deb; do
        dpkg -x "$deb" "$cache/$package.new"
        rm "$deb"
        mv "$cache/$package.new" "$cache/$package"
    done
done
[ -n "$(find "$cache" -mindepth 2 -maxdepth 2 -type d -print -quit)" ] ||
    { echo "skipped: apt-get download gives no wallpapers: $(tail -n 1 "$cache/fetch.log")"; exit 0; }

work=$(mktemp -d "${TMPDIR:-/tmp}/pixmill-wallpapers.XXXXXX")
trap 'rm -rf "$work"' EXIT
status=0
/usr/bin/python3 "$here/wallpapers.py" "$build" "$cache" "$work" || status=$?
exit $status
