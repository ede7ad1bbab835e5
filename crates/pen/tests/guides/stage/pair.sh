# needs: curl nginx keepalived
# machines: pen1 pen2 www1 www2 client
case $MACHINE in www*) start_nginx ;; pen*) mkdir -p /etc/keepalived ;; esac
