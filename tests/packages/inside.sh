#!/bin/bash
# Runs in the system that boot.sh boots: what an administrator does with the packages. One line per fact to
# standard output (ok or not ok), everything else to standard error.
set -u
exec 3>&1 1>&2
export DEBIAN_FRONTEND=noninteractive PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root
one=$(echo /host/pen_*-1_*.deb)
two=$(echo /host/pen_*-2_*.deb)
classic=/host/classic.deb

# is WHAT COMMAND...: the command succeeds.
is() {
    local what=$1
    shift
    if "$@"; then echo "ok $what" >&3; else echo "not ok $what: $*" >&3; fi
}
isnt() {
    local what=$1
    shift
    if "$@"; then echo "not ok $what: $*" >&3; else echo "ok $what" >&3; fi
}
note() { echo "# $*" >&3; }
active() { [ "$(systemctl show -P ActiveState "$1")" = active ]; }
ask() { bash -c "exec 4<>/dev/tcp/127.0.0.1/$1 && printf 'GET / HTTP/1.0\r\n\r\n' >&4 && head -n 1 <&4" | grep -q '^HTTP/'; }
journal() { journalctl -q --no-pager -o cat -u "${1:-pen.service}"; }
journal_says() { journalctl --sync; journal "$1" | grep -q -- "$2"; }
owner() { [ "$(stat -c '%U %a' "$1")" = "$2" ]; }
pid() { systemctl show -P MainPID "${1:-pen.service}"; }
dpkg_i() { dpkg --force-confdef --force-confold -i "$@"; }
# Numbers of load.py: count WORD.
count() { sed -n "s/.*\b$1 \([0-9]*\).*/\1/p" /tmp/load; }
none() { [ "$(count "$1")" = 0 ]; }
some() { [ "$(count "$1")" -gt 0 ]; }

# under_load PORT COMMAND...: the command while clients come.
under_load() {
    local port=$1
    shift
    rm -f /tmp/stop
    python3 /host/load.py "$port" /tmp/stop >/tmp/load &
    local load=$!
    sleep 1
    "$@"
    sleep 1
    touch /tmp/stop
    wait "$load"
    note "$* under load: $(cat /tmp/load)"
}

clean() {
    dpkg --purge pen
    rm -rf /etc/pen /var/log/pen /var/lib/pen
    # Nothing but the journal of who came before.
    systemctl reset-failed
}

installed() {
    note "a new installation"
    clean
    is "the package installs" dpkg_i "$one"
    is "it is started" active pen.service
    is "and enabled" systemctl -q is-enabled pen.service
    isnt "listeners of systemd are not" systemctl -q is-enabled pen.socket
    is "it runs as its user" [ "$(stat -c %U "/proc/$(pid)")" = pen ]
    is "the sample serves" ask 8880
    is "penctl steers it" [ "$(penctl /run/pen/control servers | wc -l)" = 2 ]
    is "a server is blacklisted" penctl /run/pen/control server 0 blacklist 5
    is "directories belong to it" owner /var/log/pen 'pen 755'
    for program in pen penctl penlog penlogd mergelogs; do
        is "$program runs" "$program" --version
        is "$program has a manual page" [ -s "/usr/share/man/man1/$program.1.gz" ]
        is "$program is completed" [ -s "/usr/share/bash-completion/completions/$program" ]
    done
    is "the host is looked at before the start" journal_says pen.service '^configuration is good'
    isnt "and nothing is wrong with it" journal_says pen.service '^wrong'
    journal
}

