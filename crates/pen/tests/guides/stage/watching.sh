# needs: curl nginx prometheus promtool
# machines: pen www1 www2 client
case $MACHINE in
    client) cp "$REPOSITORY/dist/prometheus/pen.rules.yml" /etc/prometheus/ ;;
    www*) start_nginx ;;
    pen)
        printf 'listen 80\nblacklist 300\nserver 0 address www1 port 80\nserver 1 address www2 port 80\n' >/etc/pen.conf
        pen -u pen -C /run/pen.ctl -F /etc/pen.conf >/dev/null
        ;;
esac
