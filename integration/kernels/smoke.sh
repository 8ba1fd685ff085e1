#!/bin/busybox sh
# The first process of the test machine: the probe on a child that talks to itself, by both kinds of hooks.
/bin/busybox --install -s /bin
export PATH=/bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
ip link set lo up
echo "kernel: $(uname -r)"
echo "smoke: $(smoke 2>&1)"
echo "hooks: $(smoke hooks 2>&1)"
poweroff -f
