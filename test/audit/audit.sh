#!/bin/sh
# Runs an outside auditor on this host, by root. Nothing is installed and nothing stays: Debian's package of the auditor is unpacked into a folder of its own.
#   audit.sh exposure        systemd-analyze security: unit and exposure of every service, a line each
#   audit.sh ssh ADDRESS...  ssh-audit of these hosts, a line of JSON for each
#   audit.sh lynis SKIPPED   lynis' report, without the tests named (a comma between them)
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

# unpack PACKAGE: as apt trusts it. A mirror may be out of reach for minutes; the test's own limit is 5.
unpack() {
  chown _apt . 2>/dev/null || true
  give_up=$(($(date +%s) + 240))
  until apt-get download -qq "$1" >said 2>&1; do
    if [ "$(date +%s)" -gt "$give_up" ]; then
      cat said >&2
      exit 1
    fi
    sleep 2
    apt-get update -qq >/dev/null 2>&1 || true
  done
  dpkg-deb --extract "$1"_*.deb .
  chown root .
}

case $1 in
  exposure)
    {
      systemd-analyze security --no-pager | sed -n 's/^\([^ ]*[.]service\) *\([0-9.]*\) .*/\1 \2/p'
      # It rests between two nights, and is not in that table then.
      systemd-analyze security --no-pager halo-backup.service 2>/dev/null | sed -n 's/.*exposure level for \([^ :]*\): \([0-9.]*\) .*/\1 \2/p'
    } | sort -u
    ;;
  ssh)
    shift
    unpack ssh-audit
    for address in "$@"; do
      # Exit status 1 to 3: it has findings, which are the answer.
      PYTHONPATH=usr/lib/python3/dist-packages python3 -m ssh_audit.ssh_audit --json --skip-rate-test "$address" || [ $? -le 3 ]
      echo
    done
    ;;
  lynis)
    unpack lynis
    {
      cat etc/lynis/default.prf
      # It would ask dpkg for the owner of each certificate that Debian trusts.
      echo "ssl-certificate-paths=/etc/halo"
      echo "$2" | tr ',' '\n' | sed -n 's/./skip-test=&/p'
    } >profile
    (cd usr/share/lynis && sh ../../sbin/lynis audit system --quick --no-colors --quiet --profile "$work/profile" --plugindir "$work/etc/lynis/plugins" --logfile "$work/log" --report-file "$work/report") >"$work/said" 2>&1 || true
    cat "$work/report" || cat "$work/said"
    ;;
esac
