# shellcheck shell=sh
there /usr/bin/prometheus-node-exporter
