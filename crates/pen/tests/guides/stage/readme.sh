# needs: curl nginx
# machines: pen www1 www2 www3 client
case $MACHINE in
    www1) start_nginx 8000 ;;
    www*) start_nginx ;;
    pen) printf 'server 0 address www1 port 8000\nserver 1 address www2 port 80\n' >/etc/pen.cfg ;;
esac
