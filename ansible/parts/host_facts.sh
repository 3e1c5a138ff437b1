#!/bin/sh
# Prints what Ansible wants to know of a host, a key=value line each.
export LC_ALL=C.UTF-8 LANGUAGE=
echo "machine=$(uname -m)"
echo "container=$(systemd-detect-virt --container)"
echo "addresses=$(hostname -I)"
# shellcheck source=/dev/null
(. /etc/os-release && echo "os=$ID $VERSION_ID")
echo "release=$(cat /opt/halo/current/RELEASE 2>/dev/null)"
echo "web=$(readlink /var/www/halo/current | cut -d / -f 5)"
# An earlier version kept it in a folder that may be the service's.
echo "drained=$(cat /var/lib/halo-cluster/drained 2>/dev/null || find /var/lib/halo/drained -maxdepth 0 -type f -user root -exec cat {} + 2>/dev/null)"
echo "runtime=$(basename "$(readlink /opt/halo/runtime/current)")"
echo "nginx=$(nginx -v 2>&1 | sed -n 's,.*nginx/\([0-9.]*\).*,\1,p')"
# Packages that are neither installed nor gone, or dpkg's own journal of a run that was cut short: apt refuses to go on.
{ dpkg-query --show --showformat '${db:Status-Abbrev}\n' | grep -qE '^(.[HUFWt]|..R)' || [ -n "$(ls /var/lib/dpkg/updates)" ]; } && echo dpkg=unfinished
# Services that have not read what was written for them: the run that wrote it was cut short. Any rename is a new ctime.
unread() {
  since=$(systemctl show --property=StateChangeTimestamp --value --timestamp=us+utc "$1" 2>/dev/null)
  [ -n "$since" ] && shift && [ -n "$(find "$@" -newerct "$since" 2>/dev/null)" ]
}
# Not while they may still be taken away again (role base).
nft list table inet halo >/dev/null 2>&1 && ! systemctl is-active --quiet halo-firewall-undo.timer \
  && ! unread halo-firewall /etc/halo/firewall.nft /etc/systemd/system/halo-firewall.service \
  && ! unread ssh /etc/ssh/sshd_config.d/00-halo.conf && echo reach=loaded
unread nginx /etc/nginx/nginx.conf && echo nginx_unread=yes
unread redis-server /etc/redis/redis.conf /etc/redis/users.acl /etc/systemd/system/redis-server.service.d/halo.conf && echo redis_unread=yes
# Releases of before the Redis function: they count by a script of their own (role redis, users.acl).
ls /opt/halo/releases/*/app/src/visits/script.ts >/dev/null 2>&1 && echo scripts=yes
for path in /etc/halo /etc/ssh/sshd_config.d/00-halo.conf /etc/nginx /etc/redis /etc/redis/users.acl /etc/postgresql /usr/bin/prometheus-node-exporter /usr/share/grafana /var/lib/redis /opt/halo /opt/halo/releases/* /opt/halo/runtime/*; do
  [ -e "$path" ] && echo "$path=there"
done
true
