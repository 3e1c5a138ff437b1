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
  nginx_checks
fi
