#!/bin/sh
# Installs Grafana from its apt repository, or leaves everything as it was and says why.
# Usage: sh -c "$(cat install.sh)" install REPOSITORY KEY SECONDS
export LC_ALL=C.UTF-8 LANGUAGE=
key=/etc/apt/keyrings/grafana.asc
list=/etc/apt/sources.list.d/grafana.list
export DEBIAN_FRONTEND=noninteractive
log=$(mktemp)
only="-o Dir::Etc::SourceParts=/dev/null -o Dir::Etc::SourceList=$list"

give_up() {
  rm -f "$key" "$list"
  echo "$1: $(grep -E '^(E|Err|W):' "$log" | tail -n 1)" >&2
  rm -f "$log"
  exit 1
}

# Explicit modes, because a umask may forbid reading: apt reads these as a user of its own.
install -d -m 0755 /etc/apt/keyrings
# apt's own helper: it knows the host's proxy.
timeout "$3" /usr/lib/apt/apt-helper -o Acquire::Retries=0 -o APT::Sandbox::User=root download-file "$2" "$key" >"$log" 2>&1 ||
  give_up "$2 cannot be reached within $3 s"
chmod 0644 "$key"
echo "deb [signed-by=$key] $1 stable main" >"$list"
chmod 0644 "$list"
# shellcheck disable=SC2086 # options, not one word
apt-get update -o APT::Update::Error-Mode=any -o APT::Get::List-Cleanup=0 -o Acquire::http::Timeout=10 $only >"$log" 2>&1 ||
  give_up "$1 is no repository that apt takes"
apt-get install --yes --no-install-recommends -o DPkg::Lock::Timeout=300 grafana >"$log" 2>&1 ||
  give_up "Grafana cannot be installed from $1"
rm -f "$log"
