#!/bin/bash
# Has this backend's service port answered by another server or by Halo. Actions and their arguments:
#   start SECONDS              prepares the host; after these seconds it undoes everything
#   add NAME PORT PROGRAM USER ADDRESS RELEASE [NODE_OPTION ...]
#                              starts a server beside the service
#   redirect SERVICE_PORT PORT the server at this port answers; the seconds begin again
#   halo                       Halo answers; the seconds begin again
#   undo                       the service answers by itself again; harms nothing where it does

undo() {
  nft delete table ip halo_bench 2>/dev/null || true
  systemctl stop halo-bare halo-fastify halo-bench.timer 2>/dev/null || true
  rm -f /run/halo-bare.cjs /run/halo-fastify.cjs
  nft --file /etc/halo/firewall.nft
}

again() {
  systemctl restart halo-bench.timer
  nft delete table ip halo_bench 2>/dev/null || true
}

case $1 in
  start)
    undo
    systemd-run -q --collect --unit=halo-bench --on-active="$2" bash -c "$(declare -f undo); undo"
    ;;
  add)
    program=/run/halo-$2.cjs
    printf '%s' "$4" >"$program"
    systemd-run -q --collect --unit="halo-$2" --uid="$5" \
      /opt/halo/runtime/current/bin/node "${@:8}" "$program" "$6" "$3" "$7"
    nft insert rule inet halo input tcp dport "$3" accept
    ;;
  redirect)
    again
    nft --file - <<NFT
table ip halo_bench {
  chain prerouting {
    type nat hook prerouting priority dstnat;
    tcp dport $2 redirect to :$3
  }
}
NFT
    ;;
  halo) again ;;
  undo) undo ;;
esac
