# needs: openssl
mkdir /etc/pen
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 90 -subj /CN=web.internal \
    -keyout /etc/pen/key.pem -out /etc/pen/internal.pem 2>/dev/null
cat /etc/pen/internal.pem /etc/pen/key.pem >/etc/pen/web.pem
