#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# PID 1 of a pid namespace around a user-mode Linux: all ends when our stdin or the machine does. The folder of the machine goes
# with it. Usage (uml.py): uml_keeper.sh outer FOLDER COMMAND...
side=$1
shift
if [ "$side" = outer ]; then
    folder=$1
    shift
    trap '' INT TERM HUP
    unshare --pid --mount-proc --fork --kill-child sh "$0" inner "$@"
    rm -rf -- "$folder"
else
    exec 3<&0
    "$@" </dev/null 3<&- &
    machine=$!
    { read -r _ <&3 || true; kill -9 $machine; } &
    wait $machine
fi
