#!/bin/sh
# Serves the web files of a release that is on this balancer; prints each change. An app without pages has none.
#   web.sh APP add ID [FOLDER ...]      the files whose names have a hash can be had, beside those of the other releases
#   web.sh APP switch ID [FOLDER ...]   all of it is served, from one request to the next
# FOLDER has such files, of an app that is static; else they are in the folder a/ of each site.
set -eu
export LC_ALL=C.UTF-8 LANGUAGE=
app=$1 how=$2 id=$3
shift 3
releases=/opt/halo/apps/$app/releases
www=/var/www/halo/$app
web=$releases/$id/web
[ -d "$releases/$id" ] || {
  echo "the web files of release $id are not on this host, nor its file on the controller. Fix: npm run deploy -- $app brings a new release" >&2
  exit 1
}
install -d "$www"

# keep FOLDER NEW: adds the folder's files to those of the other releases.
keep() {
  [ -d "$1" ] || return 0
  (cd "$1" && find . -type f) | while read -r file; do
    kept=$2/${file#./}
    [ ! -e "$kept" ] || continue
    install -d "$(dirname "$kept")"
    # Whole on the disk before it has its name: a power cut leaves no half of it.
    cp --preserve=mode,timestamps "$1/$file" "$www/.new"
    sync "$www/.new"
    mv "$www/.new" "$kept"
    echo "added ${file##*/}"
  done
}

# drop FOLDER PATH ...: the files of the folder go that no release on this host has any more. PATH is where a release has it.
drop() {
  [ -d "$1" ] || return 0
  (cd "$1" && find . -type f) | while read -r file; do
    set -- "$1" "$2" "$releases"/*/web/"$2/$file"
    [ -e "$3" ] || rm -f "$1/$file"
  done
}

if [ $# -gt 0 ]; then
  for folder in "$@"; do keep "$web/$folder" "$www/kept/$folder"; done
else
  for site in "$web"/*/; do keep "${site}a" "$www/a/$(basename "$site")"; done
fi
if [ "$how" != switch ] || [ "$(readlink "$www/current")" = "$web" ]; then exit 0; fi
ln -sfn "$web" "$www/.current"
mv -T "$www/.current" "$www/current"
echo "switched to $id"
for folder in "$@"; do drop "$www/kept/$folder" "$folder"; done
for site in "$www"/a/*/; do [ ! -d "$site" ] || drop "${site%/}" "$(basename "$site")/a"; done
