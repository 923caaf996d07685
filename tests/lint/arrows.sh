#!/bin/bash
# arrows.sh BUILD: the house of folders. Includes go one way; the broker links no image library, plugins none at all.
bad=0
say() { echo "$1"; bad=1; }

# may FOLDER ALLOWED...: FOLDER includes only its own headers and those of ALLOWED.
may() {
    local folder=$1
    shift
    local allowed="$folder"
    for other; do allowed="$allowed|$other"; done
    local found
    found=$(grep -rnE '#include "(base|net|pipeline|engine|worker|aws|connectors|workers|session|cli)/' "core/$folder" | grep -vE "#include \"($allowed)/")
    [ -z "$found" ] || say "core/$folder may include only $allowed:
$found"
}
may base
may pipeline base
may engine pipeline base
may worker engine pipeline base
may net base
may aws net base
may connectors aws net pipeline base
may workers net pipeline base
may session workers connectors aws net pipeline base
may cli session workers connectors aws net pipeline base
found=$(grep -nE '#include "connectors/[a-z]+/' core/connectors/*.[ch] core/connectors/*/*.[ch] | sed -nE '\,^core/(connectors/[a-z]+/)[^:]*:[0-9]+:#include "\1,!p' | grep -v '^core/connectors/registry.c:')
[ -z "$found" ] || say "connectors know nothing of each other, and only the registry lists them:
$found"

found=$(grep -nE '#include <(vips|glib)' core/{base,net,pipeline,aws,workers,session,cli}/*.[ch] core/connectors/*.[ch] core/connectors/*/*.[ch])
[ -z "$found" ] || say "no image library outside engine and worker: $found"
found=$(grep -nE '&pm_(kind|connector)_[a-z0-9]+\b|\bis_file\b *[=;,)]' core/{base,net,pipeline,aws,workers,session,cli,engine,worker}/*.[ch] core/connectors/*.[ch] | grep -vE '^core/connectors/registry.c:|cmd_plugin_new.c')
[ -z "$found" ] || say "what a pipeline is connected to is asked of its table, not compared:
$found"
found=$(grep -nE '#include <curl' core/*/*.[ch] core/*/*/*.[ch] | grep -v '^core/net/')
[ -z "$found" ] || say "no libcurl outside net: $found"
found=$(grep -nE '#include <microhttpd' core/*/*.[ch] core/*/*/*.[ch] | grep -v '^core/net/')
[ -z "$found" ] || say "no libmicrohttpd outside net: $found"
found=$(grep -nE '#include "' plugins/*/*.[ch] | grep -vE '#include "(\.\./common/)?[a-z_-]+\.h"')
[ -z "$found" ] || say "plugins see the public header alone: $found"

needed() { readelf -d "$1" | sed -n 's/.*NEEDED.*\[\(.*\)\]/\1/p'; }
needed "$1/bin/pixmill" | grep -E 'vips|glib|gobject' && say "pixmill links an image library"
for plugin in "$1"/plugins/*.so; do
    needed "$plugin" | grep -E 'vips|glib|gobject' && say "$plugin links what the worker brings"
done

readelf -SW "$1/bin/pixmill" | grep -q pm_crash_points && say "pixmill has crash points, which are for tests only (PIXMILL_CRASH_POINTS)"

found=$(grep -nwE '(strcpy|strcat|sprintf|vsprintf|gets|atoi|atol|system|popen|strtok|tmpnam|mktemp) *\(' core/*/*.[ch] core/*/*/*.[ch] plugins/*/*.[ch])
[ -z "$found" ] || say "banned functions:
$found"
found=$(grep -nE '\b(signal|sigaction|setrlimit|pm_rlimits_raise_descriptors)\(' core/{net,pipeline,aws,workers,session}/*.[ch] core/connectors/*.[ch] core/connectors/*/*.[ch])
[ -z "$found" ] || say "what belongs to the whole process is the main program's business:
$found"
found=$(grep -nw 'json_dumps *(' core/*/*.c core/*/*/*.c | grep -v '^core/base/json.c:')
[ -z "$found" ] || say "pm_json_text, which does not leave parts out when memory is short:
$found"
found=$(grep -nE '\b(TODO|FIXME|XXX|HACK)\b' -r core plugins config tests scripts --include='*.[chy]*' --include='*.sh' --include='*.py' --exclude-dir=lint)
[ -z "$found" ] || say "unfinished work:
$found"
found=$(wc -l core/*/*.[ch] core/*/*/*.[ch] plugins/*/*.[ch] | awk '$2 != "total" && $1 > 600')
[ -z "$found" ] || say "longer than 600 lines:
$found"
exit $bad
