import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";

const folder = mkdtempSync(join(tmpdir(), "halo-certificates-"));
afterAll(() => rmSync(folder, { recursive: true }));
const script = join(import.meta.dirname, "../../ansible/roles/nginx/files/certificates.sh");
const site = "www.shop.example";

/** Makes the certificate of the site, and has the script of the role nginx judge it. */
function judge(...options: string[]): { status: number | null; words: string } {
  const file = join(folder, `${site}.crt`);
  const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-noenc", "-keyout", join(folder, "key")];
  const made = spawnSync("openssl", ["req", "-x509", ...key, "-subj", `/CN=${site}`, ...options, "-out", file]);
  if (made.status !== 0) throw new Error(String(made.stderr));
  return run();
}
function run(): { status: number | null; words: string } {
  // As the module halo_config runs it: each %s is the folder of the new files.
  const text = readFileSync(script, "utf8").replaceAll("%s", folder);
  const { status, stderr } = spawnSync("sh", ["-c", text, "certificates", folder, site], { encoding: "utf8" });
  return { status, words: stderr };
}
const named = (name: string) => ["-addext", `subjectAltName=DNS:${name}`];

test("a certificate for its site, or for all below its domain, is taken", () => {
  expect(judge(...named(site))).toEqual({ status: 0, words: "" });
  expect(judge(...named("*.shop.example"))).toEqual({ status: 0, words: "" });
});

test.each([
  ["has no name but the old one", [], "has no subjectAltName, which browsers want"],
  ["is for another name", named("other.example"), "is for another name: DNS:other.example"],
])("one that %s is refused with its site", (_, options, words) => {
  expect(judge(...options)).toEqual({ status: 1, words: `the certificate of ${site} ${words}\n` });
});

test("a text that is none is refused", () => {
  writeFileSync(join(folder, `${site}.crt`), "no certificate");
  expect(run()).toEqual({ status: 1, words: `the certificate of ${site} is no certificate\n` });
});
