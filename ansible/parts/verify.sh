#!/bin/sh
# Checks one host and changes nothing. Arguments: the host's groups. Environment: verify_environment. The roles' files/verify.sh follow, and
# use these functions; a role's files/verify.py is the function ROLE_checks.
# Prints a line for each check: ok|check, WRONG|check|[reason. ]Fix: ..., or note|check|[reason. ][Fix: ...].
set -u
export LC_ALL=C.UTF-8 LANGUAGE=
groups=" $* "
# shellcheck disable=SC2034 # the roles use it
AGAIN="npm run up; on your own servers, in ansible/: ansible-playbook site.yml"

# in_group GROUP: whether the host belongs to it.
in_group() { case $groups in *" $1 "*) ;; *) return 1 ;; esac; }

check() { # TITLE FIX COMMAND...: the command succeeds
  title=$1 fix=$2
  shift 2
  if "$@" >/dev/null 2>&1; then echo "ok|$title"; else echo "WRONG|$title|Fix: $fix"; fi
}

contains() { # WORD COMMAND...: the command prints the word on a line of its own
  word=$1
  shift
  "$@" 2>&1 | tr -d '\r' | grep -qxF -- "$word"
}
