/**
 * The certificates of sites with `tls: local`. A certificate authority (CA) of this project signs them; its name constraints let it sign for
 * these sites and the hosts' network only. Its key never leaves .halo/secrets/ca.
 */
import { spawnSync } from "node:child_process";
import { createHash, createPrivateKey, generateKeyPairSync, randomBytes, X509Certificate } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { UserError } from "../lib/cli.ts";
import { localPath } from "../lib/paths.ts";

const CA_DAYS = 3650;
/** Browsers accept 398 days at most. Hosts that nobody configures for a month and a half keep a valid one. */
const LEAF_DAYS = 90;
const DAY_MS = 86_400_000;
/** The beginning of every CA's name: trust.ts finds older ones by it. */
export const caName = "Halo local CA";

/** Certificate and key of a site, as files. */
export type Pair = { certificate: string; key: string };

/** The names and networks that the CA may sign for: a domain with all below it, and an IPv4 network of 24 bits. */
export type Constraints = { domains: string[]; networks: string[] };

const folder = (...parts: string[]) => localPath("secrets", "ca", ...parts);

/** The certificate of the CA; browsers and curl get it. */
export const caFile = (): string => folder("ca.crt");

/** SHA-256 of a certificate's DER form in hexadecimal digits. */
export const fingerprint = (pem: string): string =>
  createHash("sha256").update(new X509Certificate(pem).raw).digest("hex");

/** .test is reserved for tests, so nobody else's name can be below it (RFC 6761). */
const constraintFor = (domain: string) => (domain.endsWith(".test") ? "test" : domain);
const covers = (constraint: string, domain: string) => domain === constraint || domain.endsWith(`.${constraint}`);

/** Writes a file with mode 0600, complete or not at all. */
function put(file: string, text: string): void {
  writeFileSync(`${file}.new`, text, { mode: 0o600 });
  renameSync(`${file}.new`, file);
}

const newKey = (): string =>
  generateKeyPairSync("ec", {
    namedCurve: "P-256",
    publicKeyEncoding: { type: "spki", format: "pem" },
    privateKeyEncoding: { type: "pkcs8", format: "pem" },
  }).privateKey;

/** Runs openssl, which LibreSSL can stand in for; gives its output. */
function openssl(args: string[], input = ""): string {
  const { status, stdout, stderr, error } = spawnSync("openssl", args, { input, encoding: "utf8" });
  if (error) throw new UserError(`openssl does not start: ${error.message}`, "install openssl, then run this again");
  if (status !== 0)
    throw new UserError(`openssl ${args[0]}: ${stderr.trim()}`, "npm run up makes the certificates again");
  return stdout;
}

/** Calls work with a folder for openssl's own files, which is removed. */
function withFiles<T>(work: (file: (name: string, text: string) => string) => T): T {
  const place = mkdtempSync(join(tmpdir(), "halo-tls-"));
  try {
    return work((name, text) => {
      writeFileSync(join(place, name), text, { mode: 0o600 });
      return join(place, name);
    });
  } finally {
    rmSync(place, { recursive: true, force: true });
  }
}

/**
 * The CA, made where it is missing.
 *
 * @param wanted the domains of the sites, and the networks of the hosts
 * @throws {UserError} where an existing one may not sign for all of them: a CA that is trusted already does not change
 */
