#!/bin/sh
# Leaves a Redis as it may be before Halo comes: Debian's, with its data in a snapshot only.
systemctl stop redis-server
rm -rf /var/lib/redis/* /etc/redis/users.acl
printf 'bind 127.0.0.1\ndir /var/lib/redis\nappendonly no\n' >/etc/redis/redis.conf
systemctl start redis-server
redis-cli set total_visits 4711 && redis-cli save
