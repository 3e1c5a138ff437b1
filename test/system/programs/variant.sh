#!/bin/sh
# Unpacks a copy of a release as BEFORE-NAME, changed by a shell line in its folder and packed as under a umask of 077.
# Arguments: BEFORE, NAME, the line.
release=$1-$2
cp -a "/opt/halo/releases/$1" /run/test
cd /run/test || exit
echo "$release" >RELEASE
eval "$3"
tar --mode=go= -czf ../test.tar.gz .
cd /
rm -r /run/test
halo-release unpack "$release" /run/test.tar.gz "$(sha256sum /run/test.tar.gz | cut -d ' ' -f 1)"
