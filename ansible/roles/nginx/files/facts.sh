# shellcheck shell=sh
# The release of each app whose web files are served.
for link in /var/www/halo/*/current; do
  [ ! -L "$link" ] || echo "web:$(echo "$link" | cut -d / -f 5)=$(readlink "$link" | cut -d / -f 7)"
done
# The sites whose own certificate is in place.
for certificate in /etc/nginx/tls/*.crt; do
  [ ! -e "$certificate" ] || echo "tls:$(basename "$certificate" .crt)=present"
done
# An earlier version kept it in a folder that may be the service's.
echo "drained=$(cat /var/lib/halo-cluster/drained 2>/dev/null || find /var/lib/halo/drained -maxdepth 0 -type f -user root -exec cat {} + 2>/dev/null)"
echo "nginx=$(nginx -v 2>&1 | sed -n 's,.*nginx/\([0-9.]*\).*,\1,p')"
present /etc/nginx /usr/lib/nginx/modules/ngx_http_brotli_static_module.so
