#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# test.sh [quick|unit|cases|faults|all]: installs what is needed, builds, and tests. The last line sums up: "N passed, N failed".
#   quick  unit tests and a handful of cases, one build: less than a minute where the compiler's cache is warm
#   unit   unit tests, one build
#   cases  the data-driven cases, one build
#   faults the long form of each row of docs/reliability.md's proof, as a table (about an hour); more arguments go to tests/faults.py
#   all    unit tests and cases, many kinds of pictures, the corpus of hostile images where it is at hand, all again under ASan and UBSan and
#          with clang, which counts what lines of core/ ran, clang-format, clang-tidy, house checks
set -uo pipefail
cd "$(dirname "$0")" || exit 1
what=${1:-all}
case $what in quick | unit | cases | faults | all) ;; *) echo "usage: $0 [quick|unit|cases|faults|all]" >&2; exit 2 ;; esac
if [ -z "${PIXMILL_LEFTOVERS:-}" ]; then
    scripts/deps.sh test || exit 1
    # What the run orphans becomes a child of this process, so that the last check can tell.
    exec /usr/bin/python3 tests/leftovers.py run ./test.sh "$@"
fi

jobs=$(nproc)
passed=0 failed=0 packed=()
log=$(mktemp -d)
trap 'rm -rf "$log"' EXIT
export PIXMILL_WORKER= PIXMILL_PLUGIN_PATH=
launcher=()
command -v ccache >/dev/null && launcher=(-DCMAKE_C_COMPILER_LAUNCHER=ccache)

# check NAME COMMAND...: one thing that passes or fails as a whole. It exits with 77 when it cannot run, and its last line says why.
check() {
    local name=$1 status=0
    shift
    "$@" >"$log/out" 2>&1 || status=$?
    if [ $status = 0 ]; then
        passed=$((passed + 1))
        echo "ok      $name"
    elif [ $status = 77 ]; then
        echo "        $name: skipped: $(tail -n 1 "$log/out")"
    else
        failed=$((failed + 1))
        echo "FAILED  $name"
        tail -n 60 "$log/out"
    fi
}

# build DIR ARGUMENTS...; TARGET in the environment: only that
build() {
    local dir=$1
    shift
    cmake -S . -B "$dir" -G Ninja -DPIXMILL_WERROR=ON -DPIXMILL_TESTS=ON "${launcher[@]}" "$@" >"$log/cmake" 2>&1 || { cat "$log/cmake"; return 1; }
    cmake --build "$dir" -j "$jobs" ${TARGET:+--target "$TARGET"}
}

# units DIR NAME [LABEL]: ctest's own count joins ours.
units() {
    ctest --test-dir "$1" ${3:+-L "$3"} -j "$jobs" --output-on-failure --no-tests=error >"$log/ctest" 2>&1
    local all bad
    all=$(sed -n 's/.*tests passed, [0-9]* tests failed out of \([0-9]*\).*/\1/p; s/.*% tests passed.* out of \([0-9]*\)$/\1/p' "$log/ctest" | tail -1)
    bad=$(sed -n 's/.*tests passed, \([0-9]*\) tests* failed out of.*/\1/p' "$log/ctest" | tail -1)
    if [ -z "$all" ]; then
        cat "$log/ctest"
        failed=$((failed + 1))
        return
    fi
    passed=$((passed + all - bad)) failed=$((failed + bad))
    echo "$([ "$bad" = 0 ] && echo 'ok     ' || echo 'FAILED ') $2: $((all - bad)) of $all test programs"
    [ "$bad" = 0 ] || tail -n 150 "$log/ctest"
}

# counted NAME COMMAND...: one whose last line is "N passed, N failed"; its counts join ours. One that cannot run says "skipped: ...".
counted() {
    local name=$1
    shift
    "$@" >"$log/counted" 2>&1
    count "$name" "$log/counted"
}

# count NAME FILE: what it wrote
count() {
    local name=$1 file=$2 line
    line=$(grep -E '^([0-9]+ passed, [0-9]+ failed|skipped: )' "$file" | tail -1)
    case $line in
    skipped:*) echo "        $name: $line"; return ;;
    '') echo "FAILED  $name"; tail -n 60 "$file"; failed=$((failed + 1)); return ;;
    esac
    grep -E '^(SKIPPED|known) ' "$file" | sed 's/^/        /'
    local good=${line%% passed*} rest=${line#*, }
    passed=$((passed + good)) failed=$((failed + ${rest%% failed*}))
    echo "$([ "${rest%% failed*}" = 0 ] && echo 'ok     ' || echo 'FAILED ') $name: $line"
    [ "${rest%% failed*}" = 0 ] || tail -n 200 "$file"
}

# cases DIR NAME [ARGUMENT...]: of tests/cases/run.py
cases() {
    local dir=$1 name=$2
    shift 2
    counted "$name" /usr/bin/python3 tests/cases/run.py --build "$dir" -j "$jobs" "$@"
}

started=$SECONDS
step() { printf '== %s (%d s)\n' "$1" $((SECONDS - started)); }

step "build with gcc"
check "build with gcc" build build-dev -DCMAKE_BUILD_TYPE=Debug -DCMAKE_C_COMPILER=gcc
if [ $failed = 0 ]; then
    case $what in unit | quick | all) step "unit tests"; units build-dev "unit tests" ;; esac
    case $what in
    cases | all) step "cases, through both engines"; cases build-dev "cases" --both ;;
    quick) step "cases"; cases build-dev "a handful of cases" "directory/*" "faults/*" "keys/*" "cli/*" ;;
    esac
