# Runs inside the system that boot.sh boots: starts the shipped units in each mode, and asks what came of
# it. Each line of its outcome is "MODE what answer".
out=/host/outcome

tell() { echo "$mode $*" >>$out; }

# Serves from FILE of /etc/pen with the drop-ins named behind it.
mode() {
    mode=$1 file=$2
    shift 2
    rm -rf /etc/systemd/system/pen.service.d
    mkdir -p /etc/systemd/system/pen.service.d
    for drop in "$@"; do cp "/host/dist/examples/$drop.conf" /etc/systemd/system/pen.service.d/; done
    cp "/etc/pen/$file" /etc/pen/pen.cfg
    systemctl daemon-reload
    systemctl start "${unit:-pen.service}" || systemctl --no-pager status pen.service
}

account() {
    control=${1:-/run/pen/control} service=${2:-pen.service}
    pid=$(systemctl show -P MainPID "$service")
    tell state "$(systemctl show -P ActiveState "$service")"
    tell uid "$(sed -n 's/^Uid:\t\([0-9]*\)\t.*/\1/p' "/proc/$pid/status")"
    for thread in /proc/"$pid"/task/*/status; do
        tell rights "$(sed -n 's/^CapEff:\t//p; s/^NoNewPrivs:\t//p; s/^Seccomp:\t//p' "$thread" | tr '\n' ' ')"
    done
    tell sandbox "$(penctl "$control" sandbox | tr '\n' ' ')"
}

http() {
    tell http "$(bash -c "exec 3<>/dev/tcp/127.0.0.1/$1 && printf 'GET / HTTP/1.0\r\n\r\n' >&3 && head -n 1 <&3" | tr -d '\r')"
}

# A guest's visit to ADDRESS PORT: the line that he is told.
visit() {
    tell visit "$(timeout 20 ip netns exec guest bash -c 'exec 3<>/dev/tcp/$0/$1 && head -n 1 <&3' "$1" "$2")"
}

stop() {
    systemctl reload "${1:-pen.service}"
    tell reloaded "$(systemctl show -P ActiveState "${1:-pen.service}")"
    systemctl stop "${1:-pen.service}"
    tell ended "$(systemctl show -P Result "${1:-pen.service}")"
}

# A guest and a server, machines of their own at both sides of this one, and together with it on a segment.
for machine in guest:outside server:inside; do
    name=${machine%:*} cable=${machine#*:}
    ip netns add "$name"
    ip link add "$cable" type veth peer name eth0 netns "$name"
    ip link add "$name" type veth peer name eth1 netns "$name"
    for end in lo eth0 eth1; do ip -n "$name" link set "$end" up; done
    ip link set "$cable" up
    ip link set "$name" up
done
ip addr add 203.0.113.1/24 dev outside
ip -n guest addr add 203.0.113.7/24 dev eth0
ip addr add 198.51.100.1/24 dev inside
ip -n server addr add 198.51.100.9/24 dev eth0
ip -n server route add default via 198.51.100.1
ip link add lan type veth peer name wire
ip link add switch type bridge
for plug in wire guest server; do ip link set "$plug" master switch; done
for end in switch lan wire; do ip link set "$end" up; done
ip addr add 192.0.2.1/24 dev lan
ip -n guest addr add 192.0.2.7/24 dev eth1
ip -n server addr add 192.0.2.9/24 dev eth1
ip netns exec server sysctl -q -w net.ipv4.conf.all.arp_ignore=1 net.ipv4.conf.all.arp_announce=2
ip -n server addr add 192.0.2.100/32 dev lo
for door in 'udp 198.51.100.9 5353' 'tcp 198.51.100.9 9000' 'tcp 192.0.2.100 80'; do
    ip netns exec server python3 /host/answer.py $door &
done

mode plain plain.cfg
account
http 80
tell log "$(stat -c '%U %a' /var/log/pen/web.log)"
stop

mode strict plain.cfg strict
account
http 80
stop

mode tls tls.cfg tls
account
tell tls "$(echo | openssl s_client -connect 127.0.0.1:443 2>/dev/null | grep -c 'BEGIN CERTIFICATE')"
stop

mode udp udp.cfg
account
tell visit "$(timeout 20 ip netns exec guest bash -c 'exec 3<>/dev/udp/203.0.113.1/53 && echo question >&3 && head -n 1 <&3')"
tell flows "$(penctl /run/pen/control flows | tr '\n' ' ')"
stop

# What the server answers to the guest's address belongs to Pen (docs/transparent.md).
ip rule add iif inside lookup 100
ip route add local default dev lo table 100
mode transparent transparent.cfg transparent
account
visit 203.0.113.1 8080
stop

mode dsr dsr.cfg dsr
account
visit 192.0.2.100 80
tell frames "$(penctl /run/pen/control dsr | tr '\n' ' ')"
tell interface "$(penctl /run/pen/control dsr | head -n 1)"
stop

unit=pen.socket mode socket plain.cfg socket
http 80
account
stop
systemctl stop pen.socket
unit=

mode=instance
cp /etc/pen/plain.cfg /etc/pen/web.cfg
systemctl start pen@web.service
account /run/pen-web/control pen@web.service
http 80
stop pen@web.service

# Restarts under load: the listeners are kept, so clients wait and nobody is refused. Of two addresses one
# goes away with a change of the file.
mode restart restart.cfg
(
    while [ ! -e /host/enough ]; do
        if bash -c 'exec 3<>/dev/tcp/127.0.0.1/80 && printf "GET / HTTP/1.0\r\n\r\n" >&3 && head -n 1 <&3 | grep -q HTTP' 2>>/host/said
        then echo served; else echo failed; fi
    done >/host/load
) &
load=$!
for round in 1 2 3 4 5; do
    before=$(systemctl show -P MainPID pen.service) count=$(grep -c served /host/load)
    # More of them in ten seconds than systemd is patient with.
    systemctl reset-failed pen.service
    systemctl restart pen.service
    for _ in 1 2 3 4 5 6 7 8 9 10; do
        [ "$(grep -c served /host/load)" -gt $((count + 3)) ] && break
        sleep 0.3
    done
    [ "$before" = "$(systemctl show -P MainPID pen.service)" ] || tell round $round
done
tell kept "$(systemctl show -P NFileDescriptorStore pen.service)"
tell control "$(penctl /run/pen/control pid)"
sed -i 's/ 127.0.0.1:8081//' /etc/pen/pen.cfg
systemctl reset-failed pen.service
systemctl restart pen.service
tell unwanted "$(grep -c 'listener at 127.0.0.1:8081, where no service listens' /var/log/pen/events)"
tell gone "$(bash -c 'exec 3<>/dev/tcp/127.0.0.1/8081' 2>&1 | grep -q refused && echo yes)"
sleep 0.5
tell fewer "$(systemctl show -P NFileDescriptorStore pen.service)"
tell served "$(grep -c served /host/load)"
tell failed "$(grep -c failed /host/load)"
# Killed: the listeners outlive it as well. (Who was being served is lost.)
systemctl reset-failed pen.service
systemctl kill -s KILL --kill-whom=main pen.service
sleep 3
tell killed "$(systemctl show -P ActiveState pen.service)"
# The program is replaced without a restart: systemd is told which process is the service.
before=$(systemctl show -P MainPID pen.service) failed=$(grep -c failed /host/load)
systemctl kill -s USR2 --kill-whom=main pen.service
for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
    [ "$before" = "$(systemctl show -P MainPID pen.service)" ] || break
    sleep 0.3
done
[ "$before" = "$(systemctl show -P MainPID pen.service)" ] || tell replaced "$(systemctl show -P ActiveState pen.service)"
sleep 1
tell heir "$([ "$(penctl /run/pen/control pid)" = "$(systemctl show -P MainPID pen.service)" ] && echo serves)"
touch /host/enough
wait $load
tell lost $(($(grep -c failed /host/load) - failed))
# Another address with the port of one that is kept: the old one is in nobody's way.
sed -i 's/127.0.0.1:80/0.0.0.0:80/' /etc/pen/pen.cfg
systemctl reset-failed pen.service
systemctl restart pen.service
sleep 0.5
tell wider "$(systemctl show -P ActiveState pen.service) $(systemctl show -P NFileDescriptorStore pen.service)"
http 80
stop
tell dropped "$(systemctl show -P NFileDescriptorStore pen.service)"

# A file that cannot be served: the check says so, and nothing is started.
mode=broken
echo 'no such word' >/etc/pen/pen.cfg
rm -rf /etc/systemd/system/pen.service.d
systemctl daemon-reload
systemctl start pen.service
tell started $?
tell result "$(systemctl show -P Result pen.service)"
systemctl stop pen.service

echo end >>$out
