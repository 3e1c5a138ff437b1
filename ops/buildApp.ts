/**
 * Builds a release of an app, once, on the controller: `buildApp.ts NAME [--after ID] [--arch x64|arm64]`. Prints one JSON
 * line: {"id", "file", "sha256", "notes", "size"}; the steps go to standard error.
 */
import { parseArgs } from "node:util";
import { buildApp } from "./apps/build.ts";
import { appOf, apps } from "./cluster/apps.ts";
import { runCommand, UserError } from "./lib/cli.ts";

await runCommand(async (args) => {
  const { positionals, values } = parseArgs({
    args,
    allowPositionals: true,
    options: { after: { type: "string", default: "" }, arch: { type: "string", default: process.arch } },
  });
  const [name] = positionals;
  if (!name)
    throw new UserError(
      "no app is named",
      `ops/run buildApp NAME, one of ${
        apps()
          .map((app) => app.name)
          .join(", ") || "apps.yml"
      }`,
    );
  console.log(JSON.stringify(await buildApp(appOf(name), values.after, { arch: values.arch })));
});
