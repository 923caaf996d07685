#!/bin/bash
# docs.sh BUILD: the reference pages are what the binaries print today.
bad=0
for page in "schema --markdown:pipeline" "plugins --markdown:plugins"; do
    # shellcheck disable=SC2086 # two words
    "$1/bin/pixmill" ${page%:*} --log-level error | diff -u "docs/reference/${page#*:}.md" - || {
        echo "docs/reference/${page#*:}.md differs: write it anew with: pixmill ${page%:*} > docs/reference/${page#*:}.md"
        bad=1
    }
done
exit $bad
