#!/bin/bash
# Drops the requests of a balancer on their way to this host's service. Arguments: the balancer's address, the service's port.
nft --file - <<NFT
table inet halo_drill {
  chain in { type filter hook input priority -300; policy accept; ip saddr $1 tcp dport $2 drop; }
}
NFT
