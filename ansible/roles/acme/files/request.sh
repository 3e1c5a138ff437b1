#!/bin/sh
# Requests the certificates that are missing, have expired or were requested by other settings, and gives up the ones that no site needs any more:
# request.sh SECONDS SETTINGS DOMAIN ... Prints a line for each change. certbot's own form of the settings is /etc/halo/certbot/certbot.ini.
set -eu
export LC_ALL=C.UTF-8 LANGUAGE=
wait=$1 settings=$2
shift 2
# A file for each certificate of Halo's, with its settings. Others were made by hand.
ours=/etc/halo/acme
# There while nginx may not have read a change: a run that was cut short leaves it to the next one.
unread=/etc/halo/certbot-unread

# request DOMAIN: a busy CA may refuse the nonce that it has just given, and certbot tries again once only.
request() {
  for _ in 1 2 3; do
    if words=$(timeout "$wait" certbot certonly --config /etc/halo/certbot/certbot.ini --force-renewal --no-directory-hooks --cert-name "$1" --domain "$1" 2>&1); then return 0; fi
    case $words in *nonce*) ;; *) return 1 ;; esac
  done
  return 1
}

failed=''
for domain in "$@"; do
  if [ "$(cat "$ours/$domain" 2>/dev/null)" = "$settings" ] &&
    openssl x509 -in "/etc/letsencrypt/live/$domain/fullchain.pem" -noout -checkend 0 >/dev/null 2>&1; then
    continue
  fi
  touch "$unread"
  if request "$domain"; then
    echo "$settings" >"$ours/$domain"
    echo "new certificate: $domain"
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
  touch "$unread"
  [ ! -e "/etc/letsencrypt/renewal/$domain.conf" ] || certbot delete --quiet --cert-name "$domain"
  rm "$file"
  echo "given up: $domain"
done

if [ -e "$unread" ]; then
  /etc/letsencrypt/renewal-hooks/post/halo
  rm "$unread"
fi
[ -z "$failed" ]
