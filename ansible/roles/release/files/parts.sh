#!/bin/sh
# Unpacks the pages and the migrations of a release: parts.sh ID TARBALL SHA256 KEPT|all [SERVING ...]
# The folder appears whole or not at all; of the others the newest KEPT stay, and those that are SERVING. all: a backend besides,
# which gets the whole and sees to the old ones itself.
set -eu
id=$1 file=$2 sum=$3 kept=$4
shift 4
echo "$sum  $file" | sha256sum --check --status || {
  echo "$file is not what was built (its sha256 differs); run the playbook again" >&2
  exit 1
}
install -d -m 0755 /opt/halo/releases
cd /opt/halo/releases
rm -rf .new
parts='(RELEASE|app/migrations/.*[^/]|web/.*[^/])'
[ "$kept" != all ] || parts='.*[^/]'
install -d -m 0755 .new/app/migrations
tar --list --gzip --file "$file" | grep -E "^(\./)?$parts\$" >.new/.list
tar --extract --gzip --no-same-owner --file "$file" --directory .new --files-from .new/.list
rm .new/.list "$file"
chmod -R u=rwX,go=rX .new # whatever the umask where it was packed
[ -d "$id" ] || mv .new "$id"
rm -rf .new
[ "$kept" != all ] || exit 0
find . -mindepth 1 -maxdepth 1 -type d -printf '%f\n' | sort | head -n "-$kept" | while read -r old; do
  case " $id $* " in *" $old "*) ;; *) rm -rf "$old" ;; esac
done
