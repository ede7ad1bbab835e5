#!/bin/sh
# Boots a systemd of its own on an overlay of this machine's files, gone with the namespaces that `unshare`
# made, and runs inside.sh in it.
#
#   boot.sh STAGE     STAGE has the packages and inside.sh; it is /host in there
set -e
stage=$1
mount --make-rprivate /
root=$stage/root
mkdir -p "$root"
mount -t tmpfs tmpfs "$root"
mkdir -p "$root/upper" "$root/work" "$root/all"
mount -t overlay overlay -o "lowerdir=/,upperdir=$root/upper,workdir=$root/work" "$root/all"
cd "$root/all"
mkdir -p host old
mount --bind "$stage" host
mount -t proc proc proc
mount -t sysfs -o ro sysfs sys
for place in run tmp dev; do mount -t tmpfs tmpfs $place; done
for node in null:3 zero:5 full:7 random:8 urandom:9; do
    mknod -m 666 "dev/${node%:*}" c 1 "${node#*:}"
done
mknod -m 666 dev/tty c 5 0
mkdir dev/pts dev/shm
mount -t devpts -o newinstance,ptmxmode=0666 devpts dev/pts
ln -s pts/ptmx dev/ptmx
mount -t cgroup2 cgroup2 sys/fs/cgroup

# No other service starts by itself, and nothing is left of a Pen.
rm -rf etc/systemd/system etc/pen var/log/journal
mkdir -p etc/systemd/system
rm -f usr/sbin/policy-rc.d
cat >etc/systemd/system/inside.service <<'UNIT'
[Unit]
DefaultDependencies=no
[Service]
Type=oneshot
StandardOutput=append:/host/outcome
StandardError=append:/host/said
ExecStart=/bin/bash /host/inside.sh
ExecStopPost=/bin/sh -c 'echo end >>/host/outcome'
UNIT

ip link set lo up
pivot_root . old
umount -l old
exec env -i container=other PATH=/usr/sbin:/usr/bin:/sbin:/bin \
    /lib/systemd/systemd --log-target=null --show-status=0 --unit=inside.service
