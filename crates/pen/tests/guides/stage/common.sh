# What all machines have: an address that their names say, the names of all of them, the user pen.
number() {
    case $1 in
        pen | pen1) echo 2 ;; pen2) echo 3 ;; *1) echo 11 ;; *2) echo 12 ;; *3) echo 13 ;;
        sorry) echo 19 ;; loghost) echo 20 ;; client) echo 100 ;;
    esac
}
ip addr add "192.0.2.$(number "$MACHINE")/24" dev eth0
ip addr add "2001:db8::$(number "$MACHINE")/64" dev eth0 nodad
[ "$MACHINE" != pen ] || ip addr add 192.0.2.1/24 dev eth0
ip link set eth0 up
{
    echo '192.0.2.1 www.example.org mail.example.org ldap.example.org'
    for name in pen pen1 pen2 www1 www2 www3 mail1 mail2 ldap1 ldap2 dns1 dns2 db1 db2 sorry loghost client; do
        echo "192.0.2.$(number $name) $name"
    done
} >>/etc/hosts
useradd --system --no-create-home --shell /usr/sbin/nologin pen

# nginx as Debian configures it; every page is this machine's name.
start_nginx() {
    mkdir -p /var/log/nginx /var/lib/nginx
    rm -f /etc/nginx/modules-enabled/* /etc/nginx/sites-enabled/*
    echo "server { listen ${1:-80} default_server; location / { default_type text/plain; return 200 '$MACHINE
'; } }" >/etc/nginx/sites-enabled/default
    nginx
}

# Apache as Debian configures it.
start_apache() {
    mkdir -p /var/log/apache2 /var/www/html /var/lib/apache2 /run/lock
    echo "ServerName $MACHINE" >>/etc/apache2/apache2.conf
    mkdir -p /srv/www
    echo "$MACHINE" >/srv/www/index.html
    sed -i 's|/var/www/html|/srv/www|; s|^<Directory /var/www/>|<Directory /srv/www/>|' \
        /etc/apache2/sites-enabled/000-default.conf /etc/apache2/apache2.conf
    echo "FallbackResource /index.html" >/etc/apache2/conf-enabled/every-path.conf
    chmod 755 /srv /srv/www
    apachectl start
}
