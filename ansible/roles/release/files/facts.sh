# shellcheck shell=sh
there /usr/local/sbin/halo-release /opt/halo /opt/halo/releases/*
