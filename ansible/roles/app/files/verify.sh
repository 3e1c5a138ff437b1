# shellcheck shell=sh
if in_group backends; then
  check "service runs" "see journalctl -u halo" systemctl is-active halo
  # The reason is the gate's last line, with the text of /readyz.
  reason=$(halo-release check 2>&1) && ready=true || ready=false
  check "release $(cat /opt/halo/current/RELEASE 2>/dev/null) is ready" "npm run diagnose names the cause ($(echo "$reason" | tail -n 1)); see also journalctl -u halo; $AGAIN" "$ready"
fi
