#!/bin/bash
# Has this backend's service port answered by the bare server or by Halo. Actions and their arguments:
#   start SECONDS ADDRESS PORT PROGRAM USER
#                                        starts the bare server beside the service; after these seconds the host undoes everything
#   bare SERVICE_PORT PORT               the bare server answers; the seconds begin again
#   halo                                 Halo answers; the seconds begin again
#   undo                                 the service answers by itself again; harms nothing where it does
program=/run/halo-bare.ts

undo() {
  nft delete table ip halo_bench 2>/dev/null || true
  systemctl stop halo-bare halo-bench.timer 2>/dev/null || true
  rm -f /run/halo-bare.ts
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
    printf '%s' "$5" >$program
    systemd-run -q --collect --unit=halo-bare --uid="$6" /opt/halo/runtime/current/bin/node $program "$3" "$4"
    nft insert rule inet halo input tcp dport "$4" accept
    ;;
  bare)
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
