# needs: curl nginx openssl
# machines: pen www1 www2 sorry
case $MACHINE in
    pen)
        openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 90 \
            -subj /CN=www.example.org -keyout /etc/ssl/key.pem -out /etc/ssl/cert.pem 2>/dev/null
        cat /etc/ssl/cert.pem /etc/ssl/key.pem >/etc/ssl/www.pem
        printf 'listen 8082\nserver 0 address www1 port 80\n' >/etc/pen.conf
        ;;
    *) start_nginx ;;
esac
