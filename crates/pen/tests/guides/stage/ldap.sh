# needs: slapd slapadd ldapsearch openssl
# machines: pen ldap1 ldap2 client
if [ "$MACHINE" = pen ]; then
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 90 -subj /CN=ldap.example.org \
        -addext subjectAltName=DNS:ldap.example.org -keyout "$SHARED/ldap.key" -out "$SHARED/ldap.pem" 2>/dev/null
fi
cp "$SHARED/ldap.pem" /etc/ssl/
case $MACHINE in
    ldap*)
        mkdir -p /var/lib/ldap /run/slapd
        cat >/etc/ldap/slapd.conf <<END
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
modulepath /usr/lib/ldap
moduleload back_mdb
TLSCertificateFile $SHARED/ldap.pem
TLSCertificateKeyFile $SHARED/ldap.key
database mdb
suffix "dc=example,dc=org"
rootdn "cn=admin,dc=example,dc=org"
rootpw secret
directory /var/lib/ldap
maxsize 1048576
END
        slapadd -q -f /etc/ldap/slapd.conf <<END
dn: dc=example,dc=org
objectClass: dcObject
objectClass: organization
dc: example
o: Example

dn: uid=alice,dc=example,dc=org
objectClass: inetOrgPerson
uid: alice
cn: Alice
sn: Example
mail: alice@example.org
END
        slapd -f /etc/ldap/slapd.conf -h 'ldap:/// ldaps:///'
        ;;
esac
