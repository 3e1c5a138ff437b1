#!/bin/sh
# Stands in for npm, in bin of a folder: writes down how it was called, and puts packages in place whose Node is a copy of
# node-of-packages beside it.
here=$(dirname "$0")
echo "NODE_ENV=$NODE_ENV $*" >>"$here/../npm.log"
mkdir -p node_modules/.bin
cp "$here/node-of-packages" node_modules/.bin/node
touch node_modules/.bin/vitest node_modules/.package-lock.json
chmod +x node_modules/.bin/*
