# shellcheck shell=sh
if in_group balancers; then
  check "nginx runs" "see journalctl -u nginx" systemctl is-active nginx
  check "nginx' configuration is right" "$AGAIN" nginx -t
  check "web files of release $(readlink /var/www/halo/current | cut -d / -f 5) are served" "$AGAIN" test -d /var/www/halo/current/.
  nginx_checks
fi
