import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from "node:fs";
import http2 from "node:http2";
import https from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import tls from "node:tls";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { parse } from "yaml";
import { sites as allSites, counterApp, siteOf, tlsPort, wayTo } from "../../ops/cluster/sites.ts";
import { openBrowser } from "../../ops/lib/browser.ts";
import { localPath, root } from "../../ops/lib/paths.ts";
import { caFile } from "../../ops/tls/authority.ts";
import { ansible, backends, explainByJournals, must, on, sh } from "../lib/hosts.ts";
import { answerInTurn, balancerAddress, counter, domain, raw, request } from "../lib/http.ts";
import { atNight } from "../lib/night.ts";
import { metricsLogin, metricsSite } from "../lib/prometheus.ts";

beforeEach(explainByJournals);
beforeAll(answerInTurn);
const secure = allSites().filter((site) => site.tls !== "off");
const ca = () => readFileSync(caFile());

type Handshake = {
  protocol: string | null;
  alpn: string | false;
  authorized: boolean;
  reused: boolean;
  session?: Buffer;
};
/** One handshake with the balancer; rejects with the error of the TLS layer. */
const handshake = (options: tls.ConnectionOptions): Promise<Handshake> =>
  new Promise((resolve, reject) => {
    const socket = tls.connect({ host: balancerAddress, port: tlsPort(), ca: ca(), ...options });
    let session: Buffer | undefined;
    socket.on("session", (given) => {
      session = given;
    });
    socket.on("error", reject);
    socket.on("secureConnect", () => {
      const { authorized, alpnProtocol: alpn } = socket;
      const seen = {
        protocol: socket.getProtocol(),
        alpn: alpn ?? false,
        authorized,
        reused: socket.isSessionReused(),
      };
      // TLS 1.3 sends the session behind the handshake, with the first bytes.
      if (alpn === "h2") socket.end();
      else socket.write(`HEAD / HTTP/1.1\r\nHost: ${options.servername}\r\nConnection: close\r\n\r\n`);
      socket.resume();
      socket.on("close", () => resolve({ ...seen, ...(session && { session }) }));
    });
  });

