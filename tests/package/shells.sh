#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# shells.sh BUILD CMAKE: what is installed completes in each shell that is there, and goes with `uninstall`.
set -euo pipefail
build=$1 cmake=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
prefix=$work/prefix

fail() { echo "shells.sh: $1" >&2; exit 1; }
"$cmake" --install "$build" --prefix "$prefix" >"$work/install.log" || { cat "$work/install.log"; exit 1; }
export PATH=$prefix/bin:$PATH
bash=$prefix/share/bash-completion/completions/pixmill
zsh=$prefix/share/zsh/site-functions
fish=$prefix/share/fish/vendor_completions.d/pixmill.fish
expected="redrive"

told=$(bash -euc 'source "$1"; COMP_WORDS=(pixmill dlq re); COMP_CWORD=2; _pixmill pixmill; echo "${COMPREPLY[*]}"' bash "$bash")
[ "$told" = "$expected" ] || fail "bash completes \"$told\""
told=$(bash -euc 'source "$1"; COMP_WORDS=(pixmill apply cat.jpg); COMP_CWORD=2; _pixmill pixmill; echo "${COMPREPLY[*]}"' bash "$bash")
[ -z "$told" ] || fail "bash completes a file: \"$told\""
if command -v zsh >/dev/null; then
    # compadd works in completions only, so a function of that name says what it was given.
    told=$(zsh -fc 'compadd() { print -r -- ${(P)2} }; _files() { print files }; compdef() { : }
                    words=(pixmill dlq re) CURRENT=3; source $1/_pixmill; _pixmill' zsh "$zsh")
    [ "$told" = "$expected" ] || fail "zsh completes \"$told\""
    told=$(zsh -fc 'compadd() { print -r -- ${(P)2} }; _files() { print files }; compdef() { : }
                    words=(pixmill validate "") CURRENT=3; source $1/_pixmill; _pixmill' zsh "$zsh")
    [ "$told" = files ] || fail "zsh completes a file: \"$told\""
else
    echo "zsh is not installed: not tried"
fi
if command -v fish >/dev/null; then
    told=$(HOME=$work fish --no-config -c 'source $argv[1]; complete -C "pixmill dlq re"' "$fish" | cut -f 1)
    [ "$told" = "$expected" ] || fail "fish completes \"$told\""
    touch "$work/photos.yaml"
    told=$(HOME=$work fish --no-config -c 'source $argv[1]; complete -C "pixmill validate $argv[2]"' "$fish" "$work/pho")
    [ "$told" = "$work/photos.yaml" ] || fail "fish completes a file: \"$told\""
else
    echo "fish is not installed: not tried"
fi

# In a tree of its own, for there is one list of what was installed, and it is the last one's.
cp "$build/install_manifest.txt" "$work/manifest"
echo "an operator's" >"$prefix/lib/operator"
"$cmake" -DMANIFEST="$work/manifest" -P "$(dirname "$0")/../../cmake/uninstall.cmake" >"$work/uninstall.log" || { cat "$work/uninstall.log"; exit 1; }
left=$(find "$prefix" -type f -o -type l)
[ "$left" = "$prefix/lib/operator" ] || fail "uninstall leaves $left"
left=$(find "$prefix" -iname '*pixmill*')
[ -z "$left" ] || fail "uninstall leaves $left"
[ -d "$prefix/bin" ] || fail "uninstall removes a folder that others use"
if "$cmake" -DMANIFEST="$work/none" -P "$(dirname "$0")/../../cmake/uninstall.cmake" 2>"$work/error"; then fail "uninstalls what was not installed"; fi
grep -q "nothing was installed from this build" "$work/error" || fail "does not say that nothing was installed"
