#!/bin/sh
# Serves the web files of a release that is on this balancer; prints each change. An app without pages has none.
#   web.sh APP add ID      its hashed files can be had, beside those of the other releases
#   web.sh APP switch ID   all of it is served, from one request to the next
set -eu
export LC_ALL=C.UTF-8 LANGUAGE=
app=$1
shift
releases=/opt/halo/apps/$app/releases
www=/var/www/halo/$app
web=$releases/$2/web
[ -d "$releases/$2" ] || {
  echo "the web files of release $2 are not on this host, nor its file on the controller. Fix: npm run deploy -- $app brings a new release" >&2
  exit 1
}
install -d "$www"
for site in "$web"/*/; do
  [ -d "$site" ] || continue
  kept=$www/a/$(basename "$site")
  install -d "$kept"
  for file in "$site"a/*; do
    if [ ! -f "$file" ] || [ -e "$kept/${file##*/}" ]; then continue; fi
    # Whole on the disk before it has its name: a power cut leaves no half of it.
    cp --preserve=mode,timestamps "$file" "$www/.new"
    sync "$www/.new"
    mv "$www/.new" "$kept/${file##*/}"
    echo "added ${file##*/}"
  done
done
if [ "$1" != switch ] || [ "$(readlink "$www/current")" = "$web" ]; then exit 0; fi
ln -sfn "$web" "$www/.current"
mv -T "$www/.current" "$www/current"
echo "switched to $2"
# Files that no release on this host has any more go.
for file in "$www"/a/*/*; do
  set -- "$releases"/*/web/"$(basename "$(dirname "$file")")"/a/"${file##*/}"
  [ -e "$1" ] || rm -f "$file"
done
