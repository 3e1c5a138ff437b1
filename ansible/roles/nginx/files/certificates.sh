#!/bin/sh
# Refuses a certificate that would serve its site with a warning: certificates.sh FOLDER DOMAIN ... FOLDER has DOMAIN.crt; nginx itself refuses a
# key that does not fit. A certificate that is in service already holds up no other change: alerts and npm run verify name it.
set -eu
export LC_ALL=C.UTF-8 LANGUAGE=
folder=$1
shift
refused=
for domain in "$@"; do
  file=$folder/$domain.crt
  ! cmp -s "$file" "/etc/nginx/tls/$domain.crt" || continue
  problem=
  if ! openssl x509 -in "$file" -noout 2>/dev/null; then
    problem="is no certificate"
  elif ! openssl x509 -in "$file" -noout -checkend 0 >/dev/null; then
    problem="has expired: $(openssl x509 -in "$file" -noout -enddate | cut -d = -f 2)"
  # Not in seconds: the caller replaces a percent sign with an s by the folder.
  elif [ "$(date -ud "$(openssl x509 -in "$file" -noout -startdate | cut -d = -f 2)" +%Y%m%d%H%M%S)" -gt "$(date -u +%Y%m%d%H%M%S)" ]; then
    problem="begins later: $(openssl x509 -in "$file" -noout -startdate | cut -d = -f 2)"
  elif ! openssl x509 -in "$file" -noout -ext subjectAltName 2>/dev/null | grep -q DNS:; then
    problem="has no subjectAltName, which browsers want"
  elif ! openssl x509 -in "$file" -noout -checkhost "$domain" | grep -q 'does match'; then
    problem="is for another name: $(openssl x509 -in "$file" -noout -ext subjectAltName | tail -n 1 | xargs)"
  fi
  [ -z "$problem" ] || {
    echo "the certificate of $domain $problem" >&2
    refused=1
  }
done
[ -z "$refused" ]
