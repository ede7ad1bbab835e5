printf 'listen 80\nserver 0 address www1 port 80\n' >/etc/pen.conf
pen -X -u root -C /run/pen.ctl -p /run/pen.pid -F /etc/pen.conf
