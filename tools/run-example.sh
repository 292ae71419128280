#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Serves the example application with the build in BUILD. Usage: tools/run-example.sh BUILD LISTEN
# As root PHP runs as www-data, which can't look into a checkout below /root: the example is copied to where it can.
set -eu
build=$1 listen=$2
cd "$(dirname "$0")/.."
build=$(realpath "$build")
if [ "$(id -u)" -ne 0 ]; then
    exec "$build/plimsoll" serve example --listen "$listen"
fi
copy=/var/lib/plimsoll-example
mkdir -p "$copy"
rm -rf "$copy/public" "$copy/src" "$copy/templates" # what visitors wrote stays in var/
cp -R example/. "$copy/"
mkdir -p "$copy/var"
chown -R www-data:www-data "$copy"
chmod -R u+rwX,go+rX "$copy"
echo "The example was copied to $copy, where www-data can read it."
exec "$build/plimsoll" serve "$copy" --listen "$listen"
