import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { root } from "../../lib/paths.ts";

const ansible = join(root, "ansible");

/** Runs check.yml, without a host and without a file in .halo, with these variables and with another inventory if there is one. */
export function checkPlaybook(vars: object, inventory = join(ansible, "inventory/hosts.yml")) {
  // Else Ansible makes a password in .halo.
  const given = JSON.stringify({ metrics_password: "unused-in-this-test", ...vars });
  const argv = ["--inventory", inventory, "--extra-vars", given, join(ansible, "check.yml")];
  const env = { ...process.env, LC_ALL: "C.UTF-8", ANSIBLE_CONFIG: join(ansible, "ansible.cfg") };
  return spawnSync("ansible-playbook", argv, { encoding: "utf8", env });
}
