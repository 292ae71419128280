#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Keeps a box: makes its group, runs its init inside, and when that has ended removes group and folder. Init ends when our stdin
# does: whoever made the box may be killed in any way, and nothing is left.
# Usage: box_keeper.sh GROUP LIMIT_FILE LIMIT FOLDER UNSHARE_OPTION...
group=$1 file=$2 limit=$3 folder=$4
shift 4
trap '' INT TERM HUP
tidy() {
    tries=0
    while [ -d "$group" ] && ! rmdir "$group" 2>/dev/null; do
        while read -r pid; do kill -9 "$pid"; done <"$group/cgroup.procs" 2>/dev/null
        tries=$((tries + 1))
        [ $tries -lt 600 ] || { echo "box keeper: $group stays"; break; }
        sleep 0.05
    done
    rm -rf -- "$folder"
}
mkdir "$group" && echo "$limit" >"$group/$file" || { tidy; exit 1; }
here=$(dirname "$0")
# Init moves itself: what is not visible in its pid namespace stays outside of the group, as in Docker.
unshare --fork --kill-child "$@" sh "$here/box_init.sh" enter 9>"$group/cgroup.procs"
tidy
