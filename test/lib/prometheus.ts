import { readFileSync } from "node:fs";
import { siteFor, siteOf, urlOf } from "../../ops/cluster/sites.ts";
import { localPath } from "../../ops/lib/paths.ts";
import { request } from "./http.ts";

const site = siteOf("metrics");
/** The name of the site with the metrics, its address, and its login: user and password. */
export const metricsSite = site?.domain ?? "";
export const metricsUrl = site ? urlOf(site) : "";
export const metricsLogin = () => ({
  username: "halo",
  password: readFileSync(localPath("secrets", "metrics"), "utf8").trim(),
});

/** Visits the site, reads the workshop and writes to it, 12 requests a second, until the returned function is called. */
export function traffic(): () => Promise<void> {
  const workshop = siteFor("/api/").domain;
  const made: number[] = [];
  const ask = async (method: string, path: string, body?: string) => {
    const headers = {
      Host: workshop,
      "Content-Type": "application/json",
      ...(method === "DELETE" && { "If-Match": "*" }),
    };
    const answer = await request(`/api/customers${path}`, { method, headers }, body);
    if (method === "POST" && answer.status === 201) made.push(JSON.parse(answer.body).id);
  };
  const waiting = new Set<Promise<unknown>>();
  let turn = 0;
  const timer = setInterval(() => {
    const next =
      turn++ % 12 === 0
        ? ask("POST", "", JSON.stringify({ name: "Uji Angka", phone: "0812-000-000" }))
        : turn % 2 === 0
          ? ask("GET", "")
          : request("/");
    const done = next.catch(() => {}).finally(() => waiting.delete(done));
    waiting.add(done);
  }, 1000 / 12);
  return async () => {
    clearInterval(timer);
    await Promise.all(waiting);
    for (const id of made) await ask("DELETE", `/${id}`);
  };
}
