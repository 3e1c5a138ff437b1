# shellcheck shell=sh
# The sites that have a certificate of a public CA.
for acme in /etc/letsencrypt/live/*/fullchain.pem; do
  [ ! -e "$acme" ] || echo "acme:$(echo "$acme" | cut -d / -f 5)=present"
done
# Whether some are Halo's (request.sh); others were made by hand.
for acme in /etc/halo/acme/*; do
  [ ! -e "$acme" ] || echo "acme=present"
done
