#!/bin/bash
# Reloads nginx 20 times, each time when the reload before has replaced the oldest worker.
main=$(systemctl show -P MainPID nginx)
for _ in $(seq 20); do
  old=$(pgrep -o -P "$main")
  systemctl reload nginx
  until [ "$(pgrep -o -P "$main")" != "$old" ]; do sleep .05; done
done
