# needs: curl nginx apache2 gzip
# machines: pen www1 www2 loghost client
case $MACHINE in
    www1) start_nginx ;;
    www2) start_apache ;;
    pen) printf 'listen 80\nroundrobin\nserver 0 address www1 port 80\nserver 1 address www2 port 80\n' >/etc/pen.conf ;;
esac
