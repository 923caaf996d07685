#!/bin/bash
# format.sh: clang-format would change nothing. Exits 77 where its version 14 cannot be had.
tool=$(scripts/llvm14.sh clang-format) || exit 77
find core plugins tests -name '*.[ch]' -print0 | xargs -0 "$tool" --dry-run -Werror
