#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Every header compiles alone, with gcc and with clang. Usage: tools/check-headers.sh   (PHP_CONFIG, CC_LIST in the environment)
set -eu
cd "$(dirname "$0")/.."
php=$("${PHP_CONFIG:-php-config}" --includes 2>/dev/null || true)
failed=0
count=0
for cc in ${CC_LIST:-gcc clang}; do
    command -v "$cc" >/dev/null || { echo "check-headers.sh: no $cc here" >&2; exit 2; }
    for header in $(find src -name '*.h' | sort); do
        case $header in
            src/php/*) includes=$php ;; # nobody else sees PHP
            *) includes= ;;
        esac
        count=$((count + 1))
        printf '#include "%s"\n' "${header#src/}" |
            "$cc" -std=gnu17 -D_GNU_SOURCE -DPLIMSOLL_VERSION='""' -Wall -Wextra -Werror -Wno-unused-parameter -Wno-unused-function \
                -fsyntax-only -Isrc $includes -x c - || { echo "$header does not compile alone ($cc)"; failed=$((failed + 1)); }
    done
done
[ $failed -eq 0 ] || exit 1
echo "headers: $count compiled alone"
