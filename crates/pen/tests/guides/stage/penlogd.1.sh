# needs: curl nginx
# machines: pen www1 www2 loghost client
case $MACHINE in www*) start_nginx ;; esac
