#!/bin/sh
# acme_dns_hook of a test: sets a challenge for dns_server.py (add), or takes it away (remove).
set -eu
file=/run/halo-pebble/names/_acme-challenge.$CERTBOT_DOMAIN.TXT
case $1 in
  add) echo "$CERTBOT_VALIDATION" >"$file" ;;
  remove) rm "$file" ;;
esac
