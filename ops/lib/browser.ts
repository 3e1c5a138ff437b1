import { existsSync } from "node:fs";
import { type Browser, chromium } from "playwright-core";
import { UserError } from "./cli.ts";

const quiet = [
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/**
 * Starts this machine's Chromium, which sends nothing of its own.
 *
 * @param domain a name that it finds at `address`
 * @throws {UserError} without Chromium
 */
export function openBrowser(domain?: string, address?: string): Promise<Browser> {
  const executablePath = ["/usr/bin/chromium", "/usr/bin/google-chrome"].find(existsSync);
  if (!executablePath) throw new UserError("Chromium is not installed", "apt install chromium");
  const rules = domain ? [`--host-resolver-rules=MAP ${domain} ${address}`] : [];
  return chromium.launch({ executablePath, args: ["--no-sandbox", ...rules, ...quiet] });
}
