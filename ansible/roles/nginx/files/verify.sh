# shellcheck shell=sh
if in_group balancers; then
  check "nginx runs" "see journalctl -u nginx" systemctl is-active nginx
  check "nginx' configuration is right" "$AGAIN" nginx -t
  for app in $APPS; do
    served=$(readlink "/var/www/halo/$app/current")
    # An app without pages has no web files.
    [ -d "${served%/web}/web" ] || [ ! -d "${served%/web}" ] || continue
    check "$app: web files of release $(echo "$served" | cut -d / -f 7) are served" "$AGAIN" test -d "/var/www/halo/$app/current/."
  done
  for site in $TLS_SITES; do
    certificate=$(openssl s_client -connect "127.0.0.1:$TLS_PORT" -servername "$site" </dev/null 2>/dev/null | openssl x509 2>/dev/null || true)
    valid() { echo "$certificate" | openssl x509 -noout -checkend 604800 && echo "$certificate" | openssl x509 -noout -checkhost "$site" | grep -q 'does match'; }
    check "https://$site has a certificate for more than 7 days" "$AGAIN; for tls: files give a newer one" valid
  done
  nginx_checks
fi
