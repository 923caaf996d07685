#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# deb.sh BUILD CMAKE CPACK [--fresh [SUITE]]: the Debian packages hold what is installed, each file in one of them, nothing of the machine
# that built them, and come and go by dpkg. With --fresh (root, mmdebstrap and a mirror; minutes) they are installed by apt on a fresh
# system, used, and removed again.
set -euo pipefail
build=$1 cmake=$2 cpack=$3 fresh=${4:-} suite=${5:-}
here=$(cd "$(dirname "$0")/../.." && pwd)
for tool in dpkg-shlibdeps dpkg-deb; do
    command -v $tool >/dev/null || { echo "deb.sh: needs $tool (Debian: dpkg-dev)"; exit 77; }
done
work=$(mktemp -d)
root=
finish() {
    for at in sys dev proc; do [ -z "$root" ] || umount -l "$root/$at" 2>/dev/null || true; done
    rm -rf --one-file-system "$work"
}
trap finish EXIT
fail() { echo "deb.sh: $1" >&2; exit 1; }

(umask 027 && "$cpack" --config "$build/CPackConfig.cmake" -B "$work/packages" >"$work/log" 2>&1) || { cat "$work/log"; exit 1; }
. /etc/os-release
architecture=$(dpkg --print-architecture)
version=$("$build/bin/pixmill" --version | grep -oE '[0-9]+\.[0-9]+\.[0-9]+' | head -n 1)
release=${ID/debian/deb}${VERSION_ID:-}
cd "$work/packages"
program=pixmill_$version-1~${release}_$architecture.deb dev=pixmill-dev_$version-1~${release}_$architecture.deb
[ "$(find . -maxdepth 1 -name '*.deb' -printf '%f\n' | sort | tr '\n' ' ')" = "$dev $program " ] || fail "packages of other names: $(ls)"
sha256sum --quiet --strict -c SHA256SUMS || fail "the checksums are of something else"
[ "$(wc -l <SHA256SUMS)" = 3 ] || fail "checksums of other files: $(cat SHA256SUMS)"

# The bill of materials names what the programs are linked with, in the versions that are here.
/usr/bin/python3 - "pixmill_$version-1~$release.spdx.json" <<'PY' || fail "the bill of materials is wrong"
import json, re, subprocess, sys
paper = json.load(open(sys.argv[1], encoding="utf-8"))
assert paper["spdxVersion"] == "SPDX-2.3" and paper["dataLicense"] == "CC0-1.0" and paper["SPDXID"] == "SPDXRef-DOCUMENT", paper
assert paper["name"] and paper["documentNamespace"].startswith("https://") and paper["creationInfo"]["creators"], paper
assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", paper["creationInfo"]["created"]), paper["creationInfo"]
ids = [part["SPDXID"] for part in paper["packages"]]
assert len(ids) == len(set(ids)) and all(re.fullmatch(r"SPDXRef-[A-Za-z0-9.-]+", one) for one in ids), ids
for part in paper["packages"]:
    assert part["downloadLocation"] and part["filesAnalyzed"] is False and part["licenseConcluded"] and part["copyrightText"], part
    if part["name"] != "pixmill":
        there = subprocess.run(["pkg-config", "--modversion", part["name"]], capture_output=True, text=True, check=True).stdout.strip()
        assert part["versionInfo"] == there, (part, there)
