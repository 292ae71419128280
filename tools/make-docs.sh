#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Writes the pages that come from tables. Usage: tools/make-docs.sh PLIMSOLL DIR; plimsoll-xray is beside PLIMSOLL
set -eu
plimsoll=$1 dir=$2
mkdir -p "$dir"
page() { # name, option of `help`, program
    "${3:-$plimsoll}" help "$2" >"$dir/$1.new"
    mv "$dir/$1.new" "$dir/$1"
}
page configuration.md --reference
page metrics.md --metrics
page messages.md --messages
xray=$(dirname "$plimsoll")/plimsoll-xray
page memory-fields.md --fields "$xray"
page signatures.md --signatures "$xray"
