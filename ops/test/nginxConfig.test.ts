import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { parse } from "yaml";
import { root } from "../lib/paths.ts";

type Site = { domain: string; role?: string; ports: number[]; [key: string]: unknown };
const { sites }: { sites: Site[] } = parse(readFileSync(join(root, "ansible/group_vars/all/sites.yml"), "utf8"));
const [counter, metrics] = ["counter", "metrics"].map((name) => sites.find(({ role }) => role === name)) as [
  Site,
  Site,
];
const { ports } = counter;
/** The workshop under a name of its owner's, with every key about https, and a site of an index alone. */
const given = [
  ...sites.map((site) =>
    site.role === "workshop" ? { ...site, domain: "desk.example", tls: "acme", hsts: true } : site,
  ),
  { domain: "all.example", ports, paths: { "/": { index: "all" } } },
  { domain: "api.example", ports, paths: { "/api/": { service: "demo" } } },
];
const brotli = "/usr/lib/nginx/modules/ngx_http_brotli_static_module.so";
const text = render({
  sites: given,
  __nginx_secure_sites: ["desk.example"],
  backends_drained: ["backend2"],
  host_facts: { nginx: "1.26.3", [brotli]: "present" },
  metrics_password: "unused",
});

/** Renders nginx.conf with these variables, as the balancer of the committed inventory; the tests of the whole system have nginx judge it. */
function render(vars: object): string {
  const folder = mkdtempSync(join(tmpdir(), "halo-nginx-"));
  const role = join(root, "ansible/roles/nginx");
  const file = join(folder, "nginx.conf");
  const argv = [
    ...["balancer", "--connection", "local", "--inventory", join(root, "ansible/inventory/hosts.yml")],
    ...["--playbook-dir", join(root, "ansible")],
    ...["--extra-vars", `@${role}/defaults/main.yml`, "--extra-vars", `@${role}/vars/main.yml`],
    ...["--extra-vars", JSON.stringify(vars), "--module-name", "ansible.builtin.template"],
    ...["--args", `src=${root}/nginx/nginx.conf.j2 dest=${file} mode=0600`],
  ];
  try {
    const env = { ...process.env, ANSIBLE_CONFIG: join(root, "ansible/ansible.cfg") };
    const { status, stdout, stderr } = spawnSync("ansible", argv, { encoding: "utf8", env });
    expect(status, `${stdout}${stderr}`).toBe(0);
    return readFileSync(file, "utf8");
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** The configuration of a site, the one that answers its pages. */
const server = (domain: string) =>
  text.split(/^ {4}server \{$/m).findLast((each) => each.includes(`server_name ${domain};`)) ?? "";
/** A location's lines, of the site with this name. */
const location = (domain: string, head: string) =>
  server(domain).split(`        location ${head} {\n`)[1]?.split("\n        }\n")[0];

test("a subrequest for a host's state has nothing of the client's, and a drained host is asked by none", () => {
  const own = location(counter.domain, "= /assets/backends.json/backend1");
  expect(own).toMatch(
    /internal;[\s\S]*proxy_pass_request_headers off;\n +proxy_pass_request_body off;\n +proxy_pass http/,
  );
  expect(location(counter.domain, "= /assets/backends.json/backend2")).toBeUndefined();
  expect(location(counter.domain, "@states1")).toContain('"backend2":"drained"');
});

test("documents of nginx's own refuse every method but GET and HEAD", () => {
  for (const path of ["/-/state.json", "/assets/backends.json"])
    expect(location(counter.domain, `= ${path}`)).toMatch(
      /^ +if \(\$request_method !~ \^\(GET\|HEAD\)\$\) \{\n +rewrite \^ \/-\/read-only last;/,
    );
  expect(location(counter.domain, "= /-/read-only")).toMatch(/internal;\n +try_files \/- =405;/);
});

test("one client cannot take all questions to Prometheus", () => {
  expect(text).toContain("limit_req_zone $limited_client zone=state_of_client:1m rate=2r/s;");
  for (const zone of ["state", "state_of_client"])
    expect(location(counter.domain, "= /-/state.json")).toContain(`limit_req zone=${zone} `);
});

test("a site without a service for all its paths answers the others by 404, not by the files of nginx's package", () => {
  for (const domain of ["all.example", "api.example"])
    expect(location(domain, "/")).toMatch(/^ +try_files \/- =404;$/m);
  expect(server(counter.domain).match(/location \/ \{/g)).toHaveLength(1);
});

test("every answer by https of a site with hsts says so, also a redirect and an error", () => {
  const header = "add_header Strict-Transport-Security $hsts always;";
  for (const head of ["@index", "/", "/api/", "= /-/error/json", "= /-/error/html"])
    expect([head, location("desk.example", head)]).toEqual([head, expect.stringContaining(header)]);
});

test("built files come in both compressed forms, where nginx has the module", () => {
  expect(text).toMatch(new RegExp(`^load_module ${brotli};$`, "m"));
  for (const [domain, head] of [
    [counter.domain, "/assets/"],
    ["desk.example", "/"],
    ["desk.example", "/a/"],
    [metrics.domain, "/a/"],
  ] as const)
    expect(location(domain, head)).toMatch(/^ {12}gzip_static on;\n {12}brotli_static on;$/m);
  expect(render({ sites, host_facts: { nginx: "1.26.3" }, metrics_password: "unused" })).not.toContain("brotli");
});