describe("each site by https", () => {
  test.each(secure.map((site) => [site.domain, site] as const))(
    "%s answers, and its certificate is the CA's",
    async (name, site) => {
      const { port, tls: way } = wayTo(site, true);
      const client = http2.connect(`https://${name}:${port}`, {
        ...way,
        host: balancerAddress,
        port,
      } as http2.SecureClientSessionOptions);
      const status = await new Promise<number | undefined>((resolve, reject) => {
        client.on("error", reject);
        const stream = client.request({ ":path": "/" });
        stream.on("response", (headers) => resolve(headers[":status"]));
        stream.on("error", reject);
        stream.resume();
      }).finally(() => client.close());
      expect(status).toBe(name === metricsSite ? 401 : 200);
      expect(await handshake({ servername: name, ALPNProtocols: ["h2", "http/1.1"] })).toMatchObject({
        authorized: true,
        alpn: "h2",
      });
    },
  );

  test.each(["TLSv1.2", "TLSv1.3"] as const)("by %s, and a session is resumed", async (version) => {
    const options = { servername: domain, minVersion: version, maxVersion: version };
    const first = await handshake(options);
    expect(first).toMatchObject({ protocol: version, authorized: true, reused: false });
    expect(await handshake({ ...options, ...(first.session && { session: first.session }) })).toMatchObject({
      reused: true,
    });
  });

  test("not by TLS 1.1", async () => {
    const old = {
      servername: domain,
      minVersion: "TLSv1.1",
      maxVersion: "TLSv1.1",
      ciphers: "DEFAULT@SECLEVEL=0",
    } as const;
    await expect(handshake(old)).rejects.toThrow(/alert protocol version|unsupported protocol/);
  });

  test("with the group X25519MLKEM768 for a client that knows it, and X25519 for another one", async () => {
    const ask = `openssl s_client -connect 127.0.0.1:${tlsPort()} -servername ${domain} </dev/null`;
    expect(await on("balancer", `${ask} -groups X25519MLKEM768:X25519`)).toContain("X25519MLKEM768");
    const other = await on("balancer", `${ask} -groups X25519`);
    expect(other).toMatch(/\bX25519\b/);
    expect(other).not.toContain("MLKEM");
  });

  test.each(["evil.test", `${domain}.evil.test`, undefined])("no certificate for the name %s", async (servername) => {
    await expect(handshake({ ...(servername && { servername }), rejectUnauthorized: false })).rejects.toThrow(
      /unrecognized name/,
    );
  });

  test.each([
    ["text/html", "text/html; charset=utf-8"],
    ["*/*", "application/problem+json"],
  ])("http at the port of https is refused in the form of %s", async (accept, type) => {
    const { status, headers } = await request("/", { port: tlsPort(), headers: { Host: domain, Accept: accept } });
    expect([status, headers["content-type"]]).toEqual([400, type]);
  });

  test.each([
    [domain, "unknown.invalid", 421],
    [domain, metricsSite, 401],
    [metricsSite, domain, 200],
  ])(
    "a client that names %s in its handshake and asks for %s gets the answer of the latter: %i",
    async (servername, host, status) => {
      const answered = await new Promise<number | undefined>((resolve, reject) => {
        const way = { host: balancerAddress, port: tlsPort(), servername, ca: ca(), agent: false };
        https
          .get({ ...way, headers: { Host: host } }, (answer) => resolve(answer.resume().statusCode))
          .on("error", reject);
      });
      expect(answered).toBe(status);
    },
  );

  test("a page with a login leads there from its plain ports, with path and query", async () => {
    const site = siteOf("metrics");
    for (const port of site?.ports ?? []) {
      const answer = await request("/prometheus/api/v1/query?query=up", {
        host: balancerAddress,
        port,
        headers: { Host: metricsSite },
      });
      const { location, "cache-control": cache } = answer.headers;
      expect([port, answer.status, location, cache]).toEqual([
        port,
        308,
        `https://${metricsSite}/prometheus/api/v1/query?query=up`,
        "no-store",
      ]);
    }
  });

  test("the counter's plain ports go on to answer, and say nothing of HSTS", async () => {
    for (const port of counter.ports) {
      const answer = await request("/", { port });
      expect([port, answer.status, answer.headers["strict-transport-security"]]).toEqual([port, 200, undefined]);
      expect(await raw("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", port)).toMatch(/^HTTP\/1\.1 400 /);
    }
  });
});

// Two minutes for each site.
atNight("testssl.sh has no finding worse than low, besides the accepted ones", { timeout: 30 * 60_000 }, async () => {
  await must(["ops/install-packages", "testssl.sh"]);
  const place = mkdtempSync(join(tmpdir(), "halo-testssl-"));
  const accepted: Record<string, string> = parse(readFileSync(join(root, "test/audit/accepted.yml"), "utf8")).tls;
  try {
    for (const { domain: name } of secure) {
      const file = join(place, `${name}.json`);
      const judge = ["testssl", "--quiet", "--color", "0", "--warnings", "off", "--add-ca", caFile()];
      // Its exit status counts findings.
      const { output } = await sh([
        ...judge,
        ...["--ip", balancerAddress, "--jsonfile", file, `https://${name}:${tlsPort()}/`],
      ]);
      const findings: { id: string; severity: string; finding: string }[] = JSON.parse(readFileSync(file, "utf8"));
      expect(findings.length, output).toBeGreaterThan(50);
      const bad = findings.filter(({ severity }) => ["MEDIUM", "HIGH", "CRITICAL"].includes(severity));
      expect([name, bad.filter(({ id }) => !accepted[id.split(" ")[0] ?? ""])]).toEqual([name, []]);
      // Versions before 3.2 give no grade.
      const grades = findings.filter(({ id }) => id === "overall_grade").map(({ finding }) => finding);
      expect(grades.filter((grade) => !grade.startsWith("A"))).toEqual([]);
    }
  } finally {
    rmSync(place, { recursive: true });
  }
});

