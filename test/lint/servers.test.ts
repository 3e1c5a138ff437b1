import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test, vi } from "vitest";
import { ssh, sshPath } from "../../ops/cluster/hosts.ts";
import { parseInventory } from "../../ops/cluster/inventory.ts";
import { root } from "../../ops/lib/paths.ts";
import { must } from "../lib/hosts.ts";

test("the example of one's own servers is an inventory, reached where it says, and their keys are in ssh's own known_hosts", async () => {
  const folder = mkdtempSync(join(tmpdir(), "halo-servers-"));
  const file = join(folder, "servers.yml");
  const text = readFileSync(join(root, "ansible/inventory/servers.yml.example"), "utf8");
  writeFileSync(file, text);
  vi.stubEnv("HALO_LAB", "1"); // so that no lab is searched for
  try {
    const variable = ["--module-name", "ansible.builtin.debug", "--args", "var=ansible_ssh_common_args"];
    const said = await must(["ansible", "all", "-i", file, "--playbook-dir", join(root, "ansible"), ...variable]);
    const [front, app1] = parseInventory(text).map((host) => ssh(host).at(-1));
    expect([front, app1]).toEqual(["admin@203.0.113.10", "admin@10.0.0.11"]); // the outer address, where there is one
    const lines = [...parseInventory(text).map((host) => ssh(host).join(" ")), said];
    for (const line of lines) {
      expect(line).toContain("StrictHostKeyChecking=accept-new");
      expect(line).not.toContain("UserKnownHostsFile");
    }
  } finally {
    vi.unstubAllEnvs();
    rmSync(folder, { recursive: true });
  }
});

test.each(["/x/a b", "/x/a%2Fb", "/x/%d (new)"])("ssh finds its file in the folder %s", async (folder) => {
  const option = `UserKnownHostsFile=${sshPath(join(folder, "known_hosts"))}`;
  expect(await must(["ssh", "-G", "-o", option, "host"])).toContain(`userknownhostsfile ${folder}/known_hosts`);
});