ties = {(tie["spdxElementId"], tie["relationshipType"], tie["relatedSpdxElement"]) for tie in paper["relationships"]}
assert ties == {("SPDXRef-DOCUMENT", "DESCRIBES", "SPDXRef-pixmill")} | {("SPDXRef-pixmill", "DYNAMIC_LINK", one) for one in ids if one != "SPDXRef-pixmill"}, ties
PY
linked=$( (readelf -d "$build/bin/pixmill"; readelf -d "$build/bin/pixmill-worker") | sed -nE 's/.*\(NEEDED\).*\[lib([a-z]+).*/\1/p' | sort -u)
for library in $linked; do
    [ "$library" != z ] || library=zlib
    case $library in c | m | glib | gobject | gio | gmodule | pthread) continue ;; esac # of the compiler, and of libvips
    grep -q "\"name\": \"\(lib\)\{0,1\}$library[-0-9.]*\"" ./*.spdx.json || fail "the bill of materials lacks lib$library"
done

# Packed again, it is the same to the byte.
pack() { SOURCE_DATE_EPOCH=1700000000 "$cpack" --config "$build/CPackConfig.cmake" -B "$1" >"$work/log" 2>&1 || { cat "$work/log"; exit 1; }; }
pack "$work/one"
pack "$work/two"
diff "$work/one/SHA256SUMS" "$work/two/SHA256SUMS" >&2 || fail "packed twice, it differs"

field() { dpkg-deb -f "$1" "$2"; }
for library in libc6 libvips42 libcurl4 libseccomp2 libyaml-0-2 libjansson4; do
    grep -qE "(^|, )$library" <<<"$(field "$program" Depends)" || fail "pixmill does not depend on $library: $(field "$program" Depends)"
done
[ "$(field "$dev" Depends)" = "pixmill (= $version-1~$release), libvips-dev (>= 8.14), pkg-config" ] || fail "pixmill-dev depends on $(field "$dev" Depends)"
for package in "$program" "$dev"; do
    [ "$(field "$package" Architecture)" = "$architecture" ] && field "$package" Maintainer | grep -q '<.*@.*>$' || fail "$package: wrong control"
    # The first line is the synopsis, the others are the description.
    field "$package" Description | sed -n 1p | grep -qE '^plugin-based image pipeline' || fail "$package: $(field "$package" Description)"
    [ "$(field "$package" Description | wc -l)" -ge 3 ] || fail "$package has no description"
    bad=$(dpkg-deb -c "$package" | grep -vE '^(drwxr-xr-x|-rwxr-xr-x|-rw-r--r--|lrwxrwxrwx) root/root ' || true)
    [ -z "$bad" ] || fail "$package has files of odd owners or modes: $bad"
    dpkg-deb -x "$package" "$work/tree"
    dpkg-deb -e "$package" "$work/control"
    etc=$(dpkg-deb -c "$package" | sed -nE 's,^-.* \.(/etc/.*)$,\1,p' | sort)
    [ "$etc" = "$(sort "$work/control/conffiles" 2>/dev/null || true)" ] || fail "$package: the conffiles are not what lies in /etc: $etc"
    rm -r "$work/control"
    [ -s "$work/tree/usr/share/doc/${package%%_*}/copyright" ] || fail "$package has no copyright"
done

# Each file is in one package, and together they are what `cmake --install` puts in place.
files() { dpkg-deb -c "$1" | sed -nE 's,^[-l].* \./([^ ]*)( -> .*)?$,\1,p'; }
both=$( (files "$program"; files "$dev") | sort | uniq -d)
[ -z "$both" ] || fail "both packages have $both"
DESTDIR=$work/installed "$cmake" --install "$build" --prefix /usr >/dev/null
(cd "$work/installed" && find . -type f -o -type l) | sed 's,^\./,,' | sort >"$work/expected"
(files "$program"; files "$dev") | sort >"$work/packed"
diff "$work/expected" "$work/packed" >&2 || fail "the packages are not what is installed"
files "$dev" | grep -E '^usr/(bin|libexec)/|\.so$' && fail "pixmill-dev has programs"
files "$program" | grep -E '\.(h|pc|cmake)$' && fail "pixmill has development files"
[ "$(files "$program" | grep -c '/pixmill/plugins/.*\.so$')" -ge 15 ] || fail "few plugins: $(files "$program")"
found=$(grep -rlF -e "$here/" -e "$(cd "$build" && pwd)" -e "$work" "$work/tree" || true)
# What a debug build's assertions print is the path of a source; a package for others is built without.
if grep -q '^CMAKE_BUILD_TYPE:[A-Z]*=Debug$' "$build/CMakeCache.txt"; then found=$(grep -v '/bin/pixmill$\|/pixmill-worker$\|\.so$' <<<"$found" || true); fi
[ -z "$found" ] || fail "names folders of this machine: $found"

# try PREFIX: mills a picture with what is below it
try() {
    "$1/bin/pixmill" apply --steps 'resize 40, convert webp' "$here/config/logo.png" -o "$work/out" >"$work/said" 2>&1 || { cat "$work/said"; exit 1; }
    [ -s "$work/out/logo.webp" ] || { ls "$work/out" >&2; cat "$work/said"; fail "made no picture"; }
    rm -r "$work/out"
}
try "$work/tree/usr"
if [ "$(id -u)" = 0 ]; then
    # Without what they depend on, which this system has: dpkg's own part alone.
    mkdir -p "$work/root/var/lib/dpkg/updates" "$work/root/var/lib/dpkg/info"
    touch "$work/root/var/lib/dpkg/status"
    by_dpkg() { dpkg --root="$work/root" --force-depends --log=/dev/null "$@" >"$work/dpkg" 2>&1 || { cat "$work/dpkg"; exit 1; }; }
    by_dpkg -i "$program" "$dev"
    try "$work/root/usr"
    by_dpkg --purge pixmill-dev pixmill
    left=$(find "$work/root" -iname '*pixmill*')
    [ -z "$left" ] || fail "removing leaves $left"
else
    echo "not root: dpkg is not tried"
fi

[ "$fresh" = --fresh ] || { echo "a fresh system is not tried: --fresh"; exit 0; }
[ "$(id -u)" = 0 ] && command -v mmdebstrap >/dev/null || { echo "deb.sh: --fresh needs root and mmdebstrap"; exit 77; }
root=$work/fresh
mmdebstrap --quiet --variant=minbase "${suite:-$VERSION_CODENAME}" "$root"
for at in proc sys dev; do mount --rbind "/$at" "$root/$at" && mount --make-rslave "$root/$at"; done
cp /etc/resolv.conf "$root/etc/resolv.conf"
cp "$program" "$dev" "$here/config/logo.png" "$root/tmp"
chroot "$root" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root DEBIAN_FRONTEND=noninteractive sh -euc "
apt-get update -qq
apt-get install -y -qq --no-install-recommends /tmp/$program >/dev/null
pixmill --version
pixmill plugins >/dev/null
pixmill apply --steps 'resize 40, convert webp' /tmp/logo.png -o /tmp/out
test -s /tmp/out/logo.webp
apt-get install -y -qq --no-install-recommends /tmp/$dev gcc libc6-dev >/dev/null
cp -r /usr/share/pixmill/template /tmp/mine
cd /tmp/mine
\$(grep '^cc -shared' README.md | sed 's/^/eval /')
pixmill plugin check ./round-corners.so
cd /
apt-get purge -y -qq pixmill pixmill-dev >/dev/null
! find / -xdev -ipath '*pixmill*' -not -path '/tmp/*' -not -path '/var/cache/*' -not -path '/var/log/*' | grep ."
