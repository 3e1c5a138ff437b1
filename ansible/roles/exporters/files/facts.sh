# shellcheck shell=sh
present /usr/bin/prometheus-node-exporter
