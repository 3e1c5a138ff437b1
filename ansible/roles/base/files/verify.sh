# shellcheck shell=sh
# Services whose program or library was replaced under them: they still run the one from before the update.
outdated() {
  grep -lE ' r-xp .* /(usr|opt)/.* \(deleted\)$' /proc/[0-9]*/maps 2>/dev/null | cut -d / -f 3 | while read -r pid; do
    sed -nE 's,.*/([^/]+)\.service(/.*)?$,\1,p' "/proc/$pid/cgroup" 2>/dev/null
  done | sort -u | xargs
}

disk_has_room() { [ "$(df --output=pcent / | tr -dc 0-9)" -lt 90 ]; }

check "firewall is loaded" "$AGAIN" nft list table inet halo
if systemd-detect-virt --quiet --container; then
  echo "ok|clock is the machine's"
else
  check "clock is being kept" "see timedatectl timesync-status" systemctl is-active systemd-timesyncd
  contains yes timedatectl show --property=NTPSynchronized --value ||
    echo "note|clock is not synchronised yet|no time server has answered. Fix: let the host reach one (UDP port 123), and wait"
fi
check "ssh lets in by keys alone" "$AGAIN" contains "passwordauthentication no" sshd -T
old=$(outdated)
[ -z "$old" ] || echo "note|services run the version from before an update: $old|Fix: on the host: systemctl restart $old"
[ ! -e /run/reboot-required ] || echo "note|an update waits for a reboot|Fix: sudo reboot, one host after the other"
check "disk has room" "free a tenth of /: Redis stops when it cannot write" disk_has_room
