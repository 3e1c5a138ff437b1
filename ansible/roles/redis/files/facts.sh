# shellcheck shell=sh
unread redis-server /etc/redis/redis.conf /etc/redis/users.acl /etc/systemd/system/redis-server.service.d/halo.conf && echo redis_unread=yes
# Releases of before the Redis function: they count by a script of their own (users.acl).
ls /opt/halo/releases/*/app/src/visits/script.ts >/dev/null 2>&1 && echo scripts=yes
there /etc/redis /etc/redis/users.acl /var/lib/redis
