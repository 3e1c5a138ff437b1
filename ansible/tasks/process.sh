#!/bin/sh
# Prints this ansible-playbook's process id and start, or checks that such a process still lives: process.sh [PID START]
start() { ps -o lstart= -p "$1" | xargs; }
if [ $# -gt 0 ]; then
  [ "$(start "$1")" = "$2" ]
  exit
fi
at=$$
while [ "${at:-0}" -gt 1 ]; do
  case $(ps -o args= -p "$at") in *ansible-playbook*) playbook=$at ;; esac
  at=$(ps -o ppid= -p "$at" | xargs)
done
echo "$playbook $(start "$playbook")"
