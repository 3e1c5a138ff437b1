import { blackhole, both, freeze, halt, power, worker } from "./backends.ts";
import { nginx, overload, powerOfBalancer, reload } from "./balancer.ts";
import { certificate } from "./certificate.ts";
import { bad, controller, deploy, rollback } from "./releases.ts";
import { scale } from "./scale.ts";
import { disk, memory, postgresKills, redisKills } from "./stores.ts";
import type { Drill } from "./types.ts";

/** Every drill, in the order in which `npm run drill` runs them. */
export const drills: Drill[] = [
  worker,
  halt,
  power,
  blackhole,
  freeze,
  redisKills,
  postgresKills,
  both,
  deploy,
  rollback,
  bad,
  controller,
  scale,
  reload,
  certificate,
  nginx,
  disk,
  memory,
  overload,
  powerOfBalancer,
];
