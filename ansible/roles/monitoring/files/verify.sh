# shellcheck shell=sh
if in_group monitoring; then
  check "prometheus runs" "see journalctl -u prometheus" systemctl is-active prometheus
  check "alertmanager runs" "see journalctl -u prometheus-alertmanager" systemctl is-active prometheus-alertmanager
  monitoring_checks
fi
