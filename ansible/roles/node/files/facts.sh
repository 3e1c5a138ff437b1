# shellcheck shell=sh
echo "runtime=$(basename "$(readlink /opt/halo/runtime/current)")"
there /opt/halo/runtime/*
