import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { firewallServices } from "../../ops/cluster/services.ts";
import { domains } from "../../ops/cluster/sites.ts";
import { root } from "../../ops/lib/paths.ts";
import { sourceFiles } from "../../ops/lib/source.ts";

// A port or a name of the cluster is written once, in a role's meta/service.yml or in ansible/group_vars/all/sites.yml. Everything
// else reads it by ops/cluster/services.ts and ops/cluster/sites.ts, so that a cluster with other ports and names works, and its tests pass.

/** The places that may have such a text, with the reason. */
const accepted: { file: RegExp; line?: RegExp; reason: string }[] = [
  { file: /^test\/audit\/accepted\.yml$/, line: /SSH-7408: /, reason: "a sentence about SSH's known port" },
  {
    file: /^app\/src\/config\.ts$/,
    line: /_?PORT: /,
    reason: "defaults without hosts; a host's settings file has every port",
  },
  { file: /^app\/test\/unit\/config\.test\.ts$/, line: /PORT: /, reason: "it tests these defaults" },
  { file: /^test\/system\/belajar\.test\.ts$/, line: /^\s+\["/, reason: "texts of docs/belajar.md, to be replaced" },
  { file: /^lab\/docker\/Dockerfile$/, line: /^EXPOSE 22$/, reason: "sshd's own port in the image" },
  { file: /^vagrant\/containers\.rb$/, line: /guest: 22,/, reason: "sshd's own port in the image" },
  {
    file: /^(ops\/drills\/certificate\.ts|test\/system\/(acme\.test\.ts|programs\/pebble\.sh))$/,
    line: /\bports?(:| =)? \[?80\b|"httpPort": 80/,
    reason: "an ACME server asks at HTTP's own port",
  },
  { file: /^ops\/drills\/backends\.ts$/, line: /ansible_port \?\? 22/, reason: "Ansible's own default" },
  {
    file: /^(ops\/test\/(ansibleFilters|appFilters|apps|sites)\.test\.ts|test\/lint\/literals\.test\.ts)$/,
    reason: "data of its own",
  },
];

const escaped = (text: string) => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
const ports = [...new Set(Object.values(firewallServices()).flatMap((service) => service.ports))];
// These are also usual counts, sizes and times: they count only where they stand as a port.
const usual = ports.filter((port) => port < 1024 || port % 1000 === 0);
const rare = ports.filter((port) => !usual.includes(port));
const patterns = [
  new RegExp(`(?<![\\d.])(${rare.join("|")})(?!\\d)`),
  new RegExp(
    `(?:ports?["']?(?:\\s*(?:[:=]+|\\?\\?)\\s*|\\s+)[:[]?["']?|[\\w\\]}]:|connect\\(|EXPOSE |guest: |http\\.server )(?:${usual.join("|")})(?!\\w)`,
    "i",
  ),
  new RegExp(`(?<![\\w-])(?:${domains().map(escaped).join("|")})(?![\\w-])`),
  /startsWith\("(metrics|workshop|halo)\./,
];
const isLiteral = (line: string) => patterns.some((pattern) => pattern.test(line));

// With the committed data, each of these was a literal in the tree once.
const [rarePort] = rare;
const [usualPort] = usual;
test.each([
  [`grafana.href = \`http://\${location.hostname}:${rarePort}/\`;`, true],
  [`expect(await reach("balancer", first, ${rarePort})).toBe(true);`, true],
  [`const socket = connect(${usualPort}, address);`, true],
  [`headers: Record<string, string> = {}, port = ${usualPort}, method = "GET"`, true],
  [`"192.168.56.11:${usualPort}"`, true],
  [`python3 -m http.server ${usualPort}`, true],
  [`curl -H "Host: ${domains()[0]}"`, true],
  ['name.startsWith("workshop.")', true],
  [`await until("a row is written again", ${usualPort}, ask);`, false],
  [`{ requests: ${usualPort} }`, false],
  ["SELECT count(*) FROM workshop.customers", false],
  [`${rarePort}0 bytes`, false],
])("%s: %o", (line, literal) => {
  expect(isLiteral(line)).toBe(literal);
});

test("no program and no test has a port or a name of the cluster of its own", () => {
  const files = sourceFiles(root, root).filter((file) =>
    /^((app|bench|lab|ops|test|vagrant)\/|(ecosystem\.config\.cjs|Vagrantfile)$)/.test(file),
  );
  const used = new Set<(typeof accepted)[number]>();
  const found = files
    .filter((file) => !/\.(ico|png|svg)$/.test(file))
    .flatMap((file) =>
      readFileSync(join(root, file), "utf8")
        .split("\n")
        .flatMap((line, i) => {
          if (!isLiteral(line)) return [];
          const reasons = accepted.filter((each) => each.file.test(file) && (each.line?.test(line) ?? true));
          for (const each of reasons) used.add(each);
          return reasons.length > 0 ? [] : [`${file}:${i + 1}: ${line.trim()}`];
        }),
    );
  expect(found).toEqual([]);
  expect(accepted.filter((each) => !used.has(each))).toEqual([]);
});

test("no host's program asks Redis at its default port", () => {
  // append-only.sh is for a Redis that was here before Halo; the Redis before Halo of a test is one.
  const before = ["ansible/roles/redis/files/append-only.sh", "test/system/programs/redis-before-halo.sh"];
  const found = sourceFiles(root, root)
    .filter((file) => /\.(sh|j2|ts)$/.test(file) && !before.includes(file) && file !== "test/lint/literals.test.ts")
    .flatMap((file) => readFileSync(join(root, file), "utf8").match(/(?<![\w/.-])redis-cli (?!.*-[ps] ).*/g) ?? [])
    .filter((line) => !line.startsWith("redis-cli as the maintenance user"));
  expect(found).toEqual([]);
});
