# needs: curl openssl
pen -O dummy 127.0.0.1:8080
