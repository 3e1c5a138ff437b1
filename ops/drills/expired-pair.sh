#!/bin/bash
# Serves a site by a certificate that has expired (place DOMAIN), and by its own one again (undo).
tls=/etc/nginx/tls
kept=/run/halo-drill-pair
case $1 in
  place)
    mkdir -m 0700 $kept
    cp -p "$tls/$2.crt" "$tls/$2.key" $kept
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -subj "/CN=$2" -addext "subjectAltName=DNS:$2" \
      -not_before 20200101000000Z -not_after 20200102000000Z -keyout "$tls/$2.key" -out "$tls/$2.crt" 2>/dev/null
    nginx -t -q
    systemctl reload nginx
    ;;
  undo)
    if [ -d $kept ]; then
      cp -p $kept/* $tls
      systemctl reload nginx
      rm -r $kept
    fi
    ;;
esac
