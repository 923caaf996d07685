#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# unit.sh BUILD: systemd reads our unit without a complaint and rates it well, and under what it forbids pixmill still mills, reloads and has
# the whole sandbox for its children. systemd itself need not run: confined.py sets the same limits.
set -euo pipefail
build=$1
here=$(cd "$(dirname "$0")/../.." && pwd)
unit=$here/config/systemd/pixmill@.service
command -v systemd-analyze >/dev/null || { echo "unit.sh: needs systemd-analyze (Debian: systemd)"; exit 77; }
work=$(mktemp -d)
pid=
finish() {
    [ -z "$pid" ] || kill -9 "$pid" 2>/dev/null || true
    rm -rf "$work"
}
trap finish EXIT
fail() { echo "unit.sh: $1" >&2; cat "$work/said" >&2 2>/dev/null || true; exit 1; }

sed "s,^ExecStart=pixmill ,ExecStart=$build/bin/pixmill ," "$unit" >"$work/pixmill@.service"
systemd-analyze verify --man=no "$work/pixmill@.service" >"$work/said" 2>&1 || fail "systemd does not verify it"
if grep -F pixmill@ "$work/said"; then fail "systemd complains"; fi
if systemd-analyze security --help | grep -q -- --offline; then
    # Of 10, and most of it for the network and what the children's sandbox needs, namespaces and mounts. Later versions weigh in other ways.
    most=25
    [ "$(systemd-analyze --version | sed -nE '1s/^systemd ([0-9]+).*/\1/p')" != 252 ] || most=22
    systemd-analyze security --offline=true --threshold=$most "$work/pixmill@.service" >"$work/said" 2>&1 || fail "rated worse than $most tenths"
fi
# The service's grace is over before systemd kills.
grace=$(sed -n 's/^ExecStart=.* --grace \([0-9]*\)s$/\1/p' "$unit") stop=$(sed -n 's/^TimeoutStopSec=\([0-9]*\)s$/\1/p' "$unit")
[ "$grace" -lt "$stop" ] || fail "a grace of $grace s, killed after $stop s"
for kind in sysusers tmpfiles; do
    if command -v systemd-$kind >/dev/null; then
        mkdir -p "$work/root/etc"
        option=()
        [ $kind = tmpfiles ] && option=(--create)
        [ "$(id -u)" = 0 ] || continue
        systemd-$kind --root="$work/root" "${option[@]}" "$here/config/systemd/$kind.conf" >"$work/said" 2>&1 || fail "systemd-$kind refuses its file"
    fi
done
if [ "$(id -u)" = 0 ] && command -v systemd-sysusers >/dev/null; then
    grep -q '^pixmill:.*:/var/lib/pixmill:' "$work/root/etc/passwd" || fail "no user is made"
fi

# Tier 3 outside is tier 3 in the unit.
chmod 755 "$work"
mkdir "$work/in" "$work/out"
cat >"$work/p.yaml" <<YAML
version: 1
trigger: { directory: { path: in } }
outputs:
  small:
    steps: [ { resize: { width: 40 } }, { convert: { format: webp } } ]
    to: { file: { path: "out/{stem}.webp" } }
YAML
cp "$here/config/logo.png" "$work/in/first.png"
[ "$(id -u)" = 0 ] || { echo "not root: the limits are not tried"; exit 77; }
chown -R 65534:65534 "$work/in" "$work/out"
command -v setpriv >/dev/null || { echo "unit.sh: needs setpriv (Debian: util-linux)"; exit 77; }
setpriv --reuid 65534 --regid 65534 --clear-groups "$build/bin/pixmill" run "$work/p.yaml" --once --log-format json >"$work/said" 2>&1 || fail "does not run as another user"
outside=$(grep -o '"sandbox":"T[0-9]"' "$work/said")
rm "$work/out/first.webp"
if ! unshare --mount true 2>/dev/null || ! unshare --user true 2>/dev/null; then
    echo "no namespaces can be made here: the limits are not tried"
    exit 77
fi
cp "$here/config/logo.png" "$work/in/second.png"
chown 65534:65534 "$work/in/second.png"
/usr/bin/python3 "$here/tests/package/confined.py" "$unit" "$build/bin/pixmill" run "$work/p.yaml" --log-format json >"$work/said" 2>&1 &
pid=$!
await() { for ((i = 0; i < 600; i++)); do if eval "$1"; then return; fi; kill -0 $pid 2>/dev/null || fail "ended"; sleep 0.1; done; fail "waited for: $1"; }
await '[ -s "$work/out/second.webp" ]'
[ "$(grep -o '"sandbox":"T[0-9]"' "$work/said" | head -n 1)" = "$outside" ] || fail "the unit takes the sandbox away; outside: $outside"
# The broker sees its workers in /proc, from which it takes memory and processor time.
# shellcheck disable=SC2034 # await reads it
worker=$(cat /proc/$pid/task/*/children | tr ' ' '\n' | grep -m 1 .)
if nsenter --help >/dev/null 2>&1; then
    nsenter --mount -t $pid setpriv --reuid 65534 --regid 65534 --clear-groups --bounding-set=-all test -r "/proc/$worker/statm" || fail "the workers are hidden"
fi
kill -HUP $pid
await 'grep -q "\"event\":\"run.reloaded\"" "$work/said"'
kill -TERM $pid
code=0
wait $pid || code=$?
pid=
[ $code = 0 ] || fail "ends with $code"
