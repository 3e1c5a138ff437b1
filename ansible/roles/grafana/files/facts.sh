# shellcheck shell=sh
present /usr/share/grafana
