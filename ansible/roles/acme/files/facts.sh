# shellcheck shell=sh
# The sites that have a certificate of a public CA.
for acme in /etc/letsencrypt/live/*/fullchain.pem; do
  [ ! -e "$acme" ] || echo "acme:$(echo "$acme" | cut -d / -f 5)=present"
done
# Whether some are Halo's; others were made by hand.
! grep -qs -e /var/lib/halo-acme -e /etc/halo/acme-dns /etc/letsencrypt/renewal/*.conf || echo "acme=present"
