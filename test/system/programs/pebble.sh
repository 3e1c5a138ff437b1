#!/bin/sh
# An ACME server for tests: pebble.sh start ADDRESS | stop | away | back. It answers on ADDRESS, ports 14000 and 15000, and refuses a share
# of the nonces, as a busy one does. Prints its certificate.
set -eu
export LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive
place=/run/halo-pebble
case $1 in
  start)
    command -v pebble >/dev/null || { apt-get -qq update && apt-get -qq install -y --no-install-recommends pebble; } >/dev/null 2>&1
    install -d "$place"
    cd "$place"
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -days 2 -subj /CN=pebble -addext "subjectAltName=IP:$2" \
      -keyout key.pem -out certificate.pem 2>/dev/null
    cat >config.json <<END
{"pebble": {"listenAddress": "$2:14000", "managementListenAddress": "$2:15000", "certificate": "$place/certificate.pem", "privateKey": "$place/key.pem",
"httpPort": 80, "tlsPort": 443, "ocspResponderURL": "", "externalAccountBindingRequired": false, "retryAfter": {"authz": 1, "order": 1},
"profiles": {"default": {"description": "90 days", "validityPeriod": 7776000}, "shortlived": {"description": "6 days", "validityPeriod": 518400}}}}
END
    systemctl reset-failed halo-pebble 2>/dev/null || true
    systemd-run -q --unit=halo-pebble -E PEBBLE_VA_NOSLEEP=1 -E PEBBLE_WFE_NONCEREJECT=5 pebble -config "$place/config.json"
    cat certificate.pem
    ;;
  away) systemctl kill --signal=STOP halo-pebble ;;
  back) systemctl kill --signal=CONT halo-pebble ;;
  stop)
    systemctl stop halo-pebble 2>/dev/null || true
    rm -rf "$place"
    ;;
esac
