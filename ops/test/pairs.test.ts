import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { problemOf } from "../tls/pairs.ts";

const folder = mkdtempSync(join(tmpdir(), "halo-pairs-"));
afterAll(() => rmSync(folder, { recursive: true }));
const at = (name: string) => join(folder, name);
const site = "www.shop.example";

function openssl(...args: string[]): void {
  const { status, stderr } = spawnSync("openssl", args);
  if (status !== 0) throw new Error(String(stderr));
}
function make(name: string, ...options: string[]): void {
  const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-noenc", "-keyout", at(`${name}.key`)];
  openssl("req", "-x509", ...key, "-subj", `/CN=${name}`, ...options, "-out", at(`${name}.crt`));
}
const text = (name: string) => readFileSync(at(name), "utf8");
function write(name: string, content: string): string {
  writeFileSync(at(name), content);
  return name;
}

make("own", "-addext", `subjectAltName=DNS:${site}`);
make("other", "-addext", "subjectAltName=DNS:other.example");
make("bare");
openssl("ec", "-in", at("own.key"), "-aes256", "-passout", "pass:secret", "-out", at("old.key"));
openssl("pkcs8", "-topk8", "-in", at("own.key"), "-passout", "pass:secret", "-out", at("locked.key"));
openssl("x509", "-in", at("own.crt"), "-outform", "DER", "-out", at("der.crt"));

test("a pair that fits its site has no problem, alone, with its CA's certificate, and with the line ends of Windows", () => {
  write("chain.crt", text("own.crt") + text("other.crt"));
  write("windows.crt", text("own.crt").replaceAll("\n", "\r\n"));
  for (const certificate of ["own.crt", "chain.crt", "windows.crt"])
    expect(problemOf(site, at(certificate), at("own.key"))).toBe(undefined);
});

test.each([
  ["of another key", "own.crt", "other.key", "the key KEY does not fit the certificate CRT"],
  ["for another name", "other.crt", "other.key", "CRT is for another name: DNS:other.example"],
  ["without a name of a site", "bare.crt", "bare.key", "CRT has no subjectAltName, which browsers want"],
  [
    "with the CA first",
    write("turned.crt", text("other.crt") + text("own.crt")),
    "own.key",
    "the site's own certificate has to come first in CRT, and the ones of its CAs after it",
  ],
  ["with a passphrase", "own.crt", "locked.key", "the key KEY has a passphrase, and nginx needs one without"],
  [
    "with a passphrase in the older form",
    "own.crt",
    "old.key",
    "the key KEY has a passphrase, and nginx needs one without",
  ],
  ["in DER", "der.crt", "own.key", "CRT has to be a certificate in PEM form (-----BEGIN CERTIFICATE-----)"],
  [
    "of no text",
    write("empty.crt", ""),
    "own.key",
    "CRT has to be a certificate in PEM form (-----BEGIN CERTIFICATE-----)",
  ],
  [
    "in each other's place",
    "own.key",
    "own.crt",
    "CRT has to be a certificate in PEM form (-----BEGIN CERTIFICATE-----)",
  ],
  ["without a key", "own.crt", "own.crt", "KEY has to be a private key in PEM form"],
  ["that is a folder", ".", "own.key", "the certificate CRT cannot be read"],
])("a pair %s is refused", (_, certificate, key, problem) => {
  const expected = problem.replace("CRT", at(certificate)).replace("KEY", at(key));
  expect(problemOf(site, at(certificate), at(key))).toBe(expected);
});
