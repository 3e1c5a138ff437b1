# shellcheck shell=sh
echo "release=$(cat /opt/halo/current/RELEASE 2>/dev/null)"
