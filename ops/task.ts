import { task } from "./apps/task.ts";
import { runCommand } from "./lib/cli.ts";

const usage = {
  task: `runs a command of an app once, on its first backend, as the app and with its variables

Usage: npm run task -- APP COMMAND ...

It runs in the folder of the release in service, with the programs of its packages. There is no npm: node --run NAME runs a script.

Example: npm run task -- shop node --run seed`,
};

await runCommand(task, usage, { passThrough: true });
