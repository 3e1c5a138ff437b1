# shellcheck shell=sh
# The sites that have a certificate of a public CA.
for acme in /etc/letsencrypt/live/*/fullchain.pem; do
  [ ! -e "$acme" ] || echo "acme:$(echo "$acme" | cut -d / -f 5)=present"
done