reloaded() {
    note "settings are changed"
    echo 'log /var/log/pen/web.log' | cat /etc/pen/pen.cfg - | sed 's/^listen 127.0.0.1:8880/&\nserver 1 weight 3/' >/tmp/cfg
    # The log belongs to the first service.
    sed '/^log /d; s/^listen 127.0.0.1:8880/&\nlog \/var\/log\/pen\/web.log/' /tmp/cfg >/etc/pen/pen.cfg
    local before
    before=$(pid)
    is "a changed file is read" systemctl reload pen.service
    sleep 1
    is "and true" [ "$(penctl /run/pen/control log)" = /var/log/pen/web.log ]
    is "by the same process" [ "$(pid)" = "$before" ]
    echo 'roundrobbin' >>/etc/pen/pen.cfg
    isnt "a broken file is refused" systemctl reload pen.service
    is "it goes on" ask 8880
    is "the journal names the place" journal_says pen.service '/etc/pen/pen.cfg:.*roundrobbin'
    sed -i '/roundrobbin/d' /etc/pen/pen.cfg
    systemctl reload pen.service

    note "logs are rotated"
    ask 8880
    sleep 1
    is "the log is written" [ -s /var/log/pen/web.log ]
    is "logrotate is content" logrotate -f /etc/logrotate.d/pen
    sleep 1
    ask 8880
    sleep 1
    is "the old log is kept" [ -s /var/log/pen/web.log.1 ]
    is "the new one is written" [ -s /var/log/pen/web.log ]
    is "and is nobody else's" owner /var/log/pen/web.log 'pen 640'
}

upgraded() {
    note "a newer package"
    local before kept
    before=$(pid)
    kept=$(md5sum </etc/pen/pen.cfg)
    cp /etc/pen/pen.cfg /etc/pen/web.cfg
    sed -i 's/888/777/; s/^log .*//' /etc/pen/web.cfg
    is "an instance starts" systemctl start pen@web.service
    is "and serves" ask 7770
    local instance
    instance=$(pid pen@web.service)
    under_load 8880 dpkg_i "$two"
    is "it is the newer one" grep -q -- -2 <<<"$(dpkg-query -W pen)"
    isnt "it was started anew" [ "$(pid)" = "$before" ]
    isnt "the instance too" [ "$(pid pen@web.service)" = "$instance" ]
    is "clients were answered" some answered
    if [ "$(systemctl show -P FileDescriptorStoreMax pen.service)" -gt 0 ]; then
        is "no client was refused" none refused
    else
        note "skipped: no client was refused (the unit has no descriptor store)"
    fi
    is "the changed file is kept" [ "$kept" = "$(md5sum </etc/pen/pen.cfg)" ]
    is "and in force" [ "$(penctl /run/pen/control log)" = /var/log/pen/web.log ]
    systemctl stop pen@web.service
    rm /etc/pen/web.cfg

    note "the same with listeners of systemd"
    mkdir -p /etc/systemd/system/pen.service.d
    cp /usr/share/doc/pen/examples/socket.conf /etc/systemd/system/pen.service.d/
    sed -i 's/^listen 127.0.0.1:8880/listen 80/' /etc/pen/pen.cfg
    systemctl stop pen.service
    systemctl daemon-reload
    is "the socket starts" systemctl enable --now pen.socket
    is "the first client starts Pen" ask 80
    is "without a right" grep -q '^CapEff:.0000000000000000' "/proc/$(pid)/status"
    under_load 80 dpkg_i "$two"
    is "no client was refused by a newer package" none refused
    is "clients were answered meanwhile" some answered
    systemctl disable --now pen.socket
    rm -r /etc/systemd/system/pen.service.d
    systemctl daemon-reload
}

broken() {
    note "a file that cannot be served"
    journalctl --rotate -q --vacuum-time=1s
    echo 'no such word' >/etc/pen/pen.cfg
    isnt "it does not start" systemctl restart pen.service
    journalctl --sync
    note "the journal says:"
    journal | while IFS= read -r line; do note "  $line"; done
    is "with the reason and the place" journal_says pen.service '/etc/pen/pen.cfg:1'
}

# Whatever of Pen is in the file system, but for what remembers users and what runs this.
left() {
    find /etc /usr /lib /var /run -xdev \( -name 'pen' -o -name 'pen.*' -o -name 'pen@*' -o -name 'pen-*' -o -name penctl \
        -o -name penlog -o -name penlogd -o -name mergelogs \) ! -path '/var/lib/dpkg/*' ! -path '/var/cache/*' \
        ! -path '/usr/src/*' ! -path '/usr/local/*' ! -path '*/node_modules/*' ! -path '*/.cargo/*' ! -path '/usr/lib/python3*' \
        ! -path '/etc/apparmor.d/abstractions/*' ! -path '/usr/share/icons/*' ! -path '/usr/share/lintian/*' 2>/dev/null
}

