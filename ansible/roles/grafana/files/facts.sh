# shellcheck shell=sh
there /usr/share/grafana
