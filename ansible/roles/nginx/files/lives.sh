#!/bin/sh
# Writes the life of each certificate in days for Prometheus, whose exporter reads no begin; prints a line where one has changed.
set -eu
umask 022
export LC_ALL=C.UTF-8 LANGUAGE=
file=/var/lib/prometheus/node-exporter/halo-certificates.prom
[ -d "$(dirname "$file")" ] || exit 0
# life DOMAIN CERTIFICATE
life() {
  begin=$(date -d "$(openssl x509 -in "$2" -noout -startdate | cut -d = -f 2)" +%s)
  end=$(date -d "$(openssl x509 -in "$2" -noout -enddate | cut -d = -f 2)" +%s)
  echo "certificate_life_days{site=\"$1\"} $(((end - begin + 43200) / 86400))"
}
{
  echo '# TYPE certificate_life_days gauge'
  for certificate in /etc/letsencrypt/live/*/fullchain.pem; do
    [ ! -e "$certificate" ] || life "$(echo "$certificate" | cut -d / -f 5)" "$certificate"
  done
  for certificate in /etc/nginx/tls/*.crt; do
    [ ! -e "$certificate" ] || life "$(basename "$certificate" .crt)" "$certificate"
  done
} >"$file.new"
if cmp -s "$file.new" "$file"; then
  rm "$file.new"
else
  mv "$file.new" "$file"
  echo "lives of certificates"
fi
