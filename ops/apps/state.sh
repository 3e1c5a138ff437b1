#!/bin/sh
# Prints the state of apps on this host, a line for each: NAME RELEASE STATUS MEMORY LIMIT, with - for an unknown part. STATUS is the HTTP status
# at the health path, 000 without an answer; MEMORY and LIMIT are bytes. By root: sh -s ADDRESS NAME PORT PATH DOMAIN ...
# A static app has the port 0: its pages have no status and no memory.
export LC_ALL=C.UTF-8 LANGUAGE=
address=$1
shift
while [ $# -ge 4 ]; do
  name=$1 port=$2 path=$3 domain=$4
  shift 4
  if [ "$port" = 0 ]; then
    release=$(readlink "/var/www/halo/$name/current" 2>/dev/null | cut -d / -f 7)
    echo "$name ${release:--} - - -"
    continue
  fi
  release=$(cat "/opt/halo/apps/$name/current/RELEASE" 2>/dev/null)
  status=$(curl --silent --output /dev/null --max-time 3 --header "Host: $domain" --write-out '%{http_code}' "http://$address:$port$path")
  group=$(systemctl show --property=ControlGroup --value "halo@$name" 2>/dev/null)
  memory=$(sed -n 's/^anon //p' "/sys/fs/cgroup$group/memory.stat" 2>/dev/null)
  limit=$(systemctl show --property=MemoryMax --value "halo@$name" 2>/dev/null)
  echo "$name ${release:--} ${status:-000} ${memory:--} ${limit:--}"
done
