#!/bin/sh
# Boots a systemd of its own: process 1 of new namespaces (mount, pid, network and the rest are made by
# `unshare`), on an overlay of this machine's files that is gone with it.
#
#   boot.sh STAGE     STAGE has: pen, penctl, dist (the shipped units), files (for /etc/pen), probe.sh;
#                     probe.sh runs when the system is up and finds STAGE at /host
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

# The machine of a package that was just installed, and nothing else that starts by itself.
rm -rf etc/systemd/system etc/pen
mkdir -p etc/systemd/system etc/pen
cp host/pen host/penctl usr/bin/
cp host/dist/pen.service host/dist/pen@.service host/dist/pen.socket etc/systemd/system/
cp -r host/files/. etc/pen/
for name in pen:61990 ssl-cert:61991; do
    id=${name#*:} name=${name%:*}
    grep -q "^$name:" etc/group || echo "$name:x:$id:" >>etc/group
    grep -q "^$name:" etc/passwd || echo "$name:x:$id:$id::/:/usr/sbin/nologin" >>etc/passwd
done
chgrp -R ssl-cert etc/pen/keys
chmod 750 etc/pen/keys
cat >etc/systemd/system/probe.service <<'UNIT'
[Unit]
DefaultDependencies=no
[Service]
Type=oneshot
StandardOutput=append:/host/said
StandardError=append:/host/said
ExecStart=/bin/sh /host/probe.sh
UNIT

ip link set lo up
pivot_root . old
umount -l old
exec env -i container=other PATH=/usr/sbin:/usr/bin:/sbin:/bin \
    /lib/systemd/systemd --log-target=null --show-status=0 --unit=probe.service
