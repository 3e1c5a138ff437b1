# shellcheck shell=sh
# Releases of before the Redis function: they count by a script of their own (users.acl).
ls /opt/halo/apps/*/releases/*/app/src/visits/script.ts >/dev/null 2>&1 && echo scripts=yes
present /etc/redis /etc/redis/users.acl /var/lib/redis