describe("npm run trust", () => {
  const home = mkdtempSync(join(tmpdir(), "halo-home-"));
  afterAll(() => rmSync(home, { recursive: true, force: true }));

  /** The title or the error of each site's page in a Chromium of its own. */
  const open = async (): Promise<string[]> => {
    const before = process.env.HOME;
    process.env.HOME = home;
    try {
      const found: string[] = [];
      for (const { domain: name } of secure) {
        const browser = await openBrowser(name, balancerAddress);
        try {
          const page = await browser.newPage(name === metricsSite ? { httpCredentials: metricsLogin() } : {});
          const answer = await page
            .goto(`https://${name}/`)
            .catch((error) => `${error}`.match(/ERR_\w+/)?.[0] ?? `${error}`);
          found.push(typeof answer === "string" ? answer : String(answer?.status()));
        } finally {
          await browser.close();
        }
      }
      return found;
    } finally {
      process.env.HOME = before;
    }
  };
  const every = (text: string) => secure.map(() => text);
  const npm = (command: string) => must(["npm", "run", "-s", command, "--", "--yes"], { HOME: home });
  const firefox = join(home, ".mozilla/firefox/a.default");
  const inFirefox = () => must(["certutil", "-L", "-d", `sql:${firefox}`]);

  test("asks first, and names what it would do", async () => {
    const { code, output } = await sh(["npm", "run", "-s", "trust"], { HOME: home });
    expect([code, output]).toEqual([1, expect.stringContaining("so nothing was changed\nFix: npm run trust -- --yes")]);
    expect(output).toContain("install -m 0644 ");
  });

  test("opens each site without a warning, and untrust brings the warning back", async () => {
    expect(await open()).toEqual(every("ERR_CERT_AUTHORITY_INVALID"));
    mkdirSync(firefox, { recursive: true });
    await must(["certutil", "-N", "--empty-password", "-d", `sql:${firefox}`]);
    try {
      expect(await npm("trust")).toContain("The local CA is in");
      expect(await inFirefox()).toMatch(/^Halo local CA \w+ +C,,/m);
      expect(await open()).toEqual(every("200"));
      expect(await npm("trust")).toBe("The local CA is trusted already; nothing to change");
      const curl = ["curl", "-sf", "--resolve", `${domain}:${tlsPort()}:${balancerAddress}`, `https://${domain}/`];
      expect(JSON.parse(await must(curl))).toHaveProperty("total_visits");
    } finally {
      await npm("untrust");
    }
    expect(await open()).toEqual(every("ERR_CERT_AUTHORITY_INVALID"));
    expect(await inFirefox()).not.toContain("Halo");
    // Debian's folder, and its links to the files in it.
    const left = "ls -l /usr/local/share/ca-certificates /etc/ssl/certs | grep halo-local-ca";
    expect(await sh(["sh", "-c", left])).toMatchObject({ code: 1, output: "" });
  });
});

