# shellcheck shell=sh
# The apps that have a release in service here.
for file in /opt/halo/apps/*/current/RELEASE; do
  [ ! -e "$file" ] || echo "release:$(echo "$file" | cut -d / -f 5)=$(cat "$file")"
done
present /etc/systemd/system/halo-cron@*.timer
# Of an earlier version (adopt.sh).
present /opt/halo/releases /etc/systemd/system/halo.service
