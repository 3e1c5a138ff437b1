#!/bin/bash
# Kills the newest worker of nginx and waits for its successor. The empty line marks the time of the kill.
main=$(systemctl show -P MainPID nginx)
workers=$(pgrep -c -P "$main")
victim=$(pgrep -n -P "$main")
echo
kill -KILL "$victim"
until [ "$(pgrep -c -P "$main")" = "$workers" ] && ! pgrep -P "$main" | grep -qx "$victim"; do sleep .02; done
