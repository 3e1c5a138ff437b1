import { spawnSync } from "node:child_process";
import { X509Certificate } from "node:crypto";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { rootCertificates } from "node:tls";
import { afterAll, beforeEach, expect, test, vi } from "vitest";
import { authority, caFile, leafOf } from "../tls/authority.ts";
import { folderStore } from "../tls/stores.ts";
import { change } from "../tls/trust.ts";

const { place } = vi.hoisted(() => ({ place: { folder: "" } }));
vi.mock(import("../lib/paths.ts"), async (original) => {
  const { join } = await import("node:path");
  return { ...(await original()), localPath: (...parts: string[]) => join(place.folder, ...parts) };
});
beforeEach(() => {
  if (place.folder) rmSync(place.folder, { recursive: true });
  place.folder = mkdtempSync(join(tmpdir(), "halo-authority-"));
});
afterAll(() => rmSync(place.folder, { recursive: true }));

const network = "192.168.56.0";
const make = (...domains: string[]) => authority({ domains, networks: [network] });
const openssl = (...args: string[]) => {
  const { status, stdout, stderr } = spawnSync("openssl", args, { encoding: "utf8" });
  return { status, words: `${stdout}${stderr}` };
};

test("a site's certificate is the CA's, for its name alone, with its key, and closed to others", () => {
  const ca = make("main.test", "shop.test");
  const { certificate, key } = leafOf("main.test", ca);
  expect(openssl("verify", "-CAfile", ca.certificate, "-verify_hostname", "main.test", certificate).status).toBe(0);
  const leaf = new X509Certificate(readFileSync(certificate));
  expect([leaf.checkHost("main.test"), leaf.checkHost("shop.test")]).toEqual(["main.test", undefined]);
  for (const file of [ca.key, key, ca.certificate, certificate]) expect(statSync(file).mode & 0o777).toBe(0o600);
  expect(readFileSync(certificate, "utf8")).not.toContain("PRIVATE");
});

test("the CA cannot sign for a name of others: openssl refuses them", () => {
  const ca = make("main.test");
  for (const other of ["example.com", "main.test.example.com", "test.com"]) {
    const { certificate } = leafOf(other, ca);
    const { status, words } = openssl("verify", "-CAfile", ca.certificate, certificate);
    expect([other, status === 0, words]).toEqual([
      other,
      false,
      expect.stringContaining("permitted subtree violation"),
    ]);
  }
});

test("the CA cannot sign for an address outside of the hosts' network: openssl refuses it", () => {
  const ca = make("main.test");
  const verified = (address: string) => {
    const file = (kind: string) => join(place.folder, `address.${kind}`);
    const asked = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", file("key")];
    const name = ["-subj", "/O=Halo", "-addext", `subjectAltName=IP:${address}`, "-out", file("csr")];
    const signed = [
      "-CA",
      ca.certificate,
      "-CAkey",
      ca.key,
      "-set_serial",
      "1",
      "-days",
      "1",
      "-copy_extensions",
      "copy",
    ];
    for (const args of [
      ["req", ...asked, ...name],
      ["x509", "-req", "-in", file("csr"), ...signed, "-out", file("crt")],
    ])
      expect(openssl(...args)).toMatchObject({ status: 0 });
    return openssl("verify", "-CAfile", ca.certificate, file("crt")).status === 0;
  };
  expect(["192.168.56.10", "192.168.57.10", "203.0.113.1"].map(verified)).toEqual([true, false, false]);
});

test("CA and certificate stay as they are, and a certificate is made again where it can no longer serve", () => {
  const ca = make("main.test");
  const text = readFileSync(caFile(), "utf8");
  expect(ca.made).toBe(true);
  expect(make("main.test").made).toBe(false);
  expect(readFileSync(caFile(), "utf8")).toBe(text);
  const { certificate, key } = leafOf("main.test", ca);
  expect(leafOf("main.test", ca).made).toBe(false);
  writeFileSync(key, readFileSync(ca.key));
  expect(leafOf("main.test", ca).made).toBe(true);
  rmSync(certificate);
  expect(leafOf("main.test", ca).made).toBe(true);
  vi.useFakeTimers({ now: Date.now() + 61 * 86_400_000, toFake: ["Date"] });
  expect(leafOf("main.test", ca).made).toBe(true);
  vi.useRealTimers();
});

test("an existing CA is not changed for a name that it may not sign for", () => {
  make("main.test");
  expect(make("shop.test").made).toBe(false);
  expect(() => make("shop.internal")).toThrow(/may not sign for shop.internal/);
});

test("a site whose domain is not below .test is covered by a new CA, and others beside it are not", () => {
  const ca = make("shop.internal");
  const verified = (domain: string) =>
    openssl("verify", "-CAfile", ca.certificate, leafOf(domain, ca).certificate).status === 0;
  expect([verified("shop.internal"), verified("film.internal"), verified("main.test")]).toEqual([true, false, true]);
});

test("a machine's store has the CA when its folder and its bundle have it; either of them is enough for a removal", () => {
  const ca = make("main.test").certificate;
  const [folder, bundle] = [join(place.folder, "anchors"), join(place.folder, "bundle.crt")];
  mkdirSync(folder);
  const store = folderStore(folder, bundle, ["true"], ["true"]);
  const name = basename(store.add(ca)[0]?.at(-1) ?? "");
  const state = () => [store.has(ca), store.ours()];
  expect(state()).toEqual([false, []]);
  copyFileSync(ca, join(folder, name));
  expect(state()).toEqual([false, [name]]);
  writeFileSync(bundle, `# others\n${rootCertificates[0]}\n${readFileSync(ca, "utf8")}`);
  expect(state()).toEqual([true, [name]]);
  rmSync(join(folder, name));
  expect(state()).toEqual([false, [name]]);
});

test("a store that fails holds up no other one", async () => {
  const file = join(place.folder, "changed");
  const changes = [
    { title: "a", commands: [["sh", "-c", "echo locked >&2; exit 1"]] },
    { title: "b", commands: [["touch", file]] },
  ];
  expect(await change(changes, "Add to", true, "")).toEqual([expect.stringMatching(/^a: .*locked/)]);
  expect(existsSync(file)).toBe(true);
});
