# SPDX-License-Identifier: Apache-2.0
# Sourced. check_elf FILE: a plugin exports pixmill_plugin and nothing else, and links neither libvips nor GLib, so that
# one file runs on any libvips.
check_elf()
{
    local exported needed
    exported=$(readelf --dyn-syms --wide "$1" |
        awk '($5 == "GLOBAL" || $5 == "WEAK") && $6 == "DEFAULT" && $7 != "UND" {sub(/@.*/, "", $8); print $8}')
    if [ "$exported" != pixmill_plugin ]; then
        echo "$1 exports: $exported" >&2
        return 1
    fi
    needed=$(readelf -d --wide "$1" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p')
    if grep -E '^lib(vips|glib|gobject|gio|gmodule)' <<<"$needed" >&2; then
        echo "$1 links what the worker provides" >&2
        return 1
    fi
}
