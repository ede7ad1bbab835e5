# The shell of a machine. Its first argument is the directory where what is to be typed lies in files;
# the numbers of these files come in by standard input.
dir=$1
set -e
mkdir "$dir/etc"
mount -t tmpfs none "$dir/etc"
cp -a /etc/. "$dir/etc"
mount --bind "$dir/etc" /etc
for place in /dev/shm /run /srv /var/lib /var/log /var/spool /var/cache; do
    mount -t tmpfs -o mode=755 none $place
done
chmod 1777 /dev/shm
hostname "$MACHINE"
ip link set lo up
cd /srv
set +e
while read -r number; do
    eval "$(cat "$dir/$number.typed")" >"$dir/$number.printed" 2>&1 </dev/null
    echo $? >"$dir/$number.status.part"
    mv "$dir/$number.status.part" "$dir/$number.status"
done
