import type { App } from "../cluster/apps.ts";
import { findHost } from "../cluster/hosts.ts";
import { type Host, inGroup } from "../cluster/inventory.ts";
import { UserError } from "../lib/cli.ts";

/** The names of the hosts that have an app: its backends, or for a static one the balancers. */
export const hostsOf = ({ runs, hosts }: App): string[] =>
  hosts && runs ? hosts : inGroup(runs ? "backends" : "balancers").map(({ name }) => name);

/** The first backend of an app; throws a UserError for an app that runs nowhere. */
export function hostOf(app: App): Host {
  if (!app.runs) throw new UserError(`${app.name} is static: nothing of it runs`, "name an app with processes");
  return findHost(hostsOf(app)[0]);
}
