#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Every test, stage by stage; the last line is "N passed, N failed". Exit code 1 if anything failed or didn't run.
# Usage: tests/run.sh [STAGE...]     stages: build checks unit unit-asan judge xray watch live php apps e2e e2e-asan fuzz
# BUILD (build), PHP_CONFIG, FUZZ_SECONDS (not set: the same inputs each time), KEEP_LOGS=DIR, PYTEST_ARGS in the environment.
set -uo pipefail
cd "$(dirname "$0")/.."
all_stages="build checks unit unit-asan judge xray watch live php apps e2e e2e-asan fuzz"
stages=${*:-$all_stages}
logs=${KEEP_LOGS:-$(mktemp -d)}
mkdir -p "$logs"
build=${BUILD:-build}
bin=$(realpath -m "$build") # the programs' folder, absolute
python=/usr/bin/python3
[ -x $python ] || python=python3
passed=0 failed=0 began=$SECONDS
export PYTHONDONTWRITEBYTECODE=1

say() { printf '%s\n' "$*"; }

add() { passed=$((passed + $1)); failed=$((failed + $2)); }

# Nothing may hang for ever: what takes this long is ended and has failed.
STAGE_SECONDS=1800
bounded() { timeout --foreground -k 30 "$STAGE_SECONDS" "$@"; }

# One check: a name and a command; its output is shown when it fails.
check() {
    local name=$1
    shift
    if "$@" >"$logs/check.log" 2>&1; then
        add 1 0
        say "  ok    $name"
    else
        add 0 1
        say "  FAIL  $name"
        sed 's/^/        /' "$logs/check.log" | tail -60
    fi
}

setup() { # folder, compiler, meson options...
    local dir=$1 cc=$2
    shift 2
    if [ ! -e "$dir/build.ninja" ]; then
        CC=$cc meson setup "$dir" ${PHP_CONFIG:+-Dphp_config="$PHP_CONFIG"} "$@" >"$logs/setup.log" 2>&1 || { tail -30 "$logs/setup.log"; return 1; }
    else
        meson configure "$dir" -Dunit=true >/dev/null 2>&1 || return 1
    fi
    bounded ninja -C "$dir" >"$logs/ninja.log" 2>&1 || { grep -A12 -E 'error|FAILED' "$logs/ninja.log" | head -80; return 1; }
}
setup_gcc() { setup "$build" gcc -Dunit=true; }
setup_asan() { setup "$build-asan" clang -Dunit=true -Db_sanitize=address,undefined -Db_lundef=false -Doptimization=1; }
setup_fuzz() { setup "$build-fuzz" clang -Dfuzz=true -Dunit=false -Db_lundef=false; }

need_build() { # a build that must exist before a stage; a failure counts once
    if ! "$1"; then
        add 0 1
        say "  FAIL  $1"
        return 1
    fi
}

run_unit() { # build folder
    bounded meson test -C "$1" --no-rebuild --print-errorlogs --timeout-multiplier 3 >"$logs/unit.log" 2>&1
    local rc=$? text=$1/meson-logs/testlog.txt ok bad programs
    ok=$(grep -ac '^\[       OK \]' "$text" || true)
    bad=$(grep -acE '^\[  FAILED  \] [A-Za-z_]' "$text" || true)
    programs=$(awk '/^(Fail|Timeout|Unexpected Pass):/ {n += $2} END {print n + 0}' "$logs/unit.log")
    # A program that crashed said nothing of its tests; cmocka names a failed test twice.
    bad=$(((bad + 1) / 2))
    [ $rc -eq 0 ] || [ "$bad" -ge "$programs" ] || bad=$programs
    [ $rc -eq 0 ] || [ "$bad" -gt 0 ] || bad=1
    [ "$bad" -eq 0 ] || grep -aE '^(not ok|\[  FAILED|.*(FAIL|TIMEOUT|ERROR))' "$logs/unit.log" | head -40
    add "$ok" "$bad"
    say "  $ok passed, $bad failed"
}

run_pytest() { # folder of tests
    [ -n "$(find "$1" -name 'test_*.py' 2>/dev/null | head -1)" ] || { say "  no tests in $1"; return; }
    # A test that hangs says where before the whole is ended.
    bounded $python -m pytest -q -p no:cacheprovider -o faulthandler_timeout=900 --tb=short -r fE ${PYTEST_ARGS:-} "$1" 2>&1 | tee "$logs/pytest.log" |
        sed -u 's/^/  /' | grep --line-buffered -v '^  $'
    local rc=${PIPESTATUS[0]} ok bad
    ok=$(tail -3 "$logs/pytest.log" | grep -oE '[0-9]+ passed' | tail -1 | cut -d' ' -f1)
    bad=$(tail -3 "$logs/pytest.log" | grep -oE '[0-9]+ (failed|error)' | awk '{n += $1} END {print n + 0}')
    [ "$rc" -eq 0 ] || [ "${bad:-0}" -gt 0 ] || bad=1
    add "${ok:-0}" "${bad:-0}"
}

