const limit = "/run/halo-drill-maxmemory";

/** Scripts for Redis' host: keep maxmemory for later, reach it, and put it back; the last one harms nothing where it stands. */
export const maxmemory = {
  keep: `halo-redis-cli config get maxmemory | tail -n 1 >${limit}`,
  reach: "halo-redis-cli config set maxmemory 1mb",
  restore: `if [ -e ${limit} ]; then halo-redis-cli config set maxmemory $(cat ${limit}); rm ${limit}; fi`,
};
