import { join } from "node:path";
import { viaLab } from "../../ops/cluster/hosts.ts";
import { inventoryFile } from "../../ops/cluster/inventory.ts";
import { root } from "../../ops/lib/paths.ts";
import { on, type Result, sh } from "./hosts.ts";

const file = "/run/halo-rendered.conf";
const role = join(root, "ansible/roles/nginx");

/**
 * Renders nginx.conf with other variables or another inventory on the balancer, beside the real one, and has nginx judge it; without TLS, whose
 * files nginx would miss beside this one.
 */
export const render = (settings: Record<string, unknown>, inventory = inventoryFile): Promise<Result> =>
  sh(
    viaLab([
      "env",
      `ANSIBLE_CONFIG=${join(root, "ansible/ansible.cfg")}`,
      "ansible",
      "balancer",
      ...["--become", "--inventory", inventory, "--playbook-dir", join(root, "ansible")],
      ...["--extra-vars", `@${role}/defaults/main.yml`, "--extra-vars", `@${role}/vars/main.yml`],
      ...["--extra-vars", JSON.stringify({ host_facts: { nginx: "1.26.3" }, tls_sites: [], ...settings })],
      ...["--module-name", "ansible.builtin.template"],
      ...["--args", `src=${root}/nginx/nginx.conf.j2 dest=${file} mode=0600 validate='nginx -t -q -c %s'`],
    ]),
  );

/** The files of `render`, which are removed at the end. */
export const rendered = (): Promise<string> => on("balancer", `cat ${file}; rm ${file}`);
