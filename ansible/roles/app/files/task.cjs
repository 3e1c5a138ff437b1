// Managed by Ansible (role app). Runs a command of the app's, by its name in the environment: task.cjs RELEASE_FOLDER VARIABLE. Node has read
// the settings file, so the command sees all that the app sees, and no process list shows it.
const { spawnSync } = require("node:child_process");
const { existsSync, readFileSync, realpathSync } = require("node:fs");
const { join } = require("node:path");
const { parseEnv } = require("node:util");

const [folder, variable] = process.argv.slice(2);
// Not `current`: the command keeps its release through a deploy.
const release = realpathSync(folder);
// A release of an earlier version of Halo has none.
const settings = join(release, "RELEASE.env");
const { HALO_PATH = "." } = existsSync(settings) ? parseEnv(readFileSync(settings, "utf8")) : {};
const cwd = join(release, HALO_PATH);
const folders = [cwd, release].map((each) => join(each, "node_modules/.bin"));
const { status, signal, error } = spawnSync("sh", ["-c", process.env[variable]], {
  cwd,
  env: { ...process.env, PATH: [...folders, process.env.PATH].join(":") },
  stdio: "inherit",
});
if (error) throw error;
process.exitCode = signal ? 1 : status;
