# needs: gzip zcat
cd /srv
cat >pen.log <<END
192.0.2.100 1010532530 192.0.2.11 GET /a HTTP/1.0
192.0.2.101 1010532531 192.0.2.12 GET /b HTTP/1.0
192.0.2.101 1010532532 2001:db8::11 GET /c HTTP/1.0
END
gzip -k pen.log
line() { echo "192.0.2.2 - - [09/Jan/2002:00:28:5$1 +0100] \"GET /$2 HTTP/1.0\" 200 42"; }
line 0 a >web1.log
line 1 b | gzip >web2.log.gz
{ echo 'no line of a web server'; line 2 c; } >web3.log
