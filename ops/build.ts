/**
 * Builds the archives that the hosts get, once, on the controller: `build.ts release [--app NAME] [--after ID]` or
 * `build.ts runtime --arch x64|arm64 [--node VERSION]`. Prints one JSON line: {"id", "file", "sha256", "notes"}; the steps go to standard error. All
 * packages are those of a lock file, hashes checked.
 */
import { parseArgs } from "node:util";
import { buildApp } from "./apps/build.ts";
import { buildRelease } from "./build/release.ts";
import { buildRuntime } from "./build/runtime.ts";
import { findApp } from "./cluster/apps.ts";
import { runCommand, UserError } from "./lib/cli.ts";

await runCommand(async (args) => {
  const { positionals, values } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      app: { type: "string" },
      arch: { type: "string", default: process.arch },
      node: { type: "string" },
      after: { type: "string", default: "" },
    },
  });
  const builds = {
    release: () => {
      const app = findApp(values.app);
      // With a path it is an app in a folder of this project, such as examples/notes.
      return app.source === "." && !app.entry.path
        ? buildRelease(app, values.after)
        : buildApp(app, values.after, { arch: values.arch });
    },
    runtime: () => buildRuntime(values.arch, values.node),
  };
  const build = Object.entries(builds).find(([name]) => name === positionals[0])?.[1];
  if (!build) throw new UserError("no archive is named", "ops/run build release, or ops/run build runtime --arch x64");
  console.log(JSON.stringify(await build()));
});
