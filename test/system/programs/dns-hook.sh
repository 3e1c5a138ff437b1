#!/bin/sh
# acme_dns_hook of a test: adds a challenge for dns_server.py beside others, or takes this one away (remove).
set -eu
file=/run/halo-pebble/names/_acme-challenge.$CERTBOT_DOMAIN.TXT
case $1 in
  add) echo "$CERTBOT_VALIDATION" >>"$file" ;;
  remove)
    sed -i "/^$CERTBOT_VALIDATION\$/d" "$file"
    [ -s "$file" ] || rm "$file"
    ;;
esac
