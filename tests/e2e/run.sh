#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# run.sh BUILD [--crash BUILD] [--zip ZIP] [--image NAME]: the end-to-end tests on peers of their own, with the zip for Lambda and the image where they
# are named, then short proofs that nothing is lost when the broker or its workers are killed or told to end, when messages come in any
# order, when services fail, and, with a build that has crash points, after any step of the protocol. Installs the peers when they are
# missing; where it cannot, it says "skipped: ..." and why. The last line is "N passed, N failed".
set -uo pipefail
build=$(realpath "$1") || exit 1
shift
crash=
[ "${1:-}" != --crash ] || { crash=$(realpath "$2") || exit 1; shift 2; }
cd "$(dirname "$0")" || exit 1
log=$(mktemp -d)
peers=
trap '[ -z "$peers" ] || { kill "$peers"; wait "$peers"; }; rm -rf "$log"' EXIT

./setup.sh >/dev/null 2>"$log/setup"
case $? in
0) ;;
77) echo "skipped: $(tail -n 1 "$log/setup")"; exit 0 ;;
*) cat "$log/setup"; exit 1 ;;
esac

./peers.py --json "$log/peers" >/dev/null 2>"$log/peers.err" &
peers=$!
until [ -s "$log/peers" ]; do
    kill -0 "$peers" 2>/dev/null || { cat "$log/peers.err"; peers=; echo "0 passed, 1 failed"; exit 1; }
    sleep 0.2
done

# Tests wait for their peers most of the time: three at once, on the same peers, each with buckets and queues of its own.
timeout 900 /usr/bin/python3 -m pytest . -q -rs -n 3 -p no:cacheprovider --build "$build" --peers "$log/peers" "$@" >"$log/pytest" 2>&1
code=$?
grep '^SKIPPED' "$log/pytest"
summary=$(tail -n 1 "$log/pytest")
count() { sed -n "s/.*\b\([0-9][0-9]*\) $1.*/\1/p" <<<"$summary"; }
passed=$(count passed) failed=$(count failed) errors=$(count error)
failed=$((${failed:-0} + ${errors:-0}))
# Ended early or too slow: what it counted before says nothing.
[ "$code" = 0 ] || [ "$failed" != 0 ] || failed=1
[ "$failed" = 0 ] && [ -n "$passed" ] || tail -n 150 "$log/pytest"
[ -n "$passed" ] || [ "$failed" != 0 ] || failed=1

proofs=("$build --how broker --messages 200 --kills 5" "$build --how workers --messages 100 --kills 20" "$build --how term --messages 100 --kills 5"
    "$build --versions --messages 60 --kills 3" "$build --fifo --how none --messages 40" "$build --faults 404-page,200-page,halved,bare-403,mixed --messages 30")
[ -z "$crash" ] || proofs+=("$crash --how crash --times 1")
for how in "${proofs[@]}"; do
    # shellcheck disable=SC2086 # arguments
    timeout 600 /usr/bin/python3 kill9.py --peers "$log/peers" --build $how >"$log/kill9" 2>&1
    line=$(grep -E '^[0-9]+ passed, [0-9]+ failed' "$log/kill9" | tail -n 1)
    [ -n "$line" ] || line="0 passed, 1 failed"
    bad=${line#*, } bad=${bad%% failed*}
    [ "$bad" = 0 ] || { echo "kill9.py $how"; cat "$log/kill9"; }
    passed=$((${passed:-0} + ${line%% passed*})) failed=$((failed + bad))
done
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
