# needs: swaks postfix postconf
# machines: pen mail1 mail2 client
case $MACHINE in
    mail*)
        mkdir -p /var/spool/postfix /var/lib/postfix
        chown postfix /var/lib/postfix
        cp /usr/share/postfix/main.cf.dist /etc/postfix/main.cf 2>/dev/null || : >/etc/postfix/main.cf
        : >/etc/postfix/main.cf
        [ -s /etc/postfix/master.cf ] || cp /usr/share/postfix/master.cf.dist /etc/postfix/master.cf
        postconf -e compatibility_level=3.6 "myhostname=$MACHINE.example.org" mydestination=example.org \
            'mynetworks=127.0.0.0/8' local_recipient_maps= local_transport=discard \
            alias_maps= alias_database= inet_protocols=all maillog_file=/var/log/mail.log \
            'smtpd_relay_restrictions=permit_mynetworks reject_unauth_destination' \
            smtpd_peername_lookup=no
        postconf -F '*/*/chroot = n'
        postfix start >/srv/start 2>&1 || { cat /srv/start; false; }
        ;;
esac
