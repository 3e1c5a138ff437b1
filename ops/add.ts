import { add } from "./apps/add.ts";
import { runCommand } from "./lib/cli.ts";

const usage = {
  add: `adds an app of your own from a folder or a git address to apps.yml

Options:
  --domain NAME   under which the balancers serve it (default: its name below the counter's domain)
  --name NAME     of the app (default: the last part of SOURCE)
  --ref REF       branch, tag or commit (default: the default branch)
  --path FOLDER   the app's folder in a repository with several
  --start LINE    the command that starts it, where the source does not say or says it wrongly

It reads the source and runs none of it: package.json, package-lock.json, Procfile, .nvmrc. It prints what it has found and
assumes, and writes the entry into ansible/group_vars/all/apps.yml.

Example: npm run add -- https://github.com/you/shop.git --domain shop.test`,
};

await runCommand(add, usage);