removed() {
    note "removed and purged"
    is "it is removed" dpkg -r pen
    isnt "it does not run" active pen.service
    is "settings stay" [ -s /etc/pen/pen.cfg ]
    is "logs stay" [ -s /var/log/pen/web.log ]
    is "it is purged" dpkg --purge pen
    left >&2
    is "nothing is left" [ -z "$(left)" ]
    isnt "no unit is left" systemctl -q is-enabled pen.service
}

replaced() {
    if [ ! -s "$classic" ]; then
        note "skipped: the classic is replaced (its package cannot be had)"
        return
    fi
    note "the classic is replaced"
    is "the classic is there" dpkg --force-depends -i "$classic"
    mkdir -p /etc/pen
    # An administrator's own: a file that starts nothing yet, a script.
    printf 'listen 127.0.0.1:8890\nserver 0 address 127.0.0.1 port 8891 max 10\nservice own\nlisten 127.0.0.1:8891\ndummy\n' >/etc/pen/pen.cfg
    printf '#!/bin/sh\nexit 0\n' >/etc/init.d/pen
    chmod +x /etc/init.d/pen
    dpkg_i "$one" >/tmp/said 2>&1
    is "it is replaced" [ $? = 0 ]
    cat /tmp/said
    is "what to change is named" grep -q 'WARNING: /etc/init.d/pen is no longer run' /tmp/said
    is "the administrator's file is kept" grep -q 8891 /etc/pen/pen.cfg
    is "and served" ask 8890
    is "the programs are new" grep -q Rust <<<"$(pen --version)"
    is "an old command line works" pen --check -f -d -r -S 10 -b 5 8899 127.0.0.1:8891:10:20
    is "the news name it" grep -q init.d <<<"$(zcat /usr/share/doc/pen/NEWS.Debian.gz)"
    rm -f /etc/init.d/pen
    clean
}

by_rpm() {
    local rpm=/host/fedora-1.rpm
    if ! command -v rpm >/dev/null || [ ! -s $rpm ]; then
        note "skipped: packages of RPM (no rpm here)"
        return
    fi
    note "the package of RPM"
    clean
    is "it installs" rpm -i --nodeps $rpm
    is "all its files are as packed" rpm -V --nodeps pen
    is "the user is there" id pen
    is "the unit is started" systemctl start pen.service
    is "and serves" ask 8880
    is "penctl steers it" [ "$(penctl /run/pen/control servers | wc -l)" = 2 ]
    local before
    before=$(pid)
    echo '# mine' >>/etc/pen/pen.cfg
    under_load 8880 rpm -U --nodeps /host/fedora-2.rpm
    isnt "a newer one starts it anew" [ "$(pid)" = "$before" ]
    is "the changed file is kept" grep -q '# mine' /etc/pen/pen.cfg
    is "it is erased" rpm -e --nodeps pen
    isnt "it does not run" active pen.service
    isnt "its programs are gone" [ -e /usr/bin/pen ]
    is "the changed file is put aside" [ -s /etc/pen/pen.cfg.rpmsave ]
    rm -rf /etc/pen /var/log/pen /var/lib/pen
    mkdir /tmp/suse
    cp -a --parents /bin /lib64 /usr/bin/bash /usr/bin/dash /usr/bin/sh /tmp/suse 2>/dev/null
    is "openSUSE's lays out a root" rpm --root /tmp/suse -i --nodeps --noscripts /host/opensuse-1.rpm
    is "with its places" [ -d /tmp/suse/usr/share/doc/packages/pen ]
    is "and all files" rpm --root /tmp/suse -V --nodeps pen
}

installed
reloaded
upgraded
broken
removed
replaced
by_rpm
