import { task } from "./apps/task.ts";
import { runCommand } from "./lib/cli.ts";

const usage = {
  task: `runs a command once, as the app, on its first backend

Usage: npm run task -- APP COMMAND ...

It runs in the folder of the release in service, with the programs of its packages. There is no npm: node --run NAME runs a script.
The words are joined to one line for a shell there, as by ssh: 'node -e "console.log(1 + 2)"' needs both kinds of quotation marks.

Example: npm run task -- shop node --run seed`,
};

await runCommand(task, usage, { passThrough: true });
