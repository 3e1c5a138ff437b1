#!/bin/sh
# Whether a security update comes by itself, by root: the command of apt's own timer, with all settings of this host, is shown
# a repository with the labels of Debian's security repository. It has a newer version of an installed package, with another
# configuration file than the one that somebody has changed here. Prints the version before and after, and leaves nothing.
set -eu
work=$(mktemp -d)
chmod 0755 "$work"
stamp=/var/lib/apt/periodic/upgrade-stamp
clean() {
  dpkg --purge halo-audit >/dev/null 2>&1 || true
  rm -rf "$work" /etc/halo-audit.conf
  [ ! -e $stamp.kept ] || mv $stamp.kept $stamp
}
trap clean EXIT

for version in 1 2; do
  mkdir -p "$work/$version/DEBIAN" "$work/$version/etc" "$work/repository"
  echo "setting = $version" >"$work/$version/etc/halo-audit.conf"
  echo /etc/halo-audit.conf >"$work/$version/DEBIAN/conffiles"
  cat >"$work/$version/DEBIAN/control" <<CONTROL
Package: halo-audit
Version: $version
Architecture: all
Maintainer: Halo <nobody@localhost>
Description: Shows that a security update comes by itself
CONTROL
  dpkg-deb --root-owner-group --build "$work/$version" "$work/$version.deb" >/dev/null
done
dpkg --install "$work/1.deb" >/dev/null
echo "setting = my own" >/etc/halo-audit.conf

cd "$work/repository"
cp ../2.deb .
{
  dpkg-deb --field 2.deb
  echo "Filename: ./2.deb"
  echo "Size: $(stat --format=%s 2.deb)"
  echo "SHA256: $(sha256sum 2.deb | cut -d ' ' -f 1)"
} >Packages
# shellcheck source=/dev/null
codename=$(. /etc/os-release && echo "$VERSION_CODENAME")
cat >Release <<RELEASE
Origin: Debian
Label: Debian-Security
Suite: stable-security
Codename: $codename-security
Date: $(date --utc --rfc-email)
SHA256:
 $(sha256sum Packages | cut -d ' ' -f 1) $(stat --format=%s Packages) Packages
RELEASE
# Only this source is asked, and apt keeps its files apart; all else is the host's.
mkdir -p "$work/lists" "$work/archives/partial"
echo "deb [trusted=yes] file:$work/repository ./" >"$work/sources.list"
cat >"$work/apt.conf" <<CONF
Dir::Etc::SourceList "$work/sources.list";
Dir::Etc::SourceParts "-";
Dir::State::Lists "$work/lists";
Dir::Cache "$work";
CONF
export APT_CONFIG="$work/apt.conf"
apt-get update -qq
[ ! -e $stamp ] || mv $stamp $stamp.kept
version() { dpkg-query --show --showformat '${Version}' halo-audit; }
before=$(version)
# The command of the timer's service, whatever it is
command=$(systemctl show apt-daily-upgrade.service --property=ExecStart --value | sed -n 's/.*argv\[\]=\([^;]*\) ;.*/\1/p')
$command
echo "$before -> $(version), $(cat /etc/halo-audit.conf)"
