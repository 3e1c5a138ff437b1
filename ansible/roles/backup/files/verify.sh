# shellcheck shell=sh
backups() { find /var/backups/halo -maxdepth 1 -name 'halo-*.tar' "$@" 2>/dev/null; }
recent_backup() { [ -n "$(backups -mmin -1560)" ]; }
# Before the first night, and in the quarter of an hour that the timer takes after a boot, there is no reason to worry.
backup_due() {
  systemctl is-failed --quiet halo-backup || recent_backup || { [ -n "$(backups)" ] && [ -z "$(find /proc/1 -maxdepth 0 -mmin -30)" ]; }
}

if in_group redis || in_group postgres; then
  if backup_due; then
    check "last backup is younger than 26 h" "npm run backup; see journalctl -u halo-backup" recent_backup
  else
    echo "note|no backup of the last 26 h|none yet, or the host was off. Fix: npm run backup makes one; else the timer does at night"
  fi
fi
