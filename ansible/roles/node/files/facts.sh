# shellcheck shell=sh
echo "runtime=$(basename "$(readlink /opt/halo/runtime/current)")"
present /opt/halo/runtime/*
