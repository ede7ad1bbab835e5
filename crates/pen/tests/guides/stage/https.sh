# needs: curl nginx openssl
# machines: pen www1 www2 client
if [ "$MACHINE" = pen ]; then
    cd "$SHARED"
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 90 -subj '/CN=an authority' \
        -keyout ca.key -out ca.pem 2>/dev/null
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 60 -subj /CN=www.example.org \
        -CA ca.pem -CAkey ca.key -addext basicConstraints=CA:FALSE \
        -addext subjectAltName=DNS:www.example.org -keyout www.key -out www.pem 2>/dev/null
    cp www.pem /srv/fullchain.pem
    cp www.key /srv/privkey.pem
    cd /srv
fi
cp "$SHARED"/*.pem /etc/ssl/
cp "$SHARED/www.key" /etc/ssl/private/
case $MACHINE in
    www*)
        start_nginx
        echo "server { listen 443 ssl; ssl_certificate /etc/ssl/www.pem;
            ssl_certificate_key /etc/ssl/private/www.key;
            location / { return 200 '$MACHINE
'; } }" >/etc/nginx/conf.d/tls.conf
        nginx -s reload
        ;;
esac
