#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Runs every fuzz target of a build directory for some seconds over its corpus; what it finds new is thrown away, except an
# input that fails, which is kept and named.
#   tests/fuzz/run.sh DIR SECONDS
set -u
[ $# -eq 2 ] || { echo "usage: $0 DIR SECONDS" >&2; exit 2; }
dir=$1 seconds=$2
corpus=$(cd "$(dirname "$0")" && pwd)/corpus
scratch=$(mktemp -d) || exit 1
failed=0 ran=0

for fuzzer in "$dir"/tests/fuzz/fuzz_*; do
    [ -f "$fuzzer" ] && [ -x "$fuzzer" ] || continue
    name=${fuzzer##*/fuzz_}
    if [ ! -d "$corpus/$name" ]; then
        echo "fuzz_$name: FAILED: no corpus in tests/fuzz/corpus/$name"
        failed=1
        continue
    fi
    ran=$((ran + 1))
    mkdir "$scratch/$name"
    # Every committed input first (libFuzzer takes them from the second folder), new ones go to the scratch folder.
    if "$fuzzer" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=1024 -print_final_stats=1 -artifact_prefix="$scratch/$name-" \
        "$scratch/$name" "$corpus/$name" >"$scratch/$name.log" 2>&1; then
        runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$scratch/$name.log")
        echo "fuzz_$name: ok, $(ls "$corpus/$name" | wc -l) seeds, $runs runs"
    else
        failed=1
        echo "fuzz_$name: FAILED"
        grep -v '^#[0-9]*[[:space:]]*\(NEW\|REDUCE\|pulse\)' "$scratch/$name.log" | tail -40
        ls "$scratch/$name"-* 2>/dev/null
    fi
    rm -rf "${scratch:?}/$name"
done

[ "$ran" -gt 0 ] || { echo "no fuzz targets in $dir/tests/fuzz (meson setup -Dfuzz=true)" >&2; failed=1; }
[ "$failed" -ne 0 ] || rm -rf "$scratch"
exit "$failed"
