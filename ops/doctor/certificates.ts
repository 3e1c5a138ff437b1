import { X509Certificate } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { sites } from "../cluster/sites.ts";
import { caFile, leafFiles, wornOut } from "../tls/authority.ts";
import { trustStores } from "../tls/stores.ts";

/**
 * The certificate of the local CA that expires first, its days, the sites for which `npm run up` would make one now, with the reasons, and how
 * many of this machine's stores do not have the CA; undefined where npm run up has made none yet.
 */
export function localCertificates():
  | { domain: string; days: number; due: string[]; stores: number; without: number }
  | undefined {
  const local = sites().filter(({ tls }) => tls === "local");
  const made = local.flatMap(({ domain }) => {
    const { certificate } = leafFiles(domain);
    if (!existsSync(certificate)) return [];
    const end = Date.parse(new X509Certificate(readFileSync(certificate)).validTo);
    return [{ domain, days: Math.floor((end - Date.now()) / 86_400_000) }];
  });
  const [first] = made.sort((one, other) => one.days - other.days);
  const ca = caFile();
  if (!first || !existsSync(ca)) return undefined;
  const authority = new X509Certificate(readFileSync(ca));
  const due = local.flatMap(({ domain }) => {
    const reason = wornOut(leafFiles(domain), domain, authority);
    return reason ? [`${domain}: ${reason}`] : [];
  });
  const stores = trustStores();
  return { ...first, due, stores: stores.length, without: stores.filter((store) => !store.has(ca)).length };
}
