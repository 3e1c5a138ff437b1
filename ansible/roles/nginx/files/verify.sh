# shellcheck shell=sh
if in_group balancers; then
  check "nginx runs" "see journalctl -u nginx" systemctl is-active nginx
  check "nginx' configuration is right" "$AGAIN" nginx -t
  for app in $WEB_APPS; do
    served=$(readlink "/var/www/halo/$app/current")
    # An app without pages has no web files.
    [ -d "${served%/web}/web" ] || [ ! -d "${served%/web}" ] || continue
    check "$app: web files of release $(echo "$served" | cut -d / -f 7) are served" "$AGAIN" test -d "/var/www/halo/$app/current/."
  done
  for site in $TLS_SITES; do
    certificate=$(openssl s_client -connect "127.0.0.1:$TLS_PORT" -servername "$site" </dev/null 2>/dev/null | openssl x509 2>/dev/null || true)
    # A tenth of its life: 9 of 90 days, and hours of a certificate for six days.
    begin=$(date -d "$(echo "$certificate" | openssl x509 -noout -startdate 2>/dev/null | cut -d = -f 2)" +%s || echo 0)
    end=$(date -d "$(echo "$certificate" | openssl x509 -noout -enddate 2>/dev/null | cut -d = -f 2)" +%s || echo 0)
    valid() { echo "$certificate" | openssl x509 -noout -checkend $(((end - begin) / 10)) && echo "$certificate" | openssl x509 -noout -checkhost "$site" | grep -q 'does match'; }
    check "https://$site has a certificate with more than a tenth of its life left" "$AGAIN; for tls: files give a newer pair first, for tls: acme see npm run logs -- certbot" valid
  done
  nginx_checks
fi
