// What PM2 runs for each app, by the app's own settings file. The app reads its settings from the same file (Node's --env-file), so a
// reload applies changes, and `pm2 env` shows no password.
const { readFileSync, realpathSync } = require("node:fs");
const { isAbsolute, join, relative, resolve } = require("node:path");
const { parseEnv } = require("node:util");

const envFile = process.env.HALO_ENV_FILE;
if (!envFile)
  throw new Error(
    "Halo starts no app: HALO_ENV_FILE does not name its settings file. Fix: start it by its unit, systemctl start halo@NAME",
  );
let settings;
try {
  settings = { ...parseEnv(readFileSync(envFile, "utf8")), ...process.env };
} catch (error) {
  throw new Error(
    `Halo cannot start: its settings file ${envFile} is not readable (${error.code}). ` +
      "Fix: npm run up (your own servers: ansible-playbook site.yml), which writes it and starts the app",
  );
}
// The symbolic link, not its target: PM2 keeps this path, and a reload follows the link again.
const release = process.env.HALO_ROOT || `/opt/halo/apps/${settings.HALO_APP}/current`;
try {
  // A release's own start counts: a rollback brings the old one back.
  Object.assign(settings, parseEnv(readFileSync(join(release, "RELEASE.env"), "utf8")));
} catch (error) {
  if (error.code !== "ENOENT") throw error;
}
for (const name of ["HALO_APP", "HALO_START"])
  if (!settings[name])
    throw new Error(`Halo cannot start: ${envFile} has no ${name}. Fix: npm run up, which writes it`);
const number = (name, fallback) => Number.parseInt(settings[name] || "", 10) || fallback;
// An app that does not know Halo gets its ready signal, its drain and its metrics from the preload.
const preload = settings.HALO_PRELOAD === "1" ? ["--require", `${__dirname}/preload.cjs`] : [];

const folder = join(release, settings.HALO_PATH || ".");

// PM2 starts a cluster's workers in a folder of its own, where Node would expect the files that these options name. By the link, as
// the script.
const inFolder = (option) => {
  const [, name, wanted] = option.match(/^(--(?:require|import|env-file|env-file-if-exists))=(.+)$/) ?? [];
  if (!name) return option;
  if (name.startsWith("--env-file")) return `${name}=${resolve(folder, wanted)}`;
  try {
    const file = require.resolve(wanted, { paths: [folder] });
    return isAbsolute(file) ? `${name}=${resolve(folder, relative(realpathSync(folder), file))}` : option;
  } catch {
    return option; // Node itself names the fault
  }
};

// The program of a command: words before the script that begin with - are Node's own.
const program = (command, ...nodeArgs) => {
  const words = command.split(" ");
  const at = words.findIndex((word) => !word.startsWith("-"));
  const [script, ...args] = words.slice(at);
  const node_args = [`--env-file=${envFile}`, ...nodeArgs, ...preload, ...words.slice(0, at).map(inFolder)];
  return { script: `./${script}`, args, interpreter: "node", node_args };
};

const common = {
  cwd: folder,
  env: { NODE_ENV: settings.NODE_ENV || "production" },
  // PM2's own metrics wrap every request, and nothing reads them here.
  pmx: false,
  // PM2's SIGKILL must come after the app's own deadline.
  kill_timeout: number("LAME_DUCK_MS", 500) + number("SHUTDOWN_DEADLINE_MS", 8000) + 2000,
  // Restarts after 0.1 s, then each time 1.5 times later, up to 15 s, without an end.
  exp_backoff_restart_delay: 100,
  max_restarts: 1_000_000,
  // The app writes to file descriptor 1, the journal, itself.
  out_file: "/dev/null",
  error_file: "/dev/null",
};

// The service, and the programs beside it, which answer nobody: a reload starts them again after the service.
const service = {
  ...common,
  name: settings.HALO_APP,
  // A larger young generation: garbage of requests is collected a few times a second instead of dozens of times.
  ...program(settings.HALO_START, "--min-semi-space-size=16", "--max-semi-space-size=32"),
  exec_mode: settings.HALO_MODE || "cluster",
  instances: number("HALO_WORKERS", 1),
  wait_ready: true,
  // After this time PM2 stops the old worker even if the new one is not ready; an emulated VM starts a worker slowly.
  listen_timeout: 60_000,
};
const beside = Object.entries(settings)
  .filter(([name]) => name.startsWith("HALO_PROCESS_"))
  .map(([name, command]) => ({
    ...common,
    name: `${settings.HALO_APP}-${name.slice("HALO_PROCESS_".length)}`,
    ...program(command),
    exec_mode: "fork",
    env: { ...common.env, HALO_METRICS_PORT: "" },
  }));

module.exports = { apps: [service, ...beside] };
