#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# fresh.sh [SUITE]: follows the README's "Building by hand", line by line, on a fresh Debian that has nothing but its
# minimal base, and then looks whether what was installed works. As root, with mmdebstrap; takes minutes and a mirror.
set -eu

suite=${1:-bookworm}
here=$(cd "$(dirname "$0")/../.." && pwd)
if [ "$(id -u)" != 0 ] || ! command -v mmdebstrap >/dev/null; then
    echo "fresh.sh: needs root and mmdebstrap" >&2
    exit 77
fi
root=${FRESH_ROOT:-$(mktemp -d)}
finish() {
    for at in dev sys proc; do umount -l "$root/$at" 2>/dev/null || true; done
    [ -n "${FRESH_ROOT:-}" ] || rm -rf --one-file-system "$root"
}
trap finish EXIT
[ -e "$root/etc/debian_version" ] || mmdebstrap --quiet --variant=minbase --include=ca-certificates "$suite" "$root"
for at in proc sys dev; do mount --rbind "/$at" "$root/$at" && mount --make-rslave "$root/$at"; done
cp /etc/resolv.conf "$root/etc/resolv.conf"
rm -rf "$root/pixmill"
git clone -q "$here" "$root/pixmill"

lines=$(sed -n '/^## Building by hand/,/^Needs /s/^    //p' "$here/README.md")
[ -n "$lines" ] || { echo "fresh.sh: the README tells nothing of building by hand" >&2; exit 1; }
echo "$lines"
chroot "$root" /usr/bin/env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root sh -euc "cd /pixmill
$lines
cd /
pixmill --version
pixmill plugins
pixmill validate /pixmill/config/demo.yaml"
