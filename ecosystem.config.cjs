// What PM2 runs. The service reads its own settings from the environment file (Node's --env-file), so a reload picks
// up changes and the password is in no `pm2 env`; only what PM2 itself must know is read here.
const { readFileSync } = require("node:fs");
const { parseEnv } = require("node:util");

const envFile = process.env.HALO_ENV_FILE || "/etc/halo/halo.env";
let settings;
try {
  settings = { ...parseEnv(readFileSync(envFile, "utf8")), ...process.env };
} catch (error) {
  throw new Error(`Halo cannot start: its environment file ${envFile} is not readable (${error.code}).`);
}
const number = (name, fallback) => Number.parseInt(settings[name] || "", 10) || fallback;

module.exports = {
  apps: [
    {
      name: "halo",
      // The link, not what it points to: PM2 keeps this path and a reload follows the link anew.
      cwd: process.env.HALO_ROOT || "/opt/halo/current",
      script: "./app/src/main.ts",
      interpreter: "node",
      // A larger young generation: what a request leaves behind is collected a few times a second, not dozens of times.
      node_args: [`--env-file=${envFile}`, "--min-semi-space-size=16", "--max-semi-space-size=32"],
      env: { NODE_ENV: "production" },
      // Its probes wrap every request and answer to nobody here.
      pmx: false,
      exec_mode: "cluster",
      instances: number("HALO_WORKERS", 1),
      wait_ready: true,
      // After it PM2 ends the old worker whether the new one is ready or not; an emulated VM takes long to start one.
      listen_timeout: 60_000,
      // PM2's SIGKILL must come after the service's own deadline.
      kill_timeout: number("LAME_DUCK_MS", 500) + number("SHUTDOWN_DEADLINE_MS", 8000) + 2000,
      // 0.1 s, then half as much again each time up to 15 s; never given up.
      exp_backoff_restart_delay: 100,
      max_restarts: 1_000_000,
      // The service writes to file descriptor 1, the journal, by itself.
      out_file: "/dev/null",
      error_file: "/dev/null",
    },
  ],
};
