import { type App, hostsOf } from "../cluster/apps.ts";
import { findHost } from "../cluster/hosts.ts";
import type { Host } from "../cluster/inventory.ts";
import { UserError } from "../lib/cli.ts";

/** The first backend of an app; throws a UserError for an app that runs nowhere. */
export function hostOf(app: App): Host {
  if (!app.runs) throw new UserError(`${app.name} is static: nothing of it runs`, "name an app with processes");
  return findHost(hostsOf(app)[0]);
}
