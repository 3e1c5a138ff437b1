# shellcheck shell=sh
# The links by which units find a runtime, each with the runtime's id.
for link in /opt/halo/runtime/*; do
  [ ! -L "$link" ] || echo "runtime:$(basename "$link")=$(readlink "$link")"
done
present /opt/halo/runtime/*
