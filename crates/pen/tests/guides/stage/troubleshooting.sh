# needs: curl nginx ss
# machines: pen www1 www2 client
case $MACHINE in
    www*) start_nginx ;;
    pen) printf 'listen 80\nblacklist 300\nserver 0 address www1 port 80\nserver 1 address www2 port 80\n' >/etc/pen.conf ;;
esac
