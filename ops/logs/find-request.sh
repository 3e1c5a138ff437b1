#!/bin/bash
# Prints nginx's line of a request; waits some seconds for one that is just being written. Arguments: the request's id, the
# folder of the logs. A client's bytes stand in a line as they came, so each grep takes it for text.
cd "$2" || exit
for _ in 1 2 3 4 5 6; do
  grep -ahsF -m 1 "\"id\":\"$1\"" access.log access.log.1 | grep -a . && exit
  sleep .4 # nginx writes its log once a second
done
zgrep -ahF -m 1 "\"id\":\"$1\"" access.log.*.gz 2>/dev/null || true
