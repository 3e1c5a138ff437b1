/** The stores of trusted certificates on this machine, and the commands that put a CA into one or take it out. */
import { spawnSync } from "node:child_process";
import { X509Certificate } from "node:crypto";
import { existsSync, globSync, readdirSync, readFileSync } from "node:fs";
import { homedir, platform } from "node:os";
import { basename, join } from "node:path";
import { caName, fingerprint } from "./authority.ts";

/** A store, as a person reads it, with the CAs of Halo's that it has (by fingerprint or nickname) and its commands. */
export type Store = {
  title: string;
  /** Why its commands cannot run here, with the fix, so that nobody knows its CAs; undefined where they can. */
  lacks?: string;
  /** Whether it exists; a new one of NSS is made for the CA. */
  present: boolean;
  has(ca: string): boolean;
  /** Everything of Halo's in it, by the store's own name for it. */
  ours(): string[];
  add(ca: string): string[][];
  remove(name: string): string[][];
};

const asRoot = (argv: string[]) => (process.getuid?.() === 0 ? argv : ["sudo", ...argv]);
const output = (argv: string[]): string => {
  const [file = "", ...args] = argv;
  return spawnSync(file, args, { encoding: "utf8" }).stdout ?? "";
};
// sudo finds more programs than the PATH of most users has.
const installed = (program: string) =>
  spawnSync("sh", ["-c", 'PATH=$PATH:/usr/sbin:/sbin command -v "$1"', "sh", program]).status === 0;
const idOf = (pem: string) => fingerprint(pem).slice(0, 12);
const nameOf = (pem: string) => `halo-local-ca-${idOf(pem)}.crt`;

/** The local CAs in a bundle, by the names that their files would have. */
const bundled = (bundle: string): string[] =>
  (existsSync(bundle) ? readFileSync(bundle, "utf8") : "")
    .split(/(?=-----BEGIN CERTIFICATE-----)/)
    .filter((pem) => pem.startsWith("-----BEGIN") && new X509Certificate(pem).subject.includes(caName))
    .map(nameOf);

/**
 * A distribution's folder of CAs, the bundle that a program makes of them, and that program: after an addition, and after a removal. Both
 * count, because the program may have failed.
 */
export function folderStore(folder: string, bundle: string, update: string[], forget: string[]): Store {
  const files = () =>
    existsSync(folder) ? readdirSync(folder).filter((name) => name.startsWith("halo-local-ca-")) : [];
  return {
    present: true,
    title: `this machine's store, ${folder} (curl, Node with --use-system-ca)`,
    has: (ca) => [files(), bundled(bundle)].every((names) => names.includes(nameOf(readFileSync(ca, "utf8")))),
    ours: () => [...new Set([...files(), ...bundled(bundle)])],
    add: (ca) => [
      asRoot(["install", "-m", "0644", ca, join(folder, nameOf(readFileSync(ca, "utf8")))]),
      asRoot(update),
    ],
    remove: (name) => [asRoot(["rm", "-f", join(folder, name)]), asRoot(forget)],
  };
}

/** A database of NSS, which Chromium and Firefox have in the user's home. */
function nssStore(folder: string, title: string): Store {
  const database = `sql:${folder}`;
  const certutil = (...args: string[]) => ["certutil", "-d", database, ...args];
  const nickname = (ca: string) => `${caName} ${idOf(readFileSync(ca, "utf8"))}`;
  const present = existsSync(join(folder, "cert9.db"));
  const names = () =>
    existsSync(join(folder, "cert9.db"))
      ? output(certutil("-L"))
          .split("\n")
          .map((line) => line.replace(/\s+\S+,\S*,\S*\s*$/, ""))
          .filter((name) => name.startsWith(caName))
      : [];
  return {
    present,
    title: `${title}, ${folder}`,
    ...(installed("certutil")
      ? {}
      : {
          lacks:
            "certutil is not installed. Fix: apt install libnss3-tools (macOS: brew install nss), then run this again",
        }),
    has: (ca) => names().includes(nickname(ca)),
    ours: names,
    add: (ca) => [
      ...(present ? [] : [["mkdir", "-p", folder], certutil("-N", "--empty-password")]),
      certutil("-A", "-t", "C,,", "-n", nickname(ca), "-i", ca),
    ],
    remove: (name) => [certutil("-D", "-n", name)],
  };
}

