#!/bin/sh
# Unpacks a copy of a release of an app as BEFORE-NAME, changed by a shell line in its folder and packed as under a umask of 077.
# Arguments: APP, BEFORE, NAME, the line.
release=$2-$3
cp -a "/opt/halo/apps/$1/releases/$2" /run/test
cd /run/test || exit
echo "$release" >RELEASE
eval "$4"
tar --mode=go= -czf ../test.tar.gz .
cd /
rm -r /run/test
halo-release "$1" unpack "$release" /run/test.tar.gz "$(sha256sum /run/test.tar.gz | cut -d ' ' -f 1)"
