#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# bare.sh CMAKE: the README's "Building by hand" configures where cmocka is not installed, and tests that are asked for
# there are refused with the package's name. fresh.sh beside it follows those lines to the end, on a fresh Debian.
set -eu

cmake=$1
here=$(cd "$(dirname "$0")/../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cat >"$work/pkg-config" <<'EOF'
#!/bin/sh
for word; do [ "$word" != cmocka ] || exit 1; done
exec pkg-config "$@"
EOF
chmod +x "$work/pkg-config"
cd "$here"

fail() { echo "bare.sh: $1" >&2; cat "$work/log" >&2; exit 1; }
configure() { PKG_CONFIG="$work/pkg-config" "$cmake" --preset release -B "$work/build" "$@" >"$work/log" 2>&1; }

grep -q '^    cmake --preset release && cmake --build --preset release$' README.md || { echo "bare.sh: the README builds in another way" >&2; exit 1; }
configure || fail "cannot configure without cmocka"
grep -q '^PIXMILL_TESTS:BOOL=OFF$' "$work/build/CMakeCache.txt" || fail "the tests are to be built, without cmocka"
grep -q 'tests are left out: cmocka is not installed (Debian: libcmocka-dev)' "$work/log" || fail "does not say that tests are left out"
if configure -DPIXMILL_TESTS=ON; then fail "configures tests that cannot be built"; fi
grep -q 'tests need cmocka (Debian: libcmocka-dev)' "$work/log" || fail "does not say what tests need"
