#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# PID 1 of a box: builds its file tree out of the machine's, says "box ready", and lives as long as its stdin.
# Environment: BOX_ROOT (folder that becomes /), BOX_TMPFS ("PATH OPTIONS" a line), BOX_CGROUP (folder to show as /sys/fs/cgroup/...),
# BOX_CGROUP_AT (where), BOX_CGROUP_TYPE (bind, cgroup or cgroup2), BOX_CGROUP_NS (yes: a cgroup namespace). Descriptor 9 is the
# group's cgroup.procs. BOX_BOUNDS: the capabilities that PID 1 keeps.
set -e
if [ "$1" = enter ]; then
    echo 0 >&9
    exec 9>&-
    [ "$BOX_CGROUP_NS" != yes ] || exec unshare --cgroup sh "$0"
fi
root=$BOX_ROOT
mount --make-rprivate /
mount --bind "$root" "$root"
for d in usr etc; do
    mount --bind "/$d" "$root/$d"
    mount -o remount,bind,ro "$root/$d"
done
for d in null zero full random urandom tty; do
    : >"$root/dev/$d"
    mount --bind "/dev/$d" "$root/dev/$d"
done
ln -s /proc/self/fd "$root/dev/fd"
mount -t proc proc "$root/proc"
case $BOX_CGROUP_TYPE in
    bind) mount --bind "$BOX_CGROUP" "$root$BOX_CGROUP_AT" && mount -o remount,bind,ro "$root$BOX_CGROUP_AT" ;;
    cgroup) mount -t cgroup -o memory,ro cgroup "$root$BOX_CGROUP_AT" ;;
    cgroup2) mount -t cgroup2 -o ro cgroup2 "$root$BOX_CGROUP_AT" ;;
esac
echo "$BOX_TMPFS" | while read -r path options; do
    [ -n "$path" ] || continue
    mkdir -p "$root$path"
    mount -t tmpfs -o "$options" tmpfs "$root$path"
done
ip link set lo up 2>/dev/null || busybox ip link set lo up
cd "$root"
pivot_root . old
cd /
umount -l /old
rmdir /old
# Docker's default capabilities from here on (rigs/levels.py).
exec setpriv --bounding-set "$BOX_BOUNDS" --inh-caps -all sh -c 'echo "box ready"; read -r _ || true'
