import { describe, expect, test } from "vitest";
import { choose, type Machine } from "../cluster/provider.ts";

const bare: Machine = {
  linux: true,
  root: true,
  apt: true,
  kvm: false,
  labRunning: null,
  foreignLab: null,
  existing: null,
  inLab: false,
  usable: [],
};

describe("the provider that boots the hosts", () => {
  test.each([
    [
      "a laptop with VirtualBox and Docker",
      { root: false, usable: ["virtualbox", "docker"] },
      undefined,
      "virtualbox",
      false,
    ],
    ["the same, Docker asked for", { root: false, usable: ["virtualbox", "docker"] }, "docker", "docker", false],
    [
      "hosts that were made with Docker",
      { usable: ["virtualbox", "docker"], existing: "docker" },
      undefined,
      "docker",
      false,
    ],
    ["a bare machine", {}, undefined, "docker", true],
    ["a bare machine with KVM", { kvm: true }, undefined, "libvirt", true],
    ["a bare machine with KVM, containers asked for", { kvm: true }, "docker", "docker", true],
    ["a bare machine, VMs asked for", {}, "libvirt", "libvirt", true],
    [
      "a lab that a reboot has ended, beside a Docker that it has started",
      { existing: "docker", inLab: true, usable: ["docker"] },
      undefined,
      "docker",
      true,
    ],
    ["a running lab", { labRunning: "libvirt", usable: ["docker"] }, undefined, "libvirt", true],
  ] as const)("%s", (_, machine, wanted, provider, lab) => {
    expect(
      choose({ ...bare, ...machine, usable: [...("usable" in machine ? machine.usable : [])] }, wanted),
    ).toMatchObject({ provider, lab, why: expect.stringMatching(/\w/) });
  });

  test.each([
    ["nothing usable and no root", { root: false }, undefined, /no provider is usable/],
    ["nothing usable on a Mac", { linux: false }, undefined, /no provider is usable/],
    ["a lab beside that of another clone", { foreignLab: "/home/you/halo" }, undefined, /another clone .*you.halo/],
    ["VirtualBox asked for where there is none", {}, "virtualbox", /no virtualbox is usable/],
    ["a provider that does not exist", {}, "hyperv", /there is no provider hyperv/],
    [
      "hosts whose Docker does not answer",
      { existing: "docker", usable: ["virtualbox"] },
      undefined,
      /made with docker, which does not answer/,
    ],
    [
      "another provider than the hosts have",
      { existing: "docker", usable: ["virtualbox"] },
      "virtualbox",
      /made with docker, not virtualbox/,
    ],
  ] as const)("%s is refused", (_, machine, wanted, message) => {
    expect(() =>
      choose({ ...bare, ...machine, usable: [...("usable" in machine ? machine.usable : [])] }, wanted),
    ).toThrow(message);
  });
});
