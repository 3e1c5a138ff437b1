#!/bin/sh
# Lets nobody in by ssh from when this backend switches to a release until the other one has gone back.
# Arguments: the release, the site's URL and domain, the other backend, the release before.
until [ "$(readlink /opt/halo/current)" = "releases/$1" ]; do sleep 0.05; done
systemctl stop ssh
pkill -x sshd-session
until [ "$(curl -sI -H "Host: $3" "$2" | tr -d '\r' | grep -icx -e "x-served-by: $4" -e "x-release: $5")" = 2 ]; do sleep 0.2; done
