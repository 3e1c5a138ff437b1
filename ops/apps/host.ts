import type { App } from "../cluster/apps.ts";
import { findHost } from "../cluster/hosts.ts";
import { type Host, inGroup } from "../cluster/inventory.ts";
import { UserError } from "../lib/cli.ts";

/** The first backend of an app; throws a UserError for an app that runs nowhere. */
export function hostOf({ name, runs, entry: { hosts = "all" } }: App): Host {
  if (!runs) throw new UserError(`${name} is static: nothing of it runs`, "name an app with processes");
  return hosts === "all" ? (inGroup("backends")[0] as Host) : findHost([hosts].flat()[0]);
}
