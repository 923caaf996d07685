#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# plugins.sh FOLDER: our own plugins keep the rules that we ask of others.
set -euo pipefail
source "$(dirname "$0")/elf.sh"
count=0
for plugin in "$1"/*.so; do
    [ -e "$plugin" ] || continue
    check_elf "$plugin"
    count=$((count + 1))
done
[ "$count" -gt 0 ] || { echo "no plugins in $1" >&2; exit 1; }
echo "$count plugins export and link what they may"
