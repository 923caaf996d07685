#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# setup.sh: the schemas of Kubernetes and KEDA and a linter of Dockerfiles from npm, as package-lock.json pins them, in a cache. Installs Debian's npm where none
# is. Prints the folder of modules; exits 77 with the reason on standard error when they cannot be had here.
set -eu
cd "$(dirname "$0")"
cannot() {
    echo "$1" >&2
    exit 77
}

if ! command -v npm >/dev/null 2>&1; then
    as_root=
    if [ "$(id -u)" != 0 ]; then
        command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null || cannot "npm is missing, and neither root nor sudo is at hand"
        as_root="sudo -n"
    fi
    export DEBIAN_FRONTEND=noninteractive
    $as_root apt-get install -y -qq --no-install-recommends nodejs npm >/dev/null 2>&1 ||
        { $as_root apt-get update -qq >&2 && $as_root apt-get install -y -qq --no-install-recommends nodejs npm >/dev/null 2>&1; } ||
        cannot "Debian's npm cannot be installed"
fi

cache=${PIXMILL_DEPLOY_CACHE:-${XDG_CACHE_HOME:-${HOME:-/tmp}/.cache}/pixmill/deploy}/$(sha256sum package-lock.json | cut -c1-16)
if [ ! -e "$cache/complete" ]; then
    mkdir -p "$cache"
    cp package.json package-lock.json "$cache"
    (cd "$cache" && timeout 60 npm ci --ignore-scripts --no-audit --no-fund --loglevel=error >&2) || cannot "npm cannot fetch the packages"
    : >"$cache/complete"
fi
echo "$cache/node_modules"
