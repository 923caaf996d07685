#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# manual.sh BUILD CMAKE: the manual page that is installed names every command and option that the help does, and is
# what man reads without a complaint.
set -euo pipefail
build=$1 cmake=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

fail() { echo "manual.sh: $1" >&2; exit 1; }
"$cmake" --install "$build" --prefix "$work/prefix" >"$work/install.log" || { cat "$work/install.log"; exit 1; }
page=$work/prefix/share/man/man1/pixmill.1
pixmill=$work/prefix/bin/pixmill
[ -s "$page" ] || fail "$page is missing"

# "plugin check" and its like are two words; their help is asked for by both.
commands=$("$pixmill" --help | sed -n '/^Commands:/,/^$/s/^  \([a-z]*\( [a-z]*\)\{0,1\}\) \{1,\}[A-Z].*/\1/p')
[ "$(echo "$commands" | wc -l)" -gt 10 ] || fail "the help lists few commands: $commands"
while read -r command; do
    grep -qxF ".SS $command" "$page" || fail "lacks the command $command"
    # shellcheck disable=SC2086 # words
    for option in $("$pixmill" $command --help | grep -oE '^  (-.,|   ) --[a-z-]+' | grep -oE -- '--[a-z-]+'); do
        sed -n "/^\.SS $command\$/,/^\.S[SH] /p;/^\.SH OPTIONS/,\$p" "$page" | grep -qF -- "${option//-/\\-}\\fR" || fail "lacks $option of $command"
    done
done <<<"$commands"

if command -v groff >/dev/null; then
    groff -man -ww -b -z "$page" >"$work/said" 2>&1 || fail "groff: $(cat "$work/said")"
    [ ! -s "$work/said" ] || fail "groff: $(cat "$work/said")"
    # Dashes and quotes can be copied into a shell.
    groff -man -Tutf8 -P -cbou "$page" >"$work/text"
    for example in 'pixmill explain photos.yaml --size 6000x4000 --format png' "pixmill apply --steps 'resize 400, convert webp' cat.jpg -o out" '"© me"'; do
        grep -qF -- "$example" "$work/text" || fail "lacks $example as it was written"
    done
else
    echo "groff is not installed: not read"
fi