export function authority({ domains, networks }: Constraints): Pair & { made: boolean } {
  const pair = { certificate: caFile(), key: folder("ca.key") };
  if (existsSync(pair.certificate) && existsSync(pair.key)) {
    const allowed: Constraints = JSON.parse(readFileSync(folder("constraints.json"), "utf8"));
    const outside = domains.filter((domain) => !allowed.domains.some((each) => covers(each, domain)));
    if (outside.length > 0)
      throw new UserError(
        `the local CA may not sign for ${outside.join(", ")}: it is made for ${allowed.domains.join(", ")}`,
        "npm run untrust, then rm -r .halo/secrets/ca, then npm run up and npm run trust make a new one; or tls: off for that site",
      );
    return { ...pair, made: false };
  }
  const constraints = { domains: [...new Set(["test", ...domains.map(constraintFor)])].sort(), networks };
  mkdirSync(folder(), { recursive: true, mode: 0o700 });
  const permitted = [
    ...constraints.domains.map((domain, i) => `permitted;DNS.${i} = ${domain}`),
    ...networks.map((network, i) => `permitted;IP.${i} = ${network}/255.255.255.0`),
  ];
  const settings = [
    "[req]",
    "distinguished_name = name",
    "prompt = no",
    "[name]",
    // Its own name for each: a browser mistakes two of the same name for one.
    `CN = ${caName} ${randomBytes(3).toString("hex")}`,
    "[ca]",
    "basicConstraints = critical, CA:TRUE, pathlen:0",
    "keyUsage = critical, keyCertSign, cRLSign",
    "extendedKeyUsage = serverAuth",
    "subjectKeyIdentifier = hash",
    "nameConstraints = critical, @permitted",
    "[permitted]",
    ...permitted,
  ];
  withFiles((file) => {
    const key = newKey();
    const keyFile = file("ca.key", key);
    const config = file("ca.cnf", `${settings.join("\n")}\n`);
    const request = [
      "-new",
      "-x509",
      "-sha256",
      "-days",
      `${CA_DAYS}`,
      "-key",
      keyFile,
      "-config",
      config,
      "-extensions",
      "ca",
    ];
    const certificate = openssl(["req", ...request]);
    put(folder("constraints.json"), `${JSON.stringify(constraints)}\n`);
    put(pair.key, key);
    put(pair.certificate, certificate);
  });
  return { ...pair, made: true };
}

/** Why a site's pair cannot serve it for long enough; undefined where it can. */
export function wornOut({ certificate, key }: Pair, domain: string, ca: X509Certificate): string | undefined {
  try {
    const leaf = new X509Certificate(readFileSync(certificate));
    if (!leaf.checkPrivateKey(createPrivateKey(readFileSync(key)))) return "its key is another one's";
    if (!leaf.verify(ca.publicKey)) return "another CA has signed it";
    if (leaf.checkHost(domain) === undefined) return "it has another name";
    const left = Date.parse(leaf.validTo) - Date.now();
    if (left < 0) return "it has expired";
    return left < (LEAF_DAYS * DAY_MS) / 3 ? `${Math.floor(left / DAY_MS)} days are left` : undefined;
  } catch {
    return "it is missing, or cannot be read";
  }
}

/** Where the certificate of a site and its key are. */
export const leafFiles = (domain: string): Pair => {
  const file = (kind: string) => localPath("secrets", "tls", `${domain}.${kind}`);
  return { certificate: file("crt"), key: file("key") };
};

/**
 * The certificate of a site, made where it is missing, or where a third of its life is left.
 *
 * @param ca the CA's files
 */
export function leafOf(domain: string, ca: Pair): Pair & { made: boolean } {
  const pair = leafFiles(domain);
  if (!wornOut(pair, domain, new X509Certificate(readFileSync(ca.certificate)))) return { ...pair, made: false };
  mkdirSync(dirname(pair.key), { recursive: true, mode: 0o700 });
  const extensions = [
    "[leaf]",
    "basicConstraints = critical, CA:FALSE",
    "keyUsage = critical, digitalSignature",
    "extendedKeyUsage = serverAuth",
    "subjectKeyIdentifier = hash",
    "authorityKeyIdentifier = keyid",
    `subjectAltName = DNS:${domain}`,
  ];
  withFiles((file) => {
    const key = newKey();
    const keyFile = file("leaf.key", key);
    const config = file("req.cnf", "[req]\ndistinguished_name = name\nprompt = no\n[name]\nO = Halo\n");
    const request = openssl(["req", "-new", "-sha256", "-key", keyFile, "-config", config]);
    // 64 bits and more that nobody can guess; the first one 0, for the number is a positive one.
    const serial = `0x0${randomBytes(16).toString("hex").slice(1)}`;
    const sign = [
      "-req",
      "-sha256",
      "-days",
      `${LEAF_DAYS}`,
      "-CA",
      ca.certificate,
      "-CAkey",
      ca.key,
      "-set_serial",
      serial,
    ];
    const more = ["-extfile", file("leaf.cnf", `${extensions.join("\n")}\n`), "-extensions", "leaf"];
    const certificate = openssl(["x509", ...sign, ...more], request);
    // The key first: a certificate without its key counts as worn out.
    put(pair.key, key);
    put(pair.certificate, certificate);
  });
  return { ...pair, made: true };
}
