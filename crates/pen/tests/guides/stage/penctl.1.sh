cat >/etc/pen.conf <<END
listen 80
server 0 address www1 port 80 name red
server 1 address www2 port 80 name blue
service mail
listen 25
server 0 address www1 port 25
END
pen -u pen -C /run/pen.ctl -F /etc/pen.conf >/dev/null
pen -u pen -C 8888 8080 www1:80 >/dev/null
