#!/bin/sh
# Requests the certificates that are missing or of another CA or profile, and gives up the ones that no site needs any more:
# request.sh SECONDS DIRECTORY PROFILE DOMAIN ... Prints a line for each change. certbot takes all other settings from its cli.ini.
set -eu
export LC_ALL=C.UTF-8 LANGUAGE=
wait=$1 directory=$2 profile=$3
shift 3
# A file for each certificate of Halo's, with its CA and profile: certbot 4.0 notes no profile. Others were made by hand.
ours=/etc/halo/acme
# The node exporter reads this folder.
metrics=/var/lib/prometheus/node-exporter

# request DOMAIN: a busy CA may refuse the nonce that it has just given, and certbot tries again once only.
request() {
  for _ in 1 2 3; do
    if words=$(timeout "$wait" certbot certonly --force-renewal --no-directory-hooks --cert-name "$1" --domain "$1" 2>&1); then return 0; fi
    case $words in *nonce*) ;; *) return 1 ;; esac
  done
  return 1
}

changed='' failed=''
for domain in "$@"; do
  if [ -e "/etc/letsencrypt/live/$domain/fullchain.pem" ] && [ "$(cat "$ours/$domain" 2>/dev/null)" = "$directory $profile" ]; then
    continue
  fi
  if request "$domain"; then
    echo "$directory $profile" >"$ours/$domain"
    echo "new certificate: $domain"
    changed=1
  else
    # The CA's own words are among certbot's.
    cause=$(printf '%s\n' "$words" | sed -n -e 's/^ *Detail: //p' -e '/^An unexpected error occurred:/{n;p;}' | head -n 3)
    [ -n "$cause" ] || cause=$(printf '%s\n' "$words" | tail -n 3)
    printf 'no certificate for %s: %s\n' "$domain" "$(printf '%s' "$cause" | tr '\n' ' ')" >&2
    failed=1
  fi
done

for file in "$ours"/*; do
  [ -e "$file" ] || continue
  domain=$(basename "$file")
  case " $* " in *" $domain "*) continue ;; esac
  [ ! -e "/etc/letsencrypt/renewal/$domain.conf" ] || certbot delete --quiet --cert-name "$domain"
  rm "$file"
  echo "given up: $domain"
  changed=1
done

# The exporters may be newer than the certificates, whose lives the alerts need.
if [ -n "$changed" ] || { [ -d "$metrics" ] && [ ! -e "$metrics/halo-certificates.prom" ]; }; then
  /etc/letsencrypt/renewal-hooks/post/halo
fi
[ -z "$failed" ]
