# needs: curl nginx keepalived
# machines: pen1 pen2 www1 www2 client
case $MACHINE in
    www*) start_nginx ;;
    # What is shipped, as the reader has it.
    pen*) mkdir -p /etc/keepalived && cp -r "$REPOSITORY/dist" /srv/dist ;;
esac
