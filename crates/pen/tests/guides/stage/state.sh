# needs: curl nginx
# machines: pen1 pen2 www1 www2 client
case $MACHINE in www*) start_nginx ;; esac
