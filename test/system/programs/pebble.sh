#!/bin/sh
# An ACME server for tests, on this host's loopback: pebble.sh start ADDRESS | away | back | limit | unlimit | stop. Certificates are for six
# days, and a share of the nonces is refused, as by a busy one. Names lead to ADDRESS (dns_server.py); acme-front.conf answers certbot.
# start prints the server's own certificate.
set -eu
export LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive
place=/run/halo-pebble
case $1 in
  start)
    command -v pebble >/dev/null || { apt-get -qq update && apt-get -qq install -y --no-install-recommends pebble; } >/dev/null 2>&1
    cd "$place"
    mkdir -p names
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -days 2 -subj /CN=pebble -addext "subjectAltName=IP:127.0.0.1" \
      -keyout key.pem -out certificate.pem 2>/dev/null
    cat >config.json <<END
{"pebble": {"listenAddress": "127.0.0.1:14000", "managementListenAddress": "127.0.0.1:15000", "certificate": "$place/certificate.pem",
"privateKey": "$place/key.pem", "httpPort": 80, "tlsPort": 443, "ocspResponderURL": "", "externalAccountBindingRequired": false,
"certificateValidityPeriod": 518400, "retryAfter": {"authz": 1, "order": 1}}}
END
    # It knows no account and no certificate of an earlier start.
    rm -rf /etc/letsencrypt/accounts/127.0.0.1* /etc/halo/acme
    systemd-run -q --collect --unit=halo-pebble-dns python3 "$place/dns_server.py" 8053 "$place/names" "$2"
    systemd-run -q --collect --unit=halo-pebble-front nginx -g 'daemon off;' -c "$place/acme-front.conf"
    systemd-run -q --collect --unit=halo-pebble -E PEBBLE_VA_NOSLEEP=1 -E PEBBLE_WFE_NONCEREJECT=5 \
      pebble -config "$place/config.json" -dnsserver 127.0.0.1:8053
    cat certificate.pem
    ;;
  away) systemctl kill --signal=STOP halo-pebble ;;
  back) systemctl kill --signal=CONT halo-pebble ;;
  limit) touch "$place/limited" ;;
  unlimit) rm "$place/limited" ;;
  stop)
    systemctl stop halo-pebble halo-pebble-front halo-pebble-dns 2>/dev/null || true
    rm -rf "$place" /etc/letsencrypt/accounts/127.0.0.1*
    ;;
esac
