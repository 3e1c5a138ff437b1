#!/bin/sh
# Lets nobody in by ssh from when this backend switches to a release until the other one has gone back.
# Arguments: the link to the release in service, the release, the site's URL and domain, the other backend, the release before.
until [ "$(readlink "$1")" = "releases/$2" ]; do sleep 0.05; done
systemctl stop ssh
pkill -x sshd-session
until [ "$(curl -sI -H "Host: $4" "$3" | tr -d '\r' | grep -icx -e "x-served-by: $5" -e "x-release: $6")" = 2 ]; do sleep 0.2; done
