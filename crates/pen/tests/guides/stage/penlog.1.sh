# needs: curl nginx apache2
# machines: pen www1 www2 loghost
case $MACHINE in
    www1) start_apache ;;
    www2) start_nginx ;;
    loghost)
        install -d -o nobody /var/log/pen
        penlogd -u nobody -l /var/log/pen/access.log 10000
        ;;
esac
