# needs: pen curl nginx
# machines: pen www1 www2 client
case $MACHINE in
    www*) start_nginx ;;
    pen) install -d -o nobody /run/pen ;;
esac
