#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# No function or variable of ours that lands in plimsoll-php may bear the name of one that libphp exports: the linker would
# silently let ours stand for PHP's. Usage: check-php-symbols.sh BUILD-DIR [LIBPHP.SO]
set -eu
build=${1:?usage: check-php-symbols.sh BUILD-DIR [LIBPHP.SO]}
program=$(find "$build" -name plimsoll-php -type f | head -n 1)
[ -n "$program" ] || { echo "no plimsoll-php below $build" >&2; exit 2; }
lib=${2:-$(ldd "$program" | awk '/libphp/ { print $3; exit }')}
[ -n "$lib" ] || { echo "plimsoll-php links no libphp" >&2; exit 2; }
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

find "$build/src/base" "$build/src/ipc" "$build/src/php" "$build/src/mold" "$build/src/worker" -name '*.o' \
    -exec nm -g --defined-only {} + | awk 'NF == 3 { print $3 }' | sort -u > "$tmp/ours"
nm -D --defined-only "$lib" | awk 'NF == 3 { sub(/@.*/, "", $3); print $3 }' | sort -u > "$tmp/theirs"
[ -s "$tmp/ours" ] && [ -s "$tmp/theirs" ] || { echo "found no symbols to compare" >&2; exit 2; }
comm -12 "$tmp/ours" "$tmp/theirs" | grep -vx main > "$tmp/both" || true
if [ -s "$tmp/both" ]; then
    echo "these names of ours are also libphp's:" >&2
    cat "$tmp/both" >&2
    exit 1
fi
echo "$(wc -l < "$tmp/ours") names of ours, none of them libphp's"
