#!/bin/sh
# Brings the ways into this host, firewall and SSH, in force as they are written.
#   reach.sh load   for now: if nobody says `keep`, both are as before Halo after 5 minutes
#   reach.sh keep   for good, because the controller has come back through them
set -eu
export LC_ALL=C.UTF-8 LANGUAGE=
undo=halo-firewall-undo
ssh=/etc/ssh/sshd_config.d/00-halo.conf
case $1 in
  load)
    systemctl stop $undo.timer $undo.service 2>/dev/null || true
    # Longer than the slowest host takes to be asked again.
    systemd-run --quiet --collect --on-active=300 --timer-property=AccuracySec=1s --unit=$undo \
      sh -c "systemctl disable --now halo-firewall; rm -f $ssh; systemctl reload ssh"
    systemctl daemon-reload
    systemctl enable --quiet halo-firewall
    systemctl restart halo-firewall
    systemctl reload ssh
    ;;
  keep)
    systemctl stop $undo.timer
    # A box of Vagrant's has a password that everybody knows; SSH takes none any more, but su would.
    if [ "$(passwd --status vagrant 2>/dev/null | cut -d ' ' -f 2)" = P ]; then passwd --quiet --lock vagrant; fi
    ;;
esac
