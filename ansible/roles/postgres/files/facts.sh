# shellcheck shell=sh
there /etc/postgresql
