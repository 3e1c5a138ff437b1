import { counterApp } from "../../ops/cluster/sites.ts";

/** The app that the tests of hosts are about: the visit counter's. */
export const app = counterApp();

/** The start of a command of halo-release about it. */
export const haloRelease = `halo-release ${app.name}`;

/** Where the hosts have it. */
export const current = `${app.root}/current`;
export const releases = `${app.root}/releases`;
