#!/bin/sh
# Unpacks the pages, the migrations and the Redis function of a release, and gives that to a Redis that is here: parts.sh ID TARBALL SHA256 KEPT|all [SERVING ...]
# The folder appears completely or not at all, and nothing half-made stays. Of the other releases the newest KEPT and the SERVING
# ones stay. all: the host is a backend too, which gets the whole release and removes old ones itself.
set -eu
umask 022
export LC_ALL=C.UTF-8 LANGUAGE=
id=$1 file=$2 sum=$3 kept=$4
shift 4
new=/opt/halo/releases/.new
die() {
  echo "$*" >&2
  exit 1
}
trap 'rm -rf "$new" "$file"' EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM
find /var/lib/halo-uploads -type f -mmin +60 -delete 2>/dev/null || true # of a run that was killed
echo "$sum  $file" | sha256sum --check --status || die "$file is not what was built (its sha256 differs). Fix: run the playbook again"
install -d -m 0755 /opt/halo/releases
cd /opt/halo/releases
rm -rf "$new"
parts='(RELEASE|app/migrations/.*[^/]|app/src/visits/count\.lua|web/.*[^/])'
[ "$kept" != all ] || parts='.*[^/]'
install -d -m 0755 "$new/app/migrations"
if ! words=$({ tar --list --gzip --file "$file" | grep -E "^(\./)?$parts\$" >"$new/.list" \
  && tar --extract --gzip --no-same-owner --file "$file" --directory "$new" --files-from "$new/.list"; } 2>&1); then
  free=$(df --output=avail --human-readable . | tail -n 1 | tr -d ' ')
  die "$id cannot be unpacked on $(uname -n): $(echo "$words" | grep -m 1 "No space left" || echo "$words" | head -n 1) (/opt/halo has $free free). Fix: make room there if it is full, then run this again"
fi
rm "$new/.list"
chmod -R u=rwX,go=rX "$new" # whatever the umask where it was packed
sync --file-system "$new"   # a power cut after the rename leaves no empty files
[ -d "$id" ] || mv "$new" "$id"
# Before the release is asked whether it is ready, and it is not without its function.
[ ! -e /usr/local/sbin/halo-redis-cli ] || halo-redis-cli load-functions
[ "$kept" != all ] || exit 0
find . -mindepth 1 -maxdepth 1 -type d -name '[!.]*' -printf '%f\n' | sort | head -n "-$kept" | while read -r old; do
  case " $id $* " in *" $old "*) ;; *) rm -rf "$old" ;; esac
done
