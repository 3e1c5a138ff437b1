import { X509Certificate } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { sites } from "../cluster/sites.ts";
import { caFile, leafFiles } from "../tls/authority.ts";
import { trustStores } from "../tls/stores.ts";

/**
 * The certificate of the local CA that expires first, its days, and how many of this machine's stores do not have the CA; undefined where
 * npm run up has made none yet.
 */
export function localCertificates(): { domain: string; days: number; stores: number; without: number } | undefined {
  const made = sites().flatMap(({ domain, tls }) => {
    const { certificate } = leafFiles(domain);
    if (tls !== "local" || !existsSync(certificate)) return [];
    const end = Date.parse(new X509Certificate(readFileSync(certificate)).validTo);
    return [{ domain, days: Math.floor((end - Date.now()) / 86_400_000) }];
  });
  const [first] = made.sort((one, other) => one.days - other.days);
  const ca = caFile();
  if (!first || !existsSync(ca)) return undefined;
  const stores = trustStores();
  return { ...first, stores: stores.length, without: stores.filter((store) => !store.has(ca)).length };
}
