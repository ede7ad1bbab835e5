# needs: psql mariadbd mariadb redis-server redis-cli runuser
# machines: pen db1 db2 client
tools=$(ls -d /usr/lib/postgresql/*/bin | tail -n 1)
postgres() { (cd /var/lib/postgresql && runuser -u postgres -- env PATH="$tools:$PATH" "$@"); }
case $MACHINE in
    db*)
        install -d -o postgres /var/lib/postgresql /run/postgresql
        install -d -o mysql /var/lib/mysql /run/mysqld
        install -d -o redis /var/lib/redis
        # Two databases at a time are started: the slow one in the background.
        (
            mariadb-install-db --no-defaults --user=mysql --datadir=/var/lib/mysql --skip-test-db \
                --auth-root-authentication-method=normal >/srv/mariadb.log 2>&1
            cat >/srv/init.sql <<END
CREATE USER shop IDENTIFIED BY 'secret';
GRANT SELECT ON *.* TO shop;
END
            mariadbd --no-defaults --user=mysql --datadir=/var/lib/mysql --socket=/run/mysqld/mysqld.sock \
                --bind-address="$MACHINE" --init-file=/srv/init.sql --skip-name-resolve \
                --innodb-buffer-pool-size=8M --innodb-log-file-size=4M >>/srv/mariadb.log 2>&1 &
        ) &
        ;;
esac
case $MACHINE in
    db1)
        redis-server --bind db1 --protected-mode no --save '' --daemonize yes --dir /srv >/dev/null
        postgres initdb -A trust --no-sync -D main >/dev/null
        echo 'host all,replication all 192.0.2.0/24 trust' >>/var/lib/postgresql/main/pg_hba.conf
        postgres pg_ctl -w -s -D main -l log -o '-h db1 -F' start
        postgres psql -qc 'CREATE TABLE orders (what text)' postgres
        ;;
    db2)
        redis-server --bind db2 --protected-mode no --save '' --daemonize yes --dir /srv \
            --replicaof db1 6379 >/dev/null
        postgres pg_basebackup --no-sync -c fast -R -h db1 -D main
        postgres pg_ctl -w -s -D main -l log -o '-h db2 -F' start
        ;;
esac
for n in $(seq 300); do
    case $MACHINE in db*) ;; *) break ;; esac
    ! mariadb -h "$MACHINE" -ushop -psecret -e 'select 1' >/dev/null 2>&1 || break
    sleep 0.1
done
[ "$n" != 300 ] || { cat /srv/mariadb.log; false; }
