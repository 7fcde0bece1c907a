#!/bin/busybox sh
# The first process of the guest: puts a root file system together and hands over to the host's shell in it.
# The host's own root lies underneath and cannot be written; the tree under test is laid over its place in it.
export PATH=/bin
mount -t proc proc /proc
mount -t devtmpfs dev /dev
for module in /modules/*; do insmod "$module" || echo "insmod $module failed"; done
read_only=trans=virtio,version=9p2000.L,msize=512000,cache=loose,ro
mount -t 9p -o "$read_only" hostroot /host
mount -t tmpfs upper /upper
mkdir /upper/changes /upper/work
mount -t overlay -o lowerdir=/host,upperdir=/upper/changes,workdir=/upper/work root /new
mkdir -p "/new$FLASHDECK_TREE"
mount -t 9p -o "$read_only" tree "/new$FLASHDECK_TREE"
mount --bind "/host$FLASHDECK_TREE/.venv" "/new$FLASHDECK_TREE/.venv"
mount -t proc proc /new/proc
mount -t sysfs sys /new/sys
mount -t devtmpfs dev /new/dev
mkdir -p /new/dev/pts /new/dev/shm
mount -t devpts pts /new/dev/pts
mount -t tmpfs shm /new/dev/shm
mount -t tmpfs run /new/run
mkdir /new/run/results /new/run/t /new/run/home
mount -t 9p -o trans=virtio,version=9p2000.L,msize=512000 results /new/run/results
exec switch_root /new /bin/sh "$FLASHDECK_TREE/tests/vm/guest.sh"
