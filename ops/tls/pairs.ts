/** The certificates and keys that a person gives for sites with `tls: files`. */
import { createPrivateKey, X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";

const BLOCK = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

function read<T>(make: () => T): T | undefined {
  try {
    return make();
  } catch {
    return undefined;
  }
}

/**
 * Why nginx or a browser would refuse a pair; undefined where it fits its site. Its dates are not judged: a certificate that has expired in
 * service must not hold up other changes, and the balancer judges a new one.
 *
 * @param certificate the file with the site's certificate and the ones of its CAs
 * @param key the file with its key
 */
export function problemOf(domain: string, certificate: string, key: string): string | undefined {
  const keyText = read(() => readFileSync(key, "utf8"));
  const text = read(() => readFileSync(certificate, "utf8"));
  if (text === undefined) return `the certificate ${certificate} cannot be read`;
  if (keyText === undefined) return `the key ${key} cannot be read`;
  const chain = read(() => (text.match(BLOCK) ?? []).map((pem) => new X509Certificate(pem))) ?? [];
  const [first] = chain;
  if (!first) return `${certificate} has to be a certificate in PEM form (-----BEGIN CERTIFICATE-----)`;
  if (/^-----BEGIN ENCRYPTED|^Proc-Type: 4,ENCRYPTED/m.test(keyText))
    return `the key ${key} has a passphrase, and nginx needs one without`;
  const parsed = read(() => createPrivateKey(keyText));
  if (!parsed || !keyText.includes("-----BEGIN")) return `${key} has to be a private key in PEM form`;
  if (!first.checkPrivateKey(parsed))
    return chain.some((each) => each.checkPrivateKey(parsed))
      ? `the site's own certificate has to come first in ${certificate}, and the ones of its CAs after it`
      : `the key ${key} does not fit the certificate ${certificate}`;
  if (first.subjectAltName === undefined) return `${certificate} has no subjectAltName, which browsers want`;
  if (first.checkHost(domain) === undefined) return `${certificate} is for another name: ${first.subjectAltName}`;
  return undefined;
}
