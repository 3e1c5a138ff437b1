# shellcheck shell=sh
if in_group backends; then
  check "service runs" "see: journalctl -u halo" systemctl is-active halo
  # The reason is the gate's last line, /readyz's own words among it.
  said=$(halo-release check 2>&1) && ready=true || ready=false
  check "release $(cat /opt/halo/current/RELEASE 2>/dev/null) is ready" "$(echo "$said" | tail -n 1); see: npm run diagnose, journalctl -u halo; $AGAIN" "$ready"
fi
