# shellcheck shell=sh
present /etc/postgresql
