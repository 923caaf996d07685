#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# setup.sh: installs from Debian's own packages what the end-to-end tests talk to: radosgw (S3) and moto (SQS, IAM), with boto3
# and pytest. As root, or by sudo. Does nothing, and asks no network, when all is there.
#
# Prints one line: the folder with more modules for /usr/bin/python3, or nothing when none are needed. Exits 77 when the
# packages cannot be had here, with the reason on standard error.
set -eu

cannot() {
    echo "the peers of the end-to-end tests cannot be installed: $1" >&2
    exit 77
}

. /etc/os-release
cache=${PIXMILL_E2E_CACHE:-${XDG_CACHE_HOME:-${HOME:-/tmp}/.cache}/pixmill/e2e}
packages="radosgw ceph-mon ceph-osd ceph-common python3-pytest python3-pytest-xdist python3-boto3 python3-pil python3-numpy"
optional=libfaketime # its tests are skipped without it
aside=
if [ "${ID:-}-${VERSION_ID:-}" = debian-12 ]; then
    # Bookworm has what moto's server needs, but not moto. Trixie's package is arch:all and runs on bookworm's Python.
    packages="$packages python3-flask python3-flask-cors python3-responses python3-xmltodict python3-cryptography python3-jinja2
              python3-werkzeug python3-dateutil python3-requests python3-yaml"
    aside=python3-moto
else
    packages="$packages python3-moto python3-flask python3-flask-cors"
fi

missing=
installed=$(dpkg-query -W -f '${db:Status-Status} ${Package}\n' 2>/dev/null | sed -n 's/^installed //p')
for package in $packages; do
    printf '%s\n' "$installed" | grep -qx "$package" || missing="$missing $package"
done

as_root=
if [ -n "$missing" ]; then
    if [ "$(id -u)" != 0 ]; then
        command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null || cannot "neither root nor sudo is at hand, and these packages are missing:$missing"
        as_root="sudo -n"
    fi
    echo "Installing:$missing" >&2
    export DEBIAN_FRONTEND=noninteractive
    $as_root apt-get update -qq >&2 || cannot "apt-get update failed"
    # shellcheck disable=SC2086 # a list of names
    $as_root apt-get install -y -qq --no-install-recommends $missing >"${TMPDIR:-/tmp}/pixmill-e2e-apt.log" 2>&1 ||
        { tail -n 20 "${TMPDIR:-/tmp}/pixmill-e2e-apt.log" >&2; cannot "apt-get install failed"; }
    $as_root apt-get install -y -qq --no-install-recommends $optional >/dev/null 2>&1 || echo "$optional cannot be installed" >&2
fi

[ -n "$aside" ] || exit 0
modules=$cache/trixie/usr/lib/python3/dist-packages
if [ ! -e "$cache/trixie.complete" ]; then
    # A package list of its own, so that the system never learns of trixie. From the mirror that the system uses.
    mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Codename: bookworm' 'Created-By: Packages' | sort -u | head -n 1)
    [ -n "$mirror" ] || cannot "no mirror of bookworm is configured"
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    mkdir -p "$work/lists/partial" "$work/cache/archives/partial" "$work/debs" "$cache"
    echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror trixie main" >"$work/sources.list"
    echo "Unpacking trixie's $aside into $cache" >&2
    options="-o Dir::Etc::SourceList=$work/sources.list -o Dir::Etc::SourceParts=- -o Dir::State::Lists=$work/lists
             -o Dir::Cache=$work/cache -o APT::Sandbox::User= -o Acquire::Languages=none -o Acquire::IndexTargets::deb::Contents-deb::DefaultEnabled=false"
    # shellcheck disable=SC2086 # options
    apt-get $options update -qq >&2 || cannot "trixie's package list cannot be read from $mirror"
    # shellcheck disable=SC2086
    (cd "$work/debs" && apt-get $options download -qq $aside) >&2 || cannot "$aside cannot be fetched from $mirror"
    rm -rf "$cache/trixie"
    for deb in "$work"/debs/*.deb; do dpkg-deb -x "$deb" "$cache/trixie"; done
    : >"$cache/trixie.complete"
fi
echo "$modules"
