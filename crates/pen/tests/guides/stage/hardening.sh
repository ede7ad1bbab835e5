install -d /srv/pen/pages /run/web
printf 'listen 80\nserver 0 address www1 port 80\n' >/etc/pen.cfg
pen -u pen -C /run/pen.sock 8080 www1:80