/** The keychain of the macOS user, which Safari and Chrome read. */
function keychainStore(): Store {
  const keychain = join(homedir(), "Library/Keychains/login.keychain-db");
  const digits = (text: string) => [...text.matchAll(/SHA-1 hash: ([0-9A-F]{40})/g)].map(([, hash = ""]) => hash);
  const found = (name: string) => output(["security", "find-certificate", "-a", "-Z", "-c", name, keychain]);
  const sha256 = (ca: string) => fingerprint(readFileSync(ca, "utf8")).toUpperCase();
  return {
    present: true,
    title: `the login keychain, ${keychain}`,
    has: (ca) => found(caName).includes(sha256(ca)),
    ours: () => digits(found(caName)),
    add: (ca) => [["security", "add-trusted-cert", "-r", "trustRoot", "-p", "ssl", "-k", keychain, ca]],
    remove: (hash) => [["security", "delete-certificate", "-t", "-Z", hash, keychain]],
  };
}

/** The stores of Chromium: since version 146 it begins with the second one, and goes on with the first where that exists. A snap has its own. */
function chromiumStores(): Store[] {
  const folders = [
    join(homedir(), ".pki/nssdb"),
    join(process.env.XDG_DATA_HOME || join(homedir(), ".local/share"), "pki/nssdb"),
  ];
  const present = folders.filter((folder) => existsSync(join(folder, "cert9.db")));
  const snap = join(homedir(), "snap/chromium/current");
  return [
    ...(present.length > 0 ? present : folders.slice(0, 1)),
    ...(existsSync(snap) ? [join(snap, ".pki/nssdb")] : []),
  ].map((folder) => nssStore(folder, "Chromium's store"));
}

/** The folders of Firefox' profiles, of its packages for Linux and of macOS. */
const firefoxProfiles = (): string[] =>
  [
    ".mozilla/firefox/*/cert9.db",
    ".config/mozilla/firefox/*/cert9.db",
    "snap/firefox/common/.mozilla/firefox/*/cert9.db",
    ".var/app/org.mozilla.firefox/.mozilla/firefox/*/cert9.db",
    "Library/Application Support/Firefox/Profiles/*/cert9.db",
  ]
    .flatMap((pattern) => globSync(pattern, { cwd: homedir() }))
    .map((file) => join(homedir(), file, ".."));

/** The stores of this machine; the one that needs root is the last. */
export function trustStores(): Store[] {
  const firefox = firefoxProfiles().map((folder) => nssStore(folder, `Firefox' profile ${basename(folder)}`));
  if (platform() === "darwin") return [keychainStore(), ...firefox];
  const system = [
    // Debian; without --fresh its links in /etc/ssl/certs stay behind.
    {
      folder: "/usr/local/share/ca-certificates",
      bundle: "/etc/ssl/certs/ca-certificates.crt",
      update: ["update-ca-certificates"],
      forget: ["update-ca-certificates", "--fresh"],
    },
    // Fedora
    {
      folder: "/etc/pki/ca-trust/source/anchors",
      bundle: "/etc/pki/tls/certs/ca-bundle.crt",
      update: ["update-ca-trust"],
    },
    // Arch
    {
      folder: "/etc/ca-certificates/trust-source/anchors",
      bundle: "/etc/ssl/certs/ca-certificates.crt",
      update: ["trust", "extract-compat"],
    },
  ].find(({ folder, update: [program = ""] }) => existsSync(folder) && installed(program));
  const machine = system
    ? [folderStore(system.folder, system.bundle, system.update, system.forget ?? system.update)]
    : [];
  return [...chromiumStores(), ...firefox, ...machine];
}
