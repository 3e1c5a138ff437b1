#!/bin/sh
# Requests the certificates that are missing or of another CA, and gives up the ones that no site needs any more:
# request.sh SECONDS DIRECTORY PROFILE DOMAIN ... Prints a line for each change. certbot takes all other settings from its cli.ini.
set -eu
export LC_ALL=C.UTF-8 LANGUAGE=
wait=$1 directory=$2 profile=$3
shift 3
settings=/etc/letsencrypt/renewal
setting() { sed -n "s/^$1 = //p" "$2" 2>/dev/null; }

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
  file=$settings/$domain.conf
  if [ "$(setting server "$file")" = "$directory" ] && [ "$(setting preferred_profile "$file")" = "$profile" ]; then
    continue
  fi
  if request "$domain"; then
    echo "new certificate: $domain"
    changed=1
  else
    # The CA's own words are among certbot's.
    cause=$(echo "$words" | sed -n 's/^ *\(Detail: \|An unexpected error occurred:\)//p' | grep . | head -n 3 | xargs -0 echo || true)
    [ -n "$cause" ] || cause=$(echo "$words" | tail -n 3)
    printf 'no certificate for %s: %s\n' "$domain" "$(echo "$cause" | xargs -0 echo | tr '\n' ' ')" >&2
    failed=1
  fi
done

for file in "$settings"/*.conf; do
  [ -e "$file" ] || continue
  domain=$(basename "$file" .conf)
  case " $* " in *" $domain "*) continue ;; esac
  # Somebody else's, made by hand.
  grep -q /var/lib/halo-acme "$file" || grep -q /etc/halo/acme-dns "$file" || continue
  certbot delete --quiet --cert-name "$domain"
  echo "given up: $domain"
  changed=1
done

[ -z "$changed" ] || /etc/letsencrypt/renewal-hooks/post/halo
[ -z "$failed" ]
