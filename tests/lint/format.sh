#!/bin/bash
# clang-format has nothing to say. Its versions differ in details: only that of Debian 12, which the house uses, judges.
version=$(clang-format --version | sed -n 's/.*version \([0-9]*\).*/\1/p')
if [ "$version" != 14 ]; then
    echo "clang-format $version here; the house uses 14: not judged"
    exit 0
fi
find core plugins tests -name '*.[ch]' -print0 | xargs -0 clang-format --dry-run -Werror
