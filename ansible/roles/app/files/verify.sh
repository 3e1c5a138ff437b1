# shellcheck shell=sh
if in_group backends; then
  check "service runs" "see journalctl -u halo" systemctl is-active halo
  # The reason is the gate's last line, with the text of /readyz.
  reason=$(halo-release check 2>&1) && ready=true || ready=false
  title="release $(cat /opt/halo/current/RELEASE 2>/dev/null) is ready"
  if $ready; then echo "ok|$title"; else echo "WRONG|$title|$(echo "$reason" | tail -n 1). Fix: npm run diagnose, or see journalctl -u halo; $AGAIN"; fi
fi
