#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Builds and tests against several PHPs, one line each: version, threads or not, compiler, what the tests said.
# Usage: tools/php-matrix.sh PHP-CONFIG...        e.g. php-config8.2 /opt/php84-zts/bin/php-config
# CC_LIST (gcc clang), STAGES (php e2e; "" only builds; see tests/run.sh), FOLDER (build-matrix) in the environment. Exit code 1 if
# one failed.
# A PHP of one's own: ./configure --prefix=/opt/php84-zts --enable-embed --enable-zts --enable-opcache ..., make install.
set -u
cd "$(dirname "$0")/.."
[ $# -gt 0 ] || { echo "usage: tools/php-matrix.sh PHP-CONFIG..." >&2; exit 2; }
folder=${FOLDER:-build-matrix}
stages=${STAGES-php e2e}
mkdir -p "$folder"
failed=0

line() { printf '%-12s %-4s %-6s %s\n' "$@"; }

one() { # php-config, compiler
    version=$("$1" --version) || { line "$1" - - "does not run"; return 1; }
    threads=NTS
    grep -q '^#define ZTS 1' "$("$1" --include-dir)/main/php_config.h" && threads=ZTS
    build=$folder/$version-$threads-$2
    if [ ! -e "$build/build.ninja" ] && ! CC=$2 meson setup "$build" -Dphp_config="$1" -Dunit=true >"$build.log" 2>&1; then
        line "$version" $threads "$2" "no build folder: $build.log"
        return 1
    fi
    if ! ninja -C "$build" >"$build.log" 2>&1; then
        line "$version" $threads "$2" "does not build: $build.log"
        return 1
    fi
    rc=0 said=builds
    if [ -n "$stages" ]; then
        BUILD=$build PHP_CONFIG=$1 tests/run.sh $stages >"$build.log" 2>&1 || rc=1
        said=$(tail -n 1 "$build.log")
        [ $rc -eq 0 ] || said="$said: $build.log"
    fi
    line "$version" $threads "$2" "$said"
    return $rc
}

for config in "$@"; do
    for cc in ${CC_LIST:-gcc clang}; do
        one "$config" "$cc" || failed=1
    done
done
exit $failed
