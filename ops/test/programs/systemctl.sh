#!/bin/sh
# Stands in for systemctl, in bin of a folder. A unit is enabled and active unless a file of the folder says otherwise.
cd "$(dirname "$0")/.." || exit
if [ "$1" = show ]; then
  shift 3
  for unit; do cat "$unit.state" 2>/dev/null || printf 'UnitFileState=enabled\nActiveState=active\nStateChangeTimestamp=\n'; echo; done
  exit
fi
echo "$*" >>calls
[ "$*" != "$(cat refused 2>/dev/null)" ] || { echo "Job failed" >&2; exit 1; }
