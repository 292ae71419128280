#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# `make install` puts everything below DESTDIR and PREFIX, also where the build was set up for another prefix, and each unit's
# program and manual lie where the unit says.
#   tools/check-install.sh BUILD
set -euo pipefail
cd "$(dirname "$0")/.."
build=$1
dest=$(mktemp -d)
before=$(meson introspect --buildoptions "$build" | python3 -c 'import json, sys
print(next(o["value"] for o in json.load(sys.stdin) if o["name"] == "prefix"))')
trap 'rm -rf "$dest"; meson configure "$build" -Dprefix="$before" && ninja -C "$build" build.ninja' EXIT

make --no-print-directory install BUILD="$build" DESTDIR="$dest" PREFIX=/opt/plimsoll
elsewhere=$(find "$dest" -type f ! -path "$dest/opt/plimsoll/*")
[ -z "$elsewhere" ] || { echo "outside of the prefix: $elsewhere" && exit 1; }
for unit in "$dest"/opt/plimsoll/lib/systemd/system/*.service; do
    grep -hoE '/[a-z/]*/(bin|share/doc)/[A-Za-z./-]+' "$unit" | tr -s / | grep -v ^/bin/ | while read -r path; do
        [ -f "$dest$path" ] || { echo "${unit##*/} names $path, which isn't installed" && exit 1; }
    done
done
[ -x "$dest/opt/plimsoll/bin/plimsoll-php" ]
for program in plimsoll plimsoll-xray; do
    "$dest/opt/plimsoll/bin/$program" --version
done
