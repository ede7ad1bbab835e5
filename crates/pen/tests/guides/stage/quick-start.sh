# needs: curl nginx
# machines: pen www1 www2 client
case $MACHINE in www*) start_nginx ;; pen) userdel pen ;; esac
