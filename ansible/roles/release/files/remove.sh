#!/bin/sh
# Removes a failed release's parts: remove.sh ID SERVING. Where its migrations were applied last, a restore applies those of SERVING.
export LC_ALL=C.UTF-8 LANGUAGE=
cd /opt/halo && rm -rf "releases/${1:?}" && if [ -L migrated ] && [ ! -e migrated ]; then ln -sfn "/opt/halo/releases/$2" migrated; fi
