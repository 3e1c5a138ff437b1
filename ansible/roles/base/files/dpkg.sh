#!/bin/sh
# Finishes an installation that was interrupted (power, a full disk, a killed apt). Until then apt installs nothing.
set -eu
export LC_ALL=C.UTF-8 LANGUAGE=
export DEBIAN_FRONTEND=noninteractive
policy=/usr/sbin/policy-rc.d
keep="--force-confdef --force-confold" # as for security updates: a file that Halo wrote stays

die() {
  echo "$1" >&2
  echo "Fix: on the host: sudo dpkg --configure -a, then sudo apt-get --fix-broken install; correct the causes that they name, then run the playbook again" >&2
  exit 1
}
# No service starts yet: Redis must have its append-only file from the first write.
[ ! -e $policy ] || mv $policy $policy.halo
trap 'exit 143' HUP INT TERM
trap 'rm -f $policy; [ ! -e $policy.halo ] || mv $policy.halo $policy' EXIT
printf '#!/bin/sh\nexit 101\n' >$policy
chmod 0755 $policy

# The broken state may be an update that is under way: dpkg does not wait for its lock by itself.
waited=0
# shellcheck disable=SC2086 # two words
until output=$(dpkg $keep --configure --pending 2>&1); do
  case $output in
    *lock*) [ $waited -lt 300 ] || die "Another process has held dpkg's lock for $waited s: $output" ;;
    *) break ;; # apt may have the missing package
  esac
  sleep 5
  waited=$((waited + 5))
done
output=$(apt-get --quiet=2 --yes --option DPkg::Lock::Timeout=300 --option Dpkg::Options::=--force-confdef \
  --option Dpkg::Options::=--force-confold --fix-broken install 2>&1) || die "An installation was interrupted here, and could not be finished: $output"
