#!/bin/sh
# certbot runs it once after all certificates of a renewal: nginx reads them, and Prometheus gets the life of each in days.
set -eu
umask 022
export LC_ALL=C.UTF-8 LANGUAGE=
file=/var/lib/prometheus/node-exporter/halo-certificates.prom
if [ -d "$(dirname "$file")" ]; then
  {
    echo '# TYPE certificate_life_days gauge'
    for certificate in /etc/letsencrypt/live/*/fullchain.pem; do
      [ -e "$certificate" ] || continue
      begin=$(date -d "$(openssl x509 -in "$certificate" -noout -startdate | cut -d = -f 2)" +%s)
      end=$(date -d "$(openssl x509 -in "$certificate" -noout -enddate | cut -d = -f 2)" +%s)
      echo "certificate_life_days{site=\"$(echo "$certificate" | cut -d / -f 5)\"} $(((end - begin + 43200) / 86400))"
    done
  } >"$file.new"
  mv "$file.new" "$file"
fi
nginx -t -q
systemctl reload nginx
