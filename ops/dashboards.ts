/** Writes Grafana's dashboards as JSON into .halo/dashboards, one file each; the role grafana puts them on its host. */
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { boards } from "./dashboards/boards.ts";
import { dashboard } from "./dashboards/panel.ts";
import { runCommand } from "./lib/cli.ts";
import { localPath } from "./lib/paths.ts";

await runCommand(() => {
  const folder = localPath("dashboards");
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  for (const board of boards)
    writeFileSync(join(folder, `${board.uid}.json`), `${JSON.stringify(dashboard(board), null, 2)}\n`);
  console.log(folder);
});
