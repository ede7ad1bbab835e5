# needs: dig unbound
# machines: pen dns1 dns2 client
case $MACHINE in
    dns*)
        cat >/etc/unbound/unbound.conf <<END
server:
    interface: 0.0.0.0
    access-control: 192.0.2.0/24 allow
    use-syslog: no
    local-zone: "example.org." static
    local-data: "www.example.org. A 192.0.2.1"
    local-data: 'server.example.org. TXT "$MACHINE"'
remote-control:
    control-enable: no
END
        mkdir -p /var/lib/unbound
        unbound 2>/dev/null
        ;;
esac
