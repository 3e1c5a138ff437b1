#!/bin/sh
# Takes a host over from an earlier version's layout, which had one app and no name for it: that one is the app demo now. A cluster in
# service is moved without a failed request, so no step takes anything away that is still in use.
#   adopt.sh archives FOLDER   on the controller: the releases that it keeps in FOLDER are demo's
#   adopt.sh folders           releases and web files move to their new places, at one stroke each. Links at the old ones serve the old
#                              unit and nginx's old settings
#   adopt.sh unit              halo@demo takes the place of halo, once a candidate has shown that it works; the old unit's things go
#   adopt.sh links             the links go
# Each prints what it changed, and does nothing where nothing is left to do: the next run completes one that was cut short.
set -eu
export LC_ALL=C.UTF-8 LANGUAGE=
old=/opt/halo
new=/opt/halo/apps/demo
www=/var/www/halo
unit=/etc/systemd/system/halo.service

# move FOLDER NEW: in one step the folder has its new place, and a link is at its old one.
move() {
  if [ -L "$1" ] || [ ! -d "$1" ]; then return; fi
  [ ! -e "$2" ] || {
    echo "adopt: both $1, of an earlier version, and $2 are on this host. Fix: remove the one that you do not need, then run this again" >&2
    exit 1
  }
  install -d "$(dirname "$2")"
  ln -sfn "$2" "$2"
  mv --exchange --no-target-directory "$1" "$2"
  echo "$1 is $2"
}

folders() {
  move $old/releases $new/releases
  for release in "$new"/releases/*/; do
    # Each release has its migrations there now.
    if [ ! -d "${release}app/migrations" ] || [ -e "${release}migrations" ]; then continue; fi
    ln -s app/migrations "${release}migrations"
  done
  # The links are relative to the folder that has the releases.
  [ ! -L $old/current ] || [ -e $new/current ] || cp --no-dereference $old/current $new/current
  [ ! -L $old/migrated ] || [ -e $new/migrated ] || ln -sfn "$new/releases/$(basename "$(readlink $old/migrated)")" $new/migrated
  move $www/a $www/demo/a
  [ ! -L $www/current ] || [ -e $www/demo/current ] || ln -sfn "$new/releases/$(readlink $www/current | cut -d / -f 5)/web" $www/demo/current
}

take_over() {
  [ -e $unit ] || return 0
  # systemd ends the old one before it starts the new one: halo-release does that when the candidate has passed.
  install -d /run/systemd/system/halo@demo.service.d
  printf '[Unit]\nConflicts=halo.service\nAfter=halo.service\n' >/run/systemd/system/halo@demo.service.d/adopt.conf
  halo-release demo apply >/dev/null || {
    # It is no longer there only if it was stopped for nothing.
    systemctl is-active --quiet halo || systemctl stop halo@demo
    systemctl start halo
    exit 1
  }
  systemctl disable --quiet halo
  rm -rf $unit $unit.d /run/systemd/system/halo@demo.service.d /etc/halo/halo.env $old/served
  systemctl daemon-reload
  userdel halo 2>/dev/null || true # a process of somebody's may still be its own
  rm -rf /var/lib/halo/pm2 /var/lib/halo/compile-cache
  chown root:root /var/lib/halo
  chmod 0755 /var/lib/halo
  echo "halo@demo is in service, and halo is gone"
}

links() {
  if [ -e $unit ] || grep -qs $www/current/ /etc/nginx/nginx.conf; then return; fi
  for link in $old/releases $old/current $old/migrated $www/a $www/current; do
    [ ! -L "$link" ] || rm "$link"
  done
  echo "no link of the earlier layout is left"
}

case ${1:-} in
  archives)
    for file in "$2"/*.tar.gz; do
      [ -e "$file" ] || continue
      mkdir -p "$2/demo"
      mv "$file" "$2/demo/"
      echo "$file is in $2/demo"
    done
    ;;
  folders) folders ;;
  unit) take_over ;;
  links) links ;;
  *)
    echo "adopt: no such use. Fix: see the head of this script" >&2
    exit 1
    ;;
esac
