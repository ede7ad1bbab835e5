# needs: curl nginx apache2
# machines: pen www1 www2 sorry client
case $MACHINE in www1 | sorry) start_nginx ;; www2) start_apache ;; esac
