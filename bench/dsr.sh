#!/usr/bin/env bash
# Direct server return beside the kernel's own forwarding and the classic pen, between network
# namespaces: a client floods the service with small datagrams from core 1, the balancer has core 0.
# Rounds in turn; at the end the median of each, least to most. BEFORE=PROGRAM measures another build
# of Pen beside. FRAMES=1 floods with raw frames: sockets of UDP cannot send as many as are forwarded.
# As root, with ip, nft and taskset:
#
#   cargo build --release -p pen -p pen-tools
#   cargo build --release -p pen-test --example flood && cargo build --release -p pen-sys --examples
#   bench/dsr.sh [SECONDS [ROUNDS]]
set -euo pipefail
cd "$(dirname "$0")/.."
built=$PWD/${CARGO_TARGET_DIR:-target}/release
seconds=${1:-4}
rounds=${2:-3}
port=5353
name=dsr$$
tmp=$(mktemp -d)
spaces=(client pen s0 s1 switch)
inside() { ip netns exec "$name$1" "${@:2}"; }
finish() {
    for n in "${spaces[@]}"; do ip netns del "$name$n" 2>/dev/null || true; done
    rm -rf "$tmp"
}
trap finish EXIT

for n in "${spaces[@]}"; do ip netns add "$name$n" && ip -n "$name$n" link set lo up; done
ip -n "${name}switch" link add br0 type bridge
ip -n "${name}switch" link set br0 up
# A switch looks at hardware addresses only.
inside switch sysctl -q -w net.bridge.bridge-nf-call-iptables=0 2>/dev/null || true
for n in client pen s0 s1; do
    ip -n "$name$n" link add eth0 type veth peer name "p$n" netns "${name}switch"
    ip -n "$name$n" link set eth0 up
    ip -n "${name}switch" link set "p$n" master br0 up
done
ip -n "${name}client" address add 10.0.0.2/24 dev eth0
ip -n "${name}pen" address add 10.0.0.50/24 dev eth0
for i in 0 1; do
    inside s$i sysctl -q -w net.ipv4.conf.all.arp_ignore=1 net.ipv4.conf.all.arp_announce=2
    ip -n "${name}s$i" address add 10.0.0.1$((i + 1))/24 dev eth0
    ip -n "${name}s$i" address add 10.0.0.100/32 dev lo
    # What has arrived is counted and dropped.
    inside s$i nft 'add table netdev t; add chain netdev t c { type filter hook ingress device eth0 priority -300; }'
    inside s$i nft "add rule netdev t c udp dport $port counter drop"
done

arrived() {
    local sum=0 i
    for i in 0 1; do
        sum=$((sum + $(inside s$i nft list table netdev t | sed -n 's/.*counter packets \([0-9]*\).*/\1/p')))
    done
    echo $sum
}
ticks() { if [ -n "$1" ]; then cat /proc/"$1"/task/*/stat | awk '{ s += $14 + $15 } END { print s }'; else echo 0; fi; }

# flood ADDRESS SECONDS: from core 1, how many went
flood() {
    if [ -n "${FRAMES:-}" ]; then
        inside client taskset -c 1 "$built/examples/flood_frames" eth0 "$mac" "$1:$port" "$2"
    else
        inside client taskset -c 1 "$built/examples/flood" "$1:$port" "$2"
    fi
}

# measure NAME ADDRESS [PID]
measure() {
    local pid=${3:-} before used sent
    flood "$2" 1 >/dev/null
    before=$(arrived) used=$(ticks "$pid")
    sent=$(flood "$2" "$seconds")
    sleep 0.2
    awk -v name="$1" -v sent="$sent" -v got="$(($(arrived) - before))" \
        -v used="$(($(ticks "$pid") - used))" -v s="$seconds" 'BEGIN {
        printf "%s;%d;%d;%.2f\n", name, sent / s, got / s, used * 10000 / (got + !got) }' | tee -a "$tmp/rows"
}

balancer() {
    local name_of=$1 pid
    shift
    # Not by `inside`: the number must be the balancer's own.
    ip netns exec "${name}pen" taskset -c 0 nice -n -20 "$@" -r -U -O 'dsr_if eth0' \
        10.0.0.100:$port 10.0.0.11 10.0.0.12 >"$tmp/log" 2>&1 &
    pid=$!
    sleep 1.5
    ip -n "${name}client" neigh flush all
    measure "$name_of" 10.0.0.100 $pid
    kill $pid
    wait $pid 2>/dev/null || true
}

kernel() {
    inside pen sysctl -q -w net.ipv4.ip_forward=1
    measure "kernel, forwarding" 10.9.9.9
    inside pen nft 'add table ip n; add chain ip n c { type nat hook prerouting priority -100; }'
    inside pen nft "add rule ip n c udp dport $port dnat to 10.0.0.11"
    measure "kernel, nftables DNAT" 10.9.9.8
    inside pen nft flush ruleset
    inside pen sysctl -q -w net.ipv4.ip_forward=0
}

mac=$(ip -n "${name}pen" -o link show eth0 | sed 's/.*ether \([0-9a-f:]*\).*/\1/')
inside pen sysctl -q -w net.ipv4.conf.all.send_redirects=0 net.ipv4.conf.eth0.send_redirects=0
ip -n "${name}client" route add 10.9.9.9/32 via 10.0.0.50
ip -n "${name}client" route add 10.9.9.8/32 via 10.0.0.50
ip -n "${name}pen" route add 10.9.9.9/32 via 10.0.0.11
for _ in $(seq "$rounds"); do
    kernel
    balancer Pen "$built/pen" -f -O 'workers 1'
    if [ -n "${BEFORE:-}" ]; then balancer "Pen, before" "$BEFORE" -f -O 'workers 1'; fi
    if [ -x /usr/bin/pen ]; then balancer "classic pen" /usr/bin/pen -f; fi
done

# median COLUMN NAME
median() {
    awk -F';' -v name="$2" -v c="$1" '$1 == name { print $c }' "$tmp/rows" | sort -n |
        awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] " (" v[1] " to " v[NR] ")" }'
}
cut -d';' -f1 "$tmp/rows" | sort -u | while read -r row; do
    echo "$row: offered $(median 2 "$row")/s, delivered $(median 3 "$row")/s," \
        "CPU per packet $(median 4 "$row") us"
done
