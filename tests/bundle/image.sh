#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# image.sh NAME BUILD: builds config/Dockerfile as the image localhost/NAME, on a base of Debian that is made here, since no registry of images is asked.
# Exits 77 with the reason on standard error where images cannot be built. tests/e2e/test_image.py runs it.
set -uo pipefail
name=$1
packages=$(sed -n 's/^PIXMILL_VIPS_TAKEN_FROM:INTERNAL=//p' "$2/CMakeCache.txt") || exit 1
cd "$(dirname "$0")/../.." || exit 1
cannot() {
    echo "$1" >&2
    exit 77
}
for program in buildah podman mmdebstrap; do
    command -v $program >/dev/null 2>&1 || cannot "$program is not here"
done
[ "$(id -u)" = 0 ] || cannot "only root can build images here"
. /etc/os-release
[ "${ID:-}" = debian ] || cannot "the base image is made from this machine's Debian, and this is ${ID:-another system}"
base=localhost/pixmill-base-$VERSION_CODENAME
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
if ! podman image exists "$base"; then
    mirror=$(apt-get indextargets --format '$(REPO_URI)' "Codename: $VERSION_CODENAME" 'Created-By: Packages' | sort -u | head -n 1)
    mmdebstrap --quiet --variant=minbase "$VERSION_CODENAME" "$work/base.tar" "$mirror" >&2 || cannot "mmdebstrap cannot make a base"
    podman import --quiet "$work/base.tar" "$base" >&2 || cannot "podman cannot import a base"
fi
container=$(buildah from "$base") || cannot "buildah cannot start from a base"
buildah run --isolation chroot "$container" true >&2 || { buildah rm "$container" >/dev/null; cannot "buildah cannot run a command here"; }
buildah rm "$container" >/dev/null

# The files of the repository as they are now, and the packages that BUILD was made with.
mkdir "$work/context"
git ls-files --cached --others --exclude-standard | tar cf - --files-from=- | tar xf - -C "$work/context" || exit 1
cp -r "$packages" "$work/context/packages" || exit 1
cd "$work/context" || exit 1
buildah build --quiet --isolation chroot --network host --format docker --build-arg BASE="$base" --build-arg PIXMILL_VIPS_PACKAGES=/src/packages \
    -f config/Dockerfile -t "localhost/$name" .
