#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# PID 1 inside user-mode Linux: a cgroup v2 machine on the host's files. Runs RIG_SCRIPT (a shell file), then powers off.
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t cgroup2 cgroup2 /sys/fs/cgroup
mount -t devtmpfs devtmpfs /dev 2>/dev/null
ln -sf /proc/self/fd /dev/fd
mkdir -p /dev/shm /dev/pts
mount -t tmpfs -o mode=1777 tmpfs /dev/shm
mount -t tmpfs -o mode=1777 tmpfs /tmp
mount -t tmpfs tmpfs /run
ip link set lo up
echo "uml ready"
sh "$RIG_SCRIPT" </dev/null 2>&1
code=$?
sync
echo "uml done $code"
busybox poweroff -f
