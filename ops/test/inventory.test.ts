import { describe, expect, test } from "vitest";
import { parseInventory } from "../cluster/inventory.ts";

const inventory = (backends: string) => `
all:
  children:
    balancers:
      hosts:
        balancer: { private_ip: 192.168.56.10, memory: 1024, cpus: 1 }
    backends:
      hosts:
${backends}
    redis: { hosts: { balancer: } }
    monitoring: { hosts: { balancer: } }
`;
const backend = (name: string, rest: string) => `        ${name}: { ${rest} }`;

test("a host has its address, size and every group it is in", () => {
  const hosts = parseInventory(inventory(backend("backend1", "private_ip: 192.168.56.11, memory: 768, cpus: 2")));
  expect(hosts.map(({ vars: _, ...host }) => host)).toEqual([
    {
      name: "balancer",
      address: "192.168.56.10",
      memory: 1024,
      cpus: 1,
      groups: ["all", "balancers", "redis", "monitoring"],
    },
    { name: "backend1", address: "192.168.56.11", memory: 768, cpus: 2, groups: ["all", "backends"] },
  ]);
});

describe("a wrong inventory is refused with the host and the key", () => {
  test.each([
    ["private_ip: 192.168.56.10, memory: 768, cpus: 1", /balancer and backend1 have the same private_ip/],
    ["private_ip: 192.168.56.999, memory: 768, cpus: 1", /backend1: private_ip 192\.168\.56\.999 is no IPv4 address/],
    ["memory: 768, cpus: 1", /backend1 needs private_ip/],
    ["private_ip: 192.168.56.11, memory: much, cpus: 1", /backend1 needs memory, a whole number/],
    ["private_ip: 192.168.56.11, memory: 768, cpus: 0.5", /backend1 needs cpus, a whole number/],
    ["private_ip: 192.168.56.11, memory: 768, cpu: 1", /backend1 has the unknown key cpu/],
  ])("%s", (vars, message) => expect(() => parseInventory(inventory(backend("backend1", vars)))).toThrow(message));

  test.each([["all: ["], [""], ["hosts: {}"]])("%j", (text) =>
    expect(() => parseInventory(text)).toThrow(/cannot be read|group balancers/),
  );
  const one = inventory(backend("backend1", "private_ip: 192.168.56.11, memory: 768, cpus: 1"));
  test("no group monitoring", () =>
    expect(() => parseInventory(one.replace(/ +monitoring:.*\n/, ""))).toThrow(/group monitoring is missing/));
  test("two monitoring hosts", () =>
    expect(() => parseInventory(one.replace(/(monitoring: { hosts: {)/, "$1 backend1:,"))).toThrow(
      /group monitoring has more than one host.* balancer, backend1/,
    ));
  test("no monitoring host is right", () =>
    expect(parseInventory(one.replace(/monitoring:.*/, "monitoring: { hosts: {} }"))).toHaveLength(2));
  test("no backend", () => expect(() => parseInventory(inventory(""))).toThrow(/group backends has no host/));
});
