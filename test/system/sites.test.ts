import { readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { brotliCompressSync, brotliDecompressSync, gunzipSync, gzipSync } from "node:zlib";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { parse } from "yaml";
import { inGroup, inventoryFile } from "../../ops/cluster/inventory.ts";
import { firewallServices, joined, portOf } from "../../ops/cluster/services.ts";
import { sites as allSites, siteOf, urlOf } from "../../ops/cluster/sites.ts";
import { localPath, root } from "../../ops/lib/paths.ts";
import { app, releases } from "../lib/app.ts";
import { ansible, backends, explainByJournals, must, on, sh, until } from "../lib/hosts.ts";
import {
  type Answer,
  answerInTurn,
  balancerAddress,
  counter,
  domain,
  port,
  portFor,
  raw,
  request,
} from "../lib/http.ts";
import { render, rendered } from "../lib/nginx.ts";
import { atNight, wholeNight } from "../lib/night.ts";
import { deploy, pack } from "../lib/releases.ts";

beforeEach(explainByJournals);
beforeAll(answerInTurn);
const { sites } = parse(readFileSync(join(root, "ansible/group_vars/all/sites.yml"), "utf8"));
// The workshop's ports by its name, and those where it answers by an address as well.
const {
  domain: workshop,
  ports: [named],
  any_name_ports: [open],
}: { domain: string; ports: [number]; any_name_ports: [number] } = sites.find(
  ({ role }: { role?: string }) => role === "workshop",
);
const { paths: counterPaths } = sites.find(({ role }: { role?: string }) => role === "counter");
const workshopPorts = siteOf("workshop")?.ports ?? [];
const policy =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
  "base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/** One request to the workshop's name. */
const ask = (path: string, headers: Record<string, string> = {}, port = named, method = "GET") =>
  request(path, { port, method, headers: { Host: workshop, ...headers } });
/** The paths under a/ that a page names. */
const parts = (page: string) => [...page.matchAll(/\s(?:href|src)="(a\/[^"#]+)/g)].map((match) => `/${match[1]}`);

describe("the site that answers by name and port", () => {
  test.each([
    ...workshopPorts.map((port): [string, string, number] => ["the workshop's page", workshop, port]),
    ["the workshop's page, by the balancer's address,", balancerAddress, open],
    ["the workshop's page, by an address of IPv6,", `[fd00::1]:${open}`, open],
    ["the workshop's page, by a forwarded port,", `localhost:${open}`, open],
  ])("%s for %s on port %i", async (_, name, port) => {
    const page = await ask("/", { Host: name }, port);
    expect([page.status, page.headers["content-type"]]).toEqual([200, "text/html; charset=utf-8"]);
    expect(page.headers["x-served-by"]).toBeUndefined();
    expect(parts(page.body).length).toBeGreaterThan(1);
  });

  test.each([...workshopPorts.map((port): [string, number] => [workshop, port]), [balancerAddress, open]])(
    "the service for %s on port %i under /api/, by the backends in turn",
    async (name, port) => {
      const names: unknown[] = [];
      for (let i = 0; i < 2 * backends.length; i++) {
        const { status, headers } = await ask("/api/openapi.json", { Host: name }, port);
        expect([status, headers["content-type"]]).toEqual([200, expect.stringContaining("json")]);
        names.push(headers["x-served-by"]);
      }
      expect(new Set(names)).toEqual(new Set(backends));
      expect(names.filter((each, i) => each === names[i - 1])).toEqual([]);
    },
  );

  test.each([...new Set(allSites().flatMap(({ ports }) => ports))])(
    "nobody for another name on port %i",
    async (port) => {
      for (const name of ["evil.test", `${workshop}.evil.test`, `${balancerAddress}.evil.test`, "localhost.evil.test"])
        for (const path of ["/", "/api/customers"]) {
          const answer = await ask(path, { Host: name }, port);
          expect([name, path, answer.status]).toEqual([name, path, 421]);
          expect(parts(answer.body)).toEqual([]);
        }
    },
  );

  test("nobody for the workshop's API under the counter's name", async () => {
    for (const path of [
      "/api",
      "/api/",
      "/api/customers",
      "/API/customers",
      "/%61pi/customers",
      "//api/customers",
      "/x/../api/",
    ]) {
      const answer = await ask(path, { Host: domain }, portFor(domain));
      expect([path, answer.status, answer.headers["x-served-by"]]).toEqual([path, 404, undefined]);
    }
  });

  test("every answer of every site says that its type is not to be guessed, once", async () => {
    const paths = ["/", "/nowhere", "/api/customers", "/api/nowhere", "/favicon.ico", "/prometheus/", "/alertmanager/"];
    for (const { domain: name } of [...sites, { domain: "other.example" }])
      for (const path of paths)
        for (const method of ["GET", "FROB"])
          for (const accept of ["text/html", "*/*"]) {
            const { headers } = await ask(path, { Host: name, Accept: accept }, portFor(name), method);
            expect([name, path, method, headers["x-content-type-options"]]).toEqual([name, path, method, "nosniff"]);
          }
  });

  test("nobody for the workshop's backends' own business", async () => {
    for (const path of ["/metrics", "/readyz", "/api/../metrics", "/api/%2e%2e/metrics", "/api/..%2fmetrics"])
      expect([path, (await ask(path)).status]).toEqual([path, 404]);
  });
});

describe("the index of the sites", () => {
  type Count = { metric: { app: string; count: string }; value: [number, string] };
  const counts = async (query = ""): Promise<Count[]> =>
    JSON.parse((await request(`/-/state.json${query}`)).body).data.result;

  test("links every site, from nginx itself", async () => {
    const { status, headers, body } = await request("/-/");
    expect([status, headers["content-type"], headers["x-served-by"]]).toEqual([
      200,
      "text/html; charset=utf-8",
      undefined,
    ]);
    for (const site of allSites()) expect(body).toContain(`<a href="${urlOf(site)}/" `);
    expect(body).toContain(`data-app="${app.name}"`);
    expect((await request("/-/index.mjs")).headers["content-type"]).toMatch(/^text\/javascript/);
  });

  test("has the number of backends of each app that answer, whatever else a client asks Prometheus", async () => {
    const all = String(backends.length);
    const complete = async () =>
      (await counts()).filter(({ metric, value }) => metric.app === app.name && value[1] === all).length;
    await expect.poll(complete, { timeout: 60_000, interval: 1000 }).toBe(2);
    const metrics = async (query?: string) => (await counts(query)).map(({ metric }) => metric);
    expect(await metrics("?query=up")).toEqual(await metrics());
    for (const path of ["/-/state.json", "/assets/backends.json"]) {
      const { status, headers } = await request(path, { method: "POST" }, "query=up");
      expect([path, status, headers.allow]).toEqual([path, 405, "GET, HEAD"]);
      // The answers of other hosts in it are not compressed, whatever the client accepts.
      const packed = await request(path, { headers: { "Accept-Encoding": "gzip" } });
      const text = packed.headers["content-encoding"] === "gzip" ? gunzipSync(packed.bytes) : packed.body;
      expect([path, packed.status, JSON.parse(String(text))]).toEqual([path, 200, expect.any(Object)]);
    }
  });

  test("is where /-/ of Halo's other sites leads, without a login", async () => {
    for (const { domain: name } of allSites().filter(({ role }) => role && role !== "counter")) {
      const { status, headers } = await request("/-/", { headers: { Host: name } });
      expect([name, status, headers.location]).toEqual([name, 302, `${urlOf(counter)}/-/`]);
    }
  });

  test("every site of Halo's own has an icon", async () => {
    for (const name of [domain, workshop]) {
      const { status, headers } = await request("/favicon.ico", { headers: { Host: name } });
      expect([name, status, headers["content-type"]]).toEqual([name, 200, "image/x-icon"]);
    }
  });
});

describe("an error of nginx itself", () => {
  const way = (href: string, text: string) => `<a href="${href}">${text}</a>`;
  const index = `${urlOf(counter)}/-/`;

  test.each<[number, string, string, string, string[]]>([
    [404, workshop, "/nowhere", "en", [way("/", "Start page"), way(index, "All sites")]],
    [404, workshop, "/nowhere", "id-ID,id;q=0.9,en;q=0.8", [way("/", "Halaman awal"), way(index, "Semua situs")]],
    [401, siteOf("metrics")?.domain ?? "", "/", "en", [way("/", "Start page")]],
  ])("%i of %s is a page for a browser, with a way back (%s, %s)", async (status, name, path, language, ways) => {
    const page = await request(path, { headers: { Host: name, Accept: "text/html", "Accept-Language": language } });
    expect([page.status, page.headers["content-type"]]).toEqual([status, "text/html; charset=utf-8"]);
    expect(page.body).toContain(`<html lang="${language.slice(0, 2)}">`);
    for (const each of ways) expect(page.body).toContain(each);
    expect(page.body).toContain(String(page.headers["x-request-id"]));
  });

  test("421 leads to the index, and no further under the wrong name", async () => {
    const { status, body } = await ask("/", { Host: "other.example", Accept: "text/html" });
    expect(status).toBe(421);
    expect(body).toContain(way(index, "All sites"));
    expect(body).not.toContain('href="/"');
  });

  test("413 is a page for a browser, and a problem for a program", async () => {
    const head = (accept: string) =>
      `POST / HTTP/1.1\r\nHost: ${domain}\r\nConnection: close\r\nAccept: ${accept}\r\nContent-Length: 104857600\r\n\r\n`;
    // nginx waits five seconds for the rest of the body.
    for (const [accept, expected] of [
      ["text/html", /^HTTP\/1\.1 413 [\s\S]*<h1>The file or form is too large\.<\/h1>/],
      ["*/*", /^HTTP\/1\.1 413 [\s\S]*"status":413}/],
    ] as const)
      expect(await raw(head(accept), port, expected)).toMatch(expected);
  });
});

describe("the workshop's files", () => {
  test("the page is asked for again each time, and answers 304 while it is the same", async () => {
    const { headers } = await ask("/");
    expect(headers).toMatchObject({
      "cache-control": "no-cache",
      "content-security-policy": policy,
      "x-content-type-options": "nosniff",
      "referrer-policy": "no-referrer",
      "x-request-id": expect.stringMatching(/^[0-9a-f]{32}$/),
      vary: "Accept-Encoding",
    });
    const again = await ask("/", { "If-None-Match": String(headers.etag) });
    expect([again.status, again.body]).toEqual([304, ""]);
  });

  test.each([
    ["gzip", "gzip", gunzipSync],
    ["gzip, deflate, br, zstd", "br", brotliDecompressSync],
  ])(
    "the files that it names are cached for ever and come compressed as on the disk (%s: %s)",
    async (accepted, encoding, unpack) => {
      const page = await ask("/");
      const packed = await ask("/", { "Accept-Encoding": accepted });
      expect([packed.headers["content-encoding"], packed.headers.vary]).toEqual([encoding, "Accept-Encoding"]);
      expect(unpack(packed.bytes)).toEqual(page.bytes);
      let transferred = packed.bytes.length;
      for (const path of parts(page.body)) {
        expect(path).toMatch(/^\/a\/[\w-]+\.[0-9A-Z]{8}\.(js|css|svg)$/);
        const plain = await ask(path);
        const zipped = await ask(path, { "Accept-Encoding": accepted });
        for (const each of [plain, zipped])
          expect([path, each.status, each.headers["cache-control"], each.headers["x-content-type-options"]]).toEqual([
            path,
            200,
            "public, max-age=31536000, immutable",
            "nosniff",
          ]);
        expect([path, zipped.headers["content-encoding"], zipped.headers["content-length"]]).toEqual([
          path,
          encoding,
          String(zipped.bytes.length), // known beforehand: it was not compressed for this answer
        ]);
        expect(unpack(zipped.bytes)).toEqual(plain.bytes);
        transferred += zipped.bytes.length;
      }
      console.log(`the workshop's first page: ${transferred} bytes, compressed (${encoding})`);
      expect(transferred).toBeLessThan(100 * 1024);
    },
  );

  test("a missing path is a problem, or a page for a browser, and nobody keeps it", async () => {
    for (const path of ["/nowhere", "/a/lost.00000000.js"]) {
      const problem = await ask(path);
      expect([problem.status, problem.headers["content-type"]]).toEqual([404, "application/problem+json"]);
      expect(problem.headers["cache-control"]).toBe("no-store");
      const page = await ask(path, { Accept: "text/html" });
      expect([page.status, page.headers["content-type"]]).toEqual([404, "text/html; charset=utf-8"]);
    }
    const post = await ask("/", {}, named, "POST");
    expect([post.status, post.headers.allow]).toEqual([405, "GET, HEAD"]);
  });
});

describe("a release's pages", () => {
  /** A release whose page and style have other names and bytes than the newest one's. */
  const other = (name: string, change: (folder: string) => void = () => {}) =>
    pack(name, (folder) => {
      const site = join(folder, "web/workshop");
      const style = readdirSync(join(site, "a")).find((each) => each.endsWith(".css")) ?? "";
      const text = `${readFileSync(join(site, "a", style))}/* ${name} */`;
      const named = `${name}.00000000.css`;
      const write = (file: string, content: string) => {
        writeFileSync(file, content);
        writeFileSync(`${file}.gz`, gzipSync(content));
        writeFileSync(`${file}.br`, brotliCompressSync(content));
      };
      for (const end of ["", ".gz", ".br"]) renameSync(join(site, "a", style + end), join(site, "a", named + end));
      write(join(site, "a", named), text);
      write(join(site, "index.html"), readFileSync(join(site, "index.html"), "utf8").replace(style, named));
      change(folder);
    });
  const page = async () => (await ask("/")).body;
  const whole = async () => {
    for (const path of parts(await page())) expect([path, (await ask(path)).status]).toEqual([path, 200]);
  };

  /** Loads the page with all that it names again and again meanwhile; resolves with every page that was seen. */
  async function meanwhile(busy: Promise<unknown>): Promise<Set<string>> {
    let going = true;
    const stop = () => {
      going = false;
    };
    busy.then(stop, stop);
    const seen = new Set<string>();
    while (going) {
      seen.add(await page());
      await whole();
    }
    return seen;
  }

  atNight(
    "come last in a deploy and go first in a rollback, whole at every moment; the other's files stay",
    async () => {
      const before = await page();
      const release = await other("pages");
      const deploying = deploy(release);
      const seen = await meanwhile(deploying);
      const { code, output } = await deploying;
      expect(code, output).toBe(0);
      const after = await page();
      expect([...seen].filter((each) => each !== before && each !== after)).toEqual([]);
      expect(parts(after)).toContain("/a/pages.00000000.css");
      for (const path of [...parts(before), ...parts(after)])
        expect([path, (await ask(path)).status]).toEqual([path, 200]);

      const back = sh(["npm", "run", "-s", "rollback"]);
      await until("the page is the one before", 60_000, async () => (await page()) === before);
      // It was the page's turn first: a backend is asked for its release.
      const served = (await request("/-/release")).headers["x-release"];
      const rolled = await back;
      expect(rolled.code, rolled.output).toBe(0);
      expect(served).toBe(release.id);
      expect(await page()).toBe(before);
      for (const path of [...parts(before), ...parts(after)])
        expect([path, (await ask(path)).status]).toEqual([path, 200]);
    },
  );

  atNight("stay as they are when the release fails, and a new balancer's are those in service", async () => {
    const before = await page();
    const release = await other("failing", (folder) =>
      writeFileSync(join(folder, "app/src/main.ts"), "throw new Error('crash of the test');\n"),
    );
    const { code, output } = await deploy(release);
    expect(code).not.toBe(0);
    expect(output).toContain("crash of the test");
    expect(await page()).toBe(before);
    await whole();

    await on("balancer", `rm -r ${app.pages} ${releases}`);
    expect((await ask("/")).status).toBe(404);
    const site = await ansible("site.yml");
    expect(site.code, site.output).toBe(0);
    expect(await page()).toBe(before);
    await whole();
    expect((await ansible("site.yml")).output).toMatch(/balancer\s+: ok=\d+\s+changed=0/);
  });
});

describe("another site is a few lines", () => {
  const third = {
    domain: `docs.${domain}`,
    ports: [named],
    any_name_ports: [8090],
    paths: { "/": { files: "/usr/share/halo-docs" }, "/tools/": { service: "tools" } },
  };
  const settings = {
    sites: [...sites, third],
    firewall_services: {
      ...firewallServices(), // the apps'
      ...joined("firewall_services"),
      tools: { ports: [9000], hosts: ["redis"], from: ["balancers"] },
    },
  };

  test("nginx takes it, with an upstream of its own", async () => {
    const { code, output } = await render(settings);
    expect(code, output).toBe(0);
    const text = await rendered();
    expect(text).toMatch(new RegExp(`upstream tools \\{[^}]* server ${inGroup("redis")[0]?.address}:9000 max_fails=1`));
    expect(text.match(/^ +listen 8090.*$/gm)).toEqual([expect.stringContaining("default_server")]);
    expect(text.match(new RegExp(`^ +listen ${open}\\b.*$`, "gm"))).toHaveLength(1);
  });

  test("without an index /-/ leads to the start page, and one user of a site without people is no person", async () => {
    const { "/-/": _, ...paths } = counterPaths;
    const changed = sites.map((site: { role?: string }) => (site.role === "counter" ? { ...site, paths } : site));
    const { code, output } = await render({ sites: changed });
    expect(code, output).toBe(0);
    const text = await rendered();
    expect(text.match(/location = \/-\/ \{/g)).toHaveLength(3);
    expect(text.match(/return 302 \/;/g)).toHaveLength(3);
    expect(text).not.toContain("set $person");
  });

  test("states are each host's own answer beside the upstream, but for a drained one", async () => {
    const [away = "", ...others] = backends;
    const { code, output } = await render({ sites, backends_drained: [away] });
    expect(code, output).toBe(0);
    const text = await rendered();
    expect(text).toContain(`"${away}":"drained"`);
    for (const { name, address } of inGroup("backends")) {
      const own = new RegExp(`location = \\S+/${name} \\{[^}]*internal;[^}]* proxy_pass http://${address}:`);
      if (others.includes(name)) expect(text).toMatch(own);
      else expect(text).not.toMatch(own);
    }
  });

  test("of two balancers, each answers the challenges of the other one's CA", async () => {
    const inventory = join(tmpdir(), "halo-two-balancers.yml");
    const address = "192.168.56.19";
    const { all } = parse(readFileSync(inventoryFile, "utf8"));
    Object.assign(all.children.balancers.hosts, { balancer9: { private_ip: address, memory: 768, cpus: 1 } });
    writeFileSync(inventory, JSON.stringify({ all }));
    try {
      const site = { ...third, tls: "acme", ports: [open], any_name_ports: [] };
      const asked = { ...settings, sites: [...sites, site], acme_domains: [site.domain] };
      const { code, output } = await render(asked, inventory);
      expect(code, output).toBe(0);
    } finally {
      rmSync(inventory);
    }
    const text = await rendered();
    expect(text).toMatch(new RegExp(`upstream other_balancers \\{\\s+server ${address}:\\d+;\\s+\\}`));
    expect(text).toMatch(/try_files \$uri @other_balancer;/);
  });

  atNight("site.yml brings it into service, and takes it out without a trace", async () => {
    const play = (vars: object) => ansible("site.yml", "-e", JSON.stringify(vars));
    await on(
      "balancer",
      `install -d /usr/share/halo-docs /run/halo-tools/tools && echo a manual > /usr/share/halo-docs/index.html; echo a tool > /run/halo-tools/tools/saw; systemd-run -q --unit=halo-tools --working-directory=/run/halo-tools python3 -m http.server 9000`,
    );
    try {
      const added = await play(settings);
      expect(added.code, added.output).toBe(0);
      const get = async (path: string, port: number, name: string): Promise<Answer> => {
        const answer = await ask(path, { Host: name }, port);
        expect([path, port, answer.status]).toEqual([path, port, 200]);
        return answer;
      };
      expect((await get("/", named, third.domain)).body).toBe("a manual\n");
      expect((await get("/", 8090, balancerAddress)).headers["cache-control"]).toBe("no-cache");
      expect((await get("/tools/saw", named, third.domain)).body).toBe("a tool\n");
      expect(parts((await get("/", named, workshop)).body).length).toBeGreaterThan(1);
      expect(await on(backends[0] ?? "", `getent ahostsv4 ${third.domain}`)).toContain(balancerAddress);
    } finally {
      await on("balancer", "systemctl stop halo-tools; rm -r /usr/share/halo-docs /run/halo-tools");
      const removed = await ansible("site.yml");
      expect(removed.code, removed.output).toBe(0);
    }
    for (const host of ["balancer", ...backends])
      expect(
        await on(
          host,
          `grep -rslE '${third.domain.replaceAll(".", "[.]")}|8090' /etc/nginx /etc/halo /etc/hosts || true`,
        ),
      ).toBe("");
  });

  const wrong: [string, object, string][] = [
    ["a service that is not there", { paths: { "/": { service: "shop" } } }, "there is no service shop"],
    ["a group that is not there", { paths: { "/": { service: "lost" } } }, "on the group nowhere, which the inventory"],
    ["a closed service", { paths: { "/": { service: "redis" } } }, "closed to the balancers"],
    ["no name", { domain: undefined }, `site ${sites.length + 1} needs domain`],
    ["a name that is taken", { domain }, `${domain} is defined 2 times`],
    ["a port of another site's", { any_name_ports: [open] }, `${workshop} and ${third.domain} claim it`],
    ["a port of SSH's", { ports: [portOf("ssh")] }, `port ${portOf("ssh")} is the service ssh's`],
    ["a folder of no release", { paths: { "/": { web: "shop" } } }, "web is APP/FOLDER, or APP of a static one"],
    [
      "two answers",
      { paths: { "/": { web: "workshop", files: "/srv" } } },
      "needs one of service, states, web, files and index",
    ],
    ["a word that is none", { port: named }, "unknown key port"],
  ];
  test.each(wholeNight ? wrong : wrong.slice(0, 1))(
    "%s is refused before any host is touched",
    async (_, change, words) => {
      const lost = { ports: [9], hosts: ["nowhere"], from: ["balancers"] };
      const { code, output } = await ansible(
        "site.yml",
        "-e",
        JSON.stringify({
          sites: [...sites, { ...third, ...change }],
          firewall_services: { ...settings.firewall_services, lost },
        }),
      );
      expect(code).toBe(2);
      expect(output).toContain(words);
      expect(output).toMatch(/sites\.yml: [\s\S]*Fix: correct the named file of ansible\/group_vars\/all/);
      expect(output).not.toContain("Read the facts of the hosts");
    },
  );
});

atNight("the workshop with a login has no way around it, and the service knows the person", async () => {
  const open = { domain: `open.${domain}`, ports: [named], paths: { "/": { service: app.name } } };
  const closed = sites.map((site: { role?: string }) =>
    site.role === "workshop" ? { ...site, redirect: false, login: { people: ["ayu", "budi"] } } : site,
  );
  const basic = (person: string, password: string) => ({
    Authorization: `Basic ${Buffer.from(`${person}:${password}`).toString("base64")}`,
  });
  const passwordOf = (person: string) => readFileSync(localPath("secrets", "logins", workshop, person), "utf8").trim();
  try {
    const { code, output } = await ansible("site.yml", "-e", JSON.stringify({ sites: [...closed, open] }));
    expect(code, output).toBe(0);
    expect(passwordOf("ayu")).toMatch(/^[A-Za-z0-9]{24}$/);
    expect(output).not.toContain(passwordOf("ayu"));
    for (const port of workshopPorts)
      for (const path of ["/", "/api/customers"]) {
        const status = async (headers: Record<string, string>) => (await ask(path, headers, port)).status;
        expect([port, path, await status({}), await status({ "X-Halo-Person": "ayu" })]).toEqual([
          port,
          path,
          401,
          401,
        ]);
        expect(await status(basic("ayu", passwordOf("budi")))).toBe(401);
        for (const person of ["ayu", "budi"]) expect(await status(basic(person, passwordOf(person)))).toBe(200);
      }
    // Another site of the same service, and the service's own port.
    const tries: Record<string, string>[] = [{}, { "X-Halo-Person": "ayu" }, basic("ayu", passwordOf("ayu"))];
    for (const headers of tries)
      expect((await ask("/api/customers", { Host: open.domain, ...headers })).status).toBe(403);
    const backend = inGroup("backends")[0]?.address;
    const direct = `curl -s -o /dev/null -w '%{http_code}' http://${backend}:${portOf(app.name)}/api/customers`;
    expect(await on("balancer", direct)).toBe("403");

    const login = { ...basic("ayu", passwordOf("ayu")), "Content-Type": "application/json" };
    const post = { method: "POST", port: named, headers: { Host: workshop, ...login } };
    const made = await request("/api/customers", post, JSON.stringify({ name: "Uji Masuk", phone: "0812-0000" }));
    expect([made.status, made.headers["x-person"]]).toEqual([201, "ayu"]);
    const path = `/api/customers/${JSON.parse(made.body).id}`;
    const changes = JSON.parse((await ask(`${path}/changes`, login)).body).items;
    expect(changes).toMatchObject([{ person: "ayu", action: "created" }]);
    await ask(path, { ...login, "If-Match": "*" }, named, "DELETE");
  } finally {
    const { code, output } = await ansible("site.yml");
    expect(code, output).toBe(0);
  }
  expect((await ask("/api/customers")).status).toBe(200);
});

afterAll(() => must(["npm", "run", "-s", "verify"]));
