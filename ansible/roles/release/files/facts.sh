# shellcheck shell=sh
present /usr/local/sbin/halo-release /opt/halo /opt/halo/apps/*/releases/*