describe("a certificate of one's own", () => {
  const place = mkdtempSync(join(tmpdir(), "halo-pair-"));
  afterAll(() => rmSync(place, { recursive: true, force: true }));
  const { sites } = parse(readFileSync(join(root, "ansible/group_vars/all/sites.yml"), "utf8"));
  const pair = async (name: string, days: string, host = name) => {
    const [certificate, key, asked] = ["crt", "key", "csr"].map((kind) => join(place, `${name}.${kind}`)) as [
      string,
      string,
      string,
    ];
    const curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-noenc", "-keyout", key];
    await must([
      "openssl",
      "req",
      ...curve,
      "-subj",
      `/CN=${name}`,
      "-addext",
      `subjectAltName=DNS:${host}`,
      "-out",
      asked,
    ]);
    await must([
      "openssl",
      "x509",
      "-req",
      "-in",
      asked,
      "-key",
      key,
      "-days",
      days,
      "-copy_extensions",
      "copy",
      "-out",
      certificate,
    ]);
    return { certificate, key };
  };
  const play = (all: object[]) =>
    ansible("site.yml", ...["--limit", "balancer,localhost", "-e"], JSON.stringify({ sites: all }));
  const push = (files: { certificate: string; key: string }) =>
    play(
      sites.map((site: { domain: string }) =>
        site.domain === domain ? { ...site, ...files, tls: "files", redirect: false } : site,
      ),
    );
  const served = () => on("balancer", `openssl x509 -noout -fingerprint -in /etc/nginx/tls/${domain}.crt`);

  atNight("a drain leaves the certificates as they are, also where this machine has none", async () => {
    const before = await served();
    const [own, aside] = [localPath("secrets", "tls"), localPath("secrets", "tls.aside")];
    renameSync(own, aside);
    try {
      for (const how of ["drain", "undrain"]) {
        const { code, output } = await ansible("drain.yml", "-e", `${how}=${backends[0]}`);
        expect(code, output).toBe(0);
        expect(await handshake({ servername: domain })).toMatchObject({ authorized: true });
      }
    } finally {
      renameSync(aside, own);
    }
    expect(await served()).toBe(before);
  });

  atNight("its site leads to https, where alone HSTS is said, and leaves no certificate behind", async () => {
    const name = "shop.example";
    const files = await pair(name, "30");
    const [port] = counter.ports;
    const site = {
      domain: name,
      ports: [port],
      tls: "files",
      hsts: true,
      absent: ["nowhere"],
      paths: { "/": { service: counterApp().name } },
    };
    const headers = { Host: name };
    const hsts = "strict-transport-security";
    try {
      const { code, output } = await play([...sites, { ...site, ...files }]);
      expect(code, output).toBe(0);
      const plain = await request("/", { port, headers });
      expect([plain.status, plain.headers.location]).toEqual([308, `https://${name}/`]);
      expect(plain.headers).not.toHaveProperty(hsts);
      // The second one is an error of nginx itself.
      for (const path of ["/", "/nowhere"]) {
        const secured = await new Promise<object>((resolve, reject) => {
          const way = { host: balancerAddress, port: tlsPort(), servername: name, ca: readFileSync(files.certificate) };
          const options = { ...way, path, headers, agent: false };
          https.get(options, (answer) => resolve(answer.resume().headers)).on("error", reject);
        });
        expect([path, secured]).toEqual([path, expect.objectContaining({ [hsts]: "max-age=31536000" })]);
      }
      expect((await request("/", { secure: true })).headers).not.toHaveProperty(hsts);
    } finally {
      expect((await ansible("site.yml", "--limit", "balancer,localhost")).code).toBe(0);
    }
    expect(await on("balancer", "ls /etc/nginx/tls")).not.toContain(name);
  });

  atNight("a wrong one is refused with its name before nginx reads it", async () => {
    const before = await served();
    const good = await pair(domain, "30");
    const other = await pair("other.test", "30");
    const wrong: [{ certificate: string; key: string }, string][] = [
      [{ ...good, key: other.key }, `the key ${other.key} does not fit the certificate ${good.certificate}`],
      [other, `${domain}: ${other.certificate} is for another name: DNS:other.test`],
      // From OpenSSL 3.4 on, a certificate may not end before it begins.
      [await pair(`expired.${domain}`, "0", domain), `the certificate of ${domain} has expired`],
      [{ ...good, certificate: good.key }, `${good.key} has to be a certificate in PEM form`],
    ];
    for (const [files, words] of wrong) {
      const { code, output } = await push(files);
      expect(code, output).toBe(2);
      expect(output.replace(/\s+/g, " ")).toContain(words);
      // Only its dates have to be judged on the balancer.
      expect(output.includes("Read the facts of the hosts"), words).toBe(words.includes("expired"));
      expect(await served()).toBe(before);
      expect((await request("/")).status).toBe(200);
    }
    try {
      const { code, output } = await push(await pair(domain, "30"));
      expect(code, output).toBe(0);
      expect(await served()).not.toBe(before);
    } finally {
      expect((await ansible("site.yml", "--limit", "balancer,localhost")).code).toBe(0);
    }
    expect(await served()).toBe(before);
  });
});
