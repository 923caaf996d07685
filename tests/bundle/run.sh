#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# run.sh BUILD SYSTEM: what build.sh made in BUILD, beside SYSTEM, a build with the system's libvips: what lies in the bundle, the cases with
# it, plugins of one build with the programs of the other, and what CMake says of wrong settings. What the zip does in an
# empty root is tested end to end (tests/e2e/test_zip.py). The last line is "N passed, N failed".
set -uo pipefail
build=$(realpath "$1") && system=$(realpath "$2") || exit 1
cd "$(dirname "$0")/../.." || exit 1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
passed=0 failed=0

# result NAME CODE [FILE]
result() {
    if [ "$2" = 0 ]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "FAILED  $1"
        [ -z "${3:-}" ] || tail -n 40 "$3"
    fi
}

# says NAME CODE TEXT COMMAND...: ends with CODE and says TEXT, in whatever lines
says() {
    local name=$1 code=$2 text=$3
    shift 3
    "$@" >"$work/said" 2>&1
    local got=$?
    [ "$got" = "$code" ] && tr -s ' \n' ' ' <"$work/said" | grep -qF -- "$text"
    result "$name (exit $got, expected $code: $text)" $? "$work/said"
}

# cases NAME FOLDER [GROUP...]
cases() {
    local name=$1 folder=$2
    shift 2
    /usr/bin/python3 tests/cases/run.py --build "$folder" "$@" >"$work/cases" 2>&1
    local line
    line=$(grep -E '^[0-9]+ passed, [0-9]+ failed' "$work/cases" | tail -n 1)
    [ -n "$line" ] || { result "$name" 1 "$work/cases"; return; }
    local bad=${line#*, }
    bad=${bad%% failed*}
    passed=$((passed + ${line%% passed*})) failed=$((failed + bad))
    [ "$bad" = 0 ] || { echo "$name:"; cat "$work/cases"; }
}

# --- what lies in it
bundle=$build/bundle
[ "$(du -sb --apparent-size "$bundle" | cut -f1)" -lt 60000000 ]
result "the bundle takes less than 60 MB" $?
[ -z "$(find "$bundle" -type l -o -type f -perm /022)" ]
result "no links, and nothing that others may write" $?
missing=
for file in "$bundle"/bin/*.real "$bundle"/libexec/pixmill/*.real "$bundle"/lib/*.so* "$bundle"/lib/pixmill/plugins/*.so; do
    for needed in $(readelf -d "$file" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p'); do
        case $needed in ld-linux*) ;; *) [ -e "$bundle/lib/$needed" ] || missing="$missing $needed" ;; esac
    done
done
[ -z "$missing" ]
result "every library is there:$missing" $?
[ -z "$(find "$bundle/lib" -name 'libnettle*' -o -name 'libkrb5*' -o -name 'libsasl*' -o -name 'libp11*' -o -name 'libhogweed*')" ] &&
    [ -z "$(find "$build/stand-in" -name '*.c' -exec sh -c '[ "$(stat -c %s "'"$bundle"'/lib/$(basename "$1" .c)")" -lt 32000 ] || echo "$1"' sh {} \;)" ]
result "nothing of protocols that pixmill does not speak" $?
for file in bootstrap bin/pixmill libexec/pixmill/pixmill-worker; do
    readelf -lW "$bundle/$file" | grep -q INTERP
    [ $? = 1 ]
    result "$file needs no dynamic linker" $?
done
. tests/package/elf.sh
for file in "$bundle"/lib/pixmill/plugins/*.so; do
    check_elf "$file" >"$work/said" 2>&1
    result "$(basename "$file") fits any libvips" $? "$work/said"
done
[ "$(find "$bundle/share/doc/pixmill/third-party" -type f | wc -l)" -ge 15 ] && [ -s "$bundle/share/doc/pixmill/third-party/libvips.md" ]
result "the licences are there" $?
/usr/bin/python3 -m zipfile -e "$build/pixmill-lambda.zip" "$work/unzipped" && diff -r "$bundle" "$work/unzipped" >"$work/diff" 2>&1
result "the zip holds the bundle" $? "$work/diff"

# --- elsewhere than where it was built
cp -r "$bundle" "$work/moved"
ln -s "$build/test-plugins" "$work/moved/test-plugins"
cases "cases with the bundle" "$work/moved"
says "through a link" 0 "plugin ABI" sh -c "ln -s '$work/moved/bin/pixmill' '$work/link' && '$work/link' version"
says "the machine's libraries stay out" 0 "plugin ABI" env LD_LIBRARY_PATH="$work" LD_PRELOAD="$system/plugins/resize.so" "$work/moved/bin/pixmill" version
cp "$bundle/bin/pixmill" "$work/alone"
says "a launcher alone" 127 "is part of a bundle and starts with what lies there in lib" "$work/alone" version
printf 'version: 1\nlimits: {formats: [jpeg, jxl]}\noutputs: {a: {steps: [convert: {format: jxl}], to: {file: {path: "o/{name}"}}}}\n' >"$work/jxl.yaml"
says "a format that it cannot write" 2 "jxl.yaml:3:41: outputs.a: convert: format: libvips 8.18.7 here can't write jxl" "$work/moved/bin/pixmill" validate "$work/jxl.yaml"
printf 'version: 1\nlimits: {formats: [jpeg, jxl]}\noutputs: {a: {to: {file: {path: "o/{name}"}}}}\n' >"$work/jxl.yaml"
says "a format that it cannot read" 0 "jxl.yaml:2:26: limits.formats lets jxl in, which is not supported by this build" "$work/moved/bin/pixmill" validate "$work/jxl.yaml"
printf 'version: 1\noutputs: {a: {when: {format: [png, jxl]}, to: {file: {path: "o/{name}"}}}}\n' >"$work/jxl.yaml"
says "a format that never comes" 0 "jxl.yaml:2:36: when: format can never be jxl, which this build does not read hint: it reads jpeg, png, webp, gif, tiff, avif, " "$work/moved/bin/pixmill" validate "$work/jxl.yaml"
says "doctor: a format that never comes" 0 "warning pipeline: $work/jxl.yaml:2:36: when: format can never be jxl" "$work/moved/bin/pixmill" doctor "$work/jxl.yaml"
printf '\xff\x0a\xfa\x1f' >"$work/a.jxl"
says "a picture that it cannot read" 3 "bad_input a.jxl: jxl is not supported by this build, which reads jpeg, png, webp, gif, tiff, avif, " "$work/moved/bin/pixmill" apply "$work/jxl.yaml" "$work/a.jxl" --out "$work/out"

# --- one plugin for both: the older headers go with either libvips, the newer ones are told from it
mkdir "$work/mixed"
cp -r "$build/bin" "$work/mixed/bin" && rm -f "$work/mixed/bin/pm-unprotected" # so that cases know the prebuilt libvips
cp -r "$system/plugins" "$system/test-plugins" "$work/mixed"
cases "plugins of the system's libvips in the prebuilt one" "$work/mixed" resize watermark metadata colour animated nsfw
printf 'version: 1\noutputs: {a: {steps: [resize: {width: 10}], to: {file: {path: "o/{name}"}}}}\n' >"$work/p.yaml"
mkdir "$work/newer"
cp -r "$system/bin" "$work/newer/bin"
cp -r "$build/plugins" "$work/newer/plugins"
says "plugins for a newer libvips than there is" 2 "newer/plugins/resize.so: expected " "$work/newer/bin/pixmill" validate "$work/p.yaml"

# --- deploy.sh, with an AWS CLI that notes what it is asked
mkdir "$work/cli"
cat >"$work/cli/aws" <<END
#!/bin/bash
echo "\$*" >>"$work/asked"
case "\$1 \$2" in
"sts get-caller-identity") echo 123456789012 ;;
"s3api head-bucket") exit 254 ;;
"cloudformation package") cp -r "\$(dirname "\$(dirname "\$4")")" "$work/deployed" ;;
esac
END
chmod +x "$work/cli/aws"
deploy() {
    env PATH="$work/cli:$PATH" BUNDLE="$bundle" AWS_REGION=eu-central-1 config/deploy/lambda/deploy.sh "$@"
}
printf 'not a picture' >"$work/logo.png"
says "deploy.sh" 0 "pipeline.yaml: fine (2 outputs, 5 steps)" deploy -f "$work/logo.png" -f "$system/test-plugins/fault-hang.so" shop MemorySize=3008
for call in "s3 mb s3://pixmill-artifacts-123456789012-eu-central-1" \
    "cloudformation package --template-file .* --s3-bucket pixmill-artifacts-123456789012-eu-central-1 --s3-prefix shop " \
    "cloudformation deploy .* --stack-name shop --capabilities CAPABILITY_IAM .* Name=shop Architecture=[a-z0-9_]* MemorySize=3008$" \
    "cloudformation describe-stacks --stack-name shop "; do
    grep -q -- "^$call" "$work/asked"
    result "deploy.sh: aws $call" $? "$work/asked"
done
/usr/bin/python3 -m zipfile -e "$work/deployed/lambda/pixmill-lambda.zip" "$work/function" && cmp "$work/function/pipeline.yaml" config/deploy/pipeline.yaml &&
    cmp "$work/function/logo.png" "$work/logo.png" && [ -e "$work/function/lib/pixmill/plugins/fault-hang.so" ] && [ -e "$work/function/bootstrap" ] &&
    cmp "$work/deployed/storage.yaml" config/deploy/storage.yaml
result "deploy.sh packs the function and both templates" $?
rm "$work/asked"
printf 'version: 1\noutputs: {a: {steps: [rezise: {}], to: {file: {path: "o/{name}"}}}}\n' >"$work/bad.yaml"
says "deploy.sh: a wrong pipeline" 1 "did you mean resize?" deploy -p "$work/bad.yaml" shop
says "deploy.sh: what of it" 1 "deploy.sh: the pipeline is not deployed" deploy -p "$work/bad.yaml" shop
says "deploy.sh: no pipeline" 2 "none.yaml cannot be read" deploy -p none.yaml shop
says "deploy.sh: no stack" 2 "deploy.sh [-p PIPELINE]" deploy
says "deploy.sh: a stack's name" 2 "is not of the form [a-z][a-z0-9-]{0,20}" deploy Shop
says "deploy.sh: a parameter" 2 '"MemorySize" is not of the form PARAMETER=VALUE' deploy shop MemorySize
says "deploy.sh: no bundle" 2 "holds no bootstrap: it is not a bundle" env BUNDLE="$work" PATH="$work/cli:$PATH" config/deploy/lambda/deploy.sh shop
[ ! -e "$work/asked" ]
result "deploy.sh asks AWS for nothing when something is wrong" $?

# --- settings that are wrong
configure() {
    cmake -S . -B "$work/build" -G Ninja -DPIXMILL_TESTS=OFF "$@"
}
packages=$(sed -n 's/^PIXMILL_VIPS_TAKEN_FROM:INTERNAL=//p' "$build/CMakeCache.txt")
mkdir "$work/wrong" "$work/none"
cp "$packages"/*.tgz "$work/wrong"
for file in "$work"/wrong/*linux*.tgz; do printf x >>"$file"; done
says "another package" 1 "is not the package that pixmill is built with and is not used" configure -DPIXMILL_VIPS=prebuilt -DPIXMILL_VIPS_PACKAGES="$work/wrong"
says "no package" 1 ".tgz is missing; \`npm pack @img/sharp-libvips-" configure -DPIXMILL_VIPS=prebuilt -DPIXMILL_VIPS_PACKAGES="$work/none"
says "a third libvips" 1 'PIXMILL_VIPS is "static"; it may be system or prebuilt' configure -DPIXMILL_VIPS=static
# remake MAX_MB CA_FILE FONTS_DIR: the bundle again, from what is built
remake() {
    cmake -S . -B "$build" -DPIXMILL_BUNDLE_MAX_MB="$1" -DPIXMILL_CA_FILE="$2" -DPIXMILL_FONTS_DIR="$3" && cmake --build "$build" --target bundle
}
ca=/etc/ssl/certs/ca-certificates.crt fonts=/usr/share/fonts/truetype/dejavu
says "too large" 1 "more than PIXMILL_BUNDLE_MAX_MB (20); -DPIXMILL_VIPS=prebuilt makes it smaller" remake 20 $ca $fonts
says "no certificates" 1 "$work/none.pem is missing: apt-get install ca-certificates, or set PIXMILL_CA_FILE" remake 60 "$work/none.pem" $fonts
says "no fonts" 1 "DejaVuSans.ttf is missing: apt-get install fonts-dejavu-core, or set PIXMILL_FONTS_DIR" remake 60 $ca "$work/none"
says "all as it should be" 0 "bundle: " remake 60 $ca $fonts

echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