fi
if [ "$what" = faults ] && [ $failed = 0 ]; then
    shift
    step "builds for the proof"
    check "build with crash points" build build-crash -DCMAKE_BUILD_TYPE=Debug -DCMAKE_C_COMPILER=gcc -DPIXMILL_CRASH_POINTS=ON -DPIXMILL_TESTS=OFF
    TARGET=fuzzers check "build the fuzz targets" build build-fuzz -DCMAKE_BUILD_TYPE=RelWithDebInfo -DCMAKE_C_COMPILER=clang -DPIXMILL_SANITIZE=ON -DPIXMILL_FUZZ=ON
    tests/e2e/setup.sh >/dev/null 2>"$log/setup" || { tail -n 1 "$log/setup"; [ $? = 77 ] || failed=$((failed + 1)); }
    step "the proof, row by row"
    /usr/bin/python3 tests/faults.py --build build-dev --crash build-crash --fuzz build-fuzz "$@" 2>&1 | tee "$log/faults"
    count "the proof" "$log/faults" >/dev/null
fi
if [ "$what" = all ] && [ $failed = 0 ]; then
    step "pictures"
    counted "pictures" /usr/bin/python3 tests/pictures/run.py --build build-dev -j "$jobs"
    step "hostile images"
    counted "hostile images" tests/hostile.sh build-dev
    step "bundle"
    if tests/bundle/build.sh build-bundle "${launcher[@]}" >"$log/bundle" 2>&1; then
        counted "bundle, zip and the prebuilt libvips" tests/bundle/run.sh build-bundle build-dev
        counted "pictures with the prebuilt libvips" /usr/bin/python3 tests/pictures/run.py --build build-bundle -j "$jobs"
        counted "hostile images with the prebuilt libvips" tests/hostile.sh build-bundle
        packed+=(--zip "$PWD/build-bundle/pixmill-lambda.zip")
        if tests/bundle/image.sh pixmill-test build-bundle >"$log/image" 2>&1; then
            packed+=(--image localhost/pixmill-test)
        elif [ $? = 77 ]; then
            echo "        image: skipped: $(tail -n 1 "$log/image")"
        else
            check "build the image" sh -c 'cat "$0"; false' "$log/image"
        fi
    elif [ $? = 77 ]; then
        echo "        bundle: skipped: $(tail -n 1 "$log/bundle")"
    else
        check "build the bundle" sh -c 'cat "$0"; false' "$log/bundle"
    fi
    check "build with crash points" build build-crash -DCMAKE_BUILD_TYPE=Debug -DCMAKE_C_COMPILER=gcc -DPIXMILL_CRASH_POINTS=ON -DPIXMILL_TESTS=OFF
    step "clang"
    check "build with clang, counting lines" build build-coverage -DCMAKE_BUILD_TYPE=RelWithDebInfo -DCMAKE_C_COMPILER=clang -DPIXMILL_COVERAGE=ON
    rm -rf build-coverage/coverage
    step "soak, short"
    counted "soak of 1,000 images" /usr/bin/python3 tests/soak.py --build build-dev --images 1000
    # They wait for their peers most of the time: beside what follows, which needs the processors.
    tests/e2e/run.sh build-coverage --crash build-crash "${packed[@]}" >"$log/e2e" 2>&1 &
    e2e=$!
    step "sanitizers"
    export ASAN_OPTIONS=detect_leaks=1 LSAN_OPTIONS=suppressions=$PWD/tests/lsan.supp:print_suppressions=0
    check "build with sanitizers" build build-asan -DCMAKE_BUILD_TYPE=Debug -DCMAKE_C_COMPILER=gcc -DPIXMILL_SANITIZE=ON
    units build-asan "unit tests under ASan and UBSan"
    cases build-asan "cases under ASan and UBSan"
    counted "hostile images under ASan and UBSan" tests/hostile.sh build-asan
    # One of each way through decoders, colours, turns, frames and metadata; all of them take a quarter of an hour.
    counted "some pictures under ASan and UBSan" /usr/bin/python3 tests/pictures/run.py --build build-asan -j "$jobs" jpeg-cmyk-profile \
        jpeg-orientation-6 png-rgba-16 png-palette-alpha png-cicp-p3-16 webp-moving-patches gif-moving-clear tiff-16-alpha tiff-tiles tiff-f32-rgb \
        avif-alpha heic-10-bit jxl-alpha svg-text tags-jpeg-turned tags-bigtiff tags-webp
    unset ASAN_OPTIONS LSAN_OPTIONS
    step "unit tests and cases, counting lines"
    units build-coverage "unit tests, with clang and counters"
    cases build-coverage "cases, with clang and counters"
    step "fuzzing"
    TARGET=fuzzers check "build the fuzz targets" build build-fuzz -DCMAKE_BUILD_TYPE=RelWithDebInfo -DCMAKE_C_COMPILER=clang -DPIXMILL_SANITIZE=ON -DPIXMILL_FUZZ=ON
    units build-fuzz "fuzz targets, for some seconds each" fuzz
    step "house checks"
    for script in tests/lint/*.sh; do
        [ -e "$script" ] && check "$(basename "$script" .sh)" bash "$script" build-dev
    done
fi
if [ -n "${e2e:-}" ]; then
    step "end to end"
    wait "$e2e"
    count "end to end, with radosgw and moto" "$log/e2e"
    step "deployment"
    counted "templates and manifests" tests/deploy/run.sh build-dev
fi
if [ "$what" = all ] && [ -d build-coverage/coverage ]; then
    step "coverage"
    check "coverage is at least 85 %" tests/coverage.sh build-coverage --least 85
    covered=$(tail -n 1 "$log/out")
fi
step "what is left"
check "no process of pixmill is left" tests/leftovers.py list "$PPID"
step "done"
[ -z "${covered:-}" ] || echo "$covered"
echo "$passed passed, $failed failed"
[ $failed = 0 ]