# How many inputs a replay makes: some seconds' worth on two cores.
fuzz_runs() {
    case $1 in
        server) echo 1000 ;;
        kfile | maps | recording) echo 3000 ;;
        conf) echo 10000 ;;
        *) echo 100000 ;;
    esac
}

# The inputs that are kept, then new ones. Without seconds it is a replay: a fixed seed, a fixed number and fixed addresses (the
# fuzzer's choices depend on them), so that nobody is refused for an input that only this run happened to make.
fuzz_one() { # binary, seconds or nothing, logs
    local name=${1##*/fuzz_} fixed=()
    find "tests/fuzz/corpus/$name" "tests/fuzz/regression/$name" -type f 2>/dev/null | LC_ALL=C sort | paste -sd, |
        tr -d '\n' >"$3/seeds"
    [ -s "$3/seeds" ] || { echo "no corpus in tests/fuzz/corpus/$name"; return 1; }
    if [ -z "$2" ]; then
        ! setarch -R true 2>/dev/null || fixed=(setarch -R)
        set -- "$1" 120 "$3" -seed=1 -runs="$(fuzz_runs "$name")"
    fi
    timeout --foreground -k 10 $(($2 + 300)) "${fixed[@]}" "$1" -seed_inputs=@"$3/seeds" -max_total_time="$2" -timeout=60 -rss_limit_mb=1024 \
        -artifact_prefix="$build-fuzz/crash-$name-" "${@:4}"
}

stage_build() { check "builds with gcc" setup_gcc; }

generated_docs_are_current() {
    rm -rf "$logs/docs"
    tools/make-docs.sh "$build/plimsoll" "$logs/docs" || return 1
    local page rc=0
    for page in "$logs"/docs/*.md; do
        diff -u "docs/$(basename "$page")" "$page" || rc=1
    done
    return $rc
}

stage_checks() {
    check "layers and files" tools/check-layers.py
    check "each header compiles alone" tools/check-headers.sh
    need_build setup_gcc || return
    check "generated docs are current" generated_docs_are_current
    check "make install keeps to its folders" tools/check-install.sh "$build"
}

stage_unit() { need_build setup_gcc && run_unit "$build"; }

stage_unit-asan() {
    export UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1
    need_build setup_asan && run_unit $build-asan
}

run_xray_pytest() { PLIMSOLL=$bin/plimsoll PLIMSOLL_XRAY=$bin/plimsoll-xray run_pytest "$1"; }

# The judge of memory: its confusion table (each row is a check), then recordings through plimsoll-xray --replay.
stage_judge() {
    need_build setup_gcc || return
    local rc ok bad
    bounded "$build/tests/traces/judge-table" 2>&1 | tee "$logs/judge.log" | sed -u 's/^/  /'
    rc=${PIPESTATUS[0]}
    ok=$(grep -c '^ok  ' "$logs/judge.log")
    bad=$(grep -c '^FAIL ' "$logs/judge.log")
    [ "$rc" -eq 0 ] || [ "$bad" -gt 0 ] || bad=1
    add "$ok" "$bad"
    JUDGE_TABLE=$bin/tests/traces/judge-table run_xray_pytest tests/traces
}

# plimsoll-xray's commands over made-up containers and real ones; its page in a browser.
stage_xray() {
    need_build setup_gcc || return
    run_xray_pytest tests/xray
    run_xray_pytest tests/tune
    run_xray_pytest tests/report
}
stage_watch() { need_build setup_gcc && run_xray_pytest tests/watch; }
# Real leaks and what only looks like one, in memory cgroups, user-mode Linux and gVisor, all at a time.
stage_live() { need_build setup_gcc && run_xray_pytest tests/live; }

stage_php() {
    need_build setup_gcc && PHP_DRIVE=$bin/tests/php/php-drive PLIMSOLL_PHP=$bin/plimsoll-php run_pytest tests/php
}
stage_apps() { need_build setup_gcc && PLIMSOLL=$bin/plimsoll run_pytest tests/apps; }
stage_e2e() { need_build setup_gcc && PLIMSOLL=$bin/plimsoll run_pytest tests/e2e; }
stage_e2e-asan() {
    need_build setup_asan && PLIMSOLL=$bin-asan/plimsoll ASAN_OPTIONS=detect_leaks=0 run_pytest tests/e2e
}

stage_fuzz() {
    need_build setup_fuzz || return
    local target seconds=${FUZZ_SECONDS:-} how=replayed
    [ -z "$seconds" ] || how="$seconds s"
    for target in $build-fuzz/tests/fuzz/fuzz_*; do
        if [ -f "$target" ] && [ -x "$target" ]; then
            check "${target##*/}, $how" fuzz_one "$target" "$seconds" "$logs" || true
        fi
    done
}

for stage in $stages; do
    case " $all_stages " in
        *" $stage "*) ;;
        *) say "tests/run.sh: no stage is called '$stage' ($all_stages)" >&2; exit 2 ;;
    esac
    say "== $stage"
    t=$SECONDS
    "stage_$stage"
    say "   $((SECONDS - t)) s"
done
say "all stages: $((SECONDS - began)) s"
[ -n "${KEEP_LOGS:-}" ] || rm -rf "$logs"
say "$passed passed, $failed failed"
[ $failed -eq 0 ]
