#!/bin/bash
# Waits until Redis answers, and prints the seconds for which it loaded its append-only file.
until halo-redis-cli ping 2>/dev/null | grep -q PONG; do sleep .05; done
journalctl --no-pager -o cat -n 50 -u redis-server | grep -oP 'DB loaded from append only file: \K[0-9.]+' | tail -n 1
