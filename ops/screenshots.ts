/** Takes the pictures of the README: the metrics page as it is now, and the table of the last drills. */
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import type { Browser } from "playwright-core";
import { findHost, viaLab } from "./cluster/hosts.ts";
import { inGroup } from "./cluster/inventory.ts";
import { siteOf, urlOf } from "./cluster/sites.ts";
import { openBrowser } from "./lib/browser.ts";
import { runCommand, UserError } from "./lib/cli.ts";
import { passThrough } from "./lib/exec.ts";
import { localPath, root } from "./lib/paths.ts";
import { drillPage } from "./screenshots/drillPage.ts";

const usage = {
  screenshots: `takes the README's pictures of the metrics page and of the last drills

It needs Chromium, a cluster with monitoring, and the table of an earlier npm run drill. It writes docs/images/metrics.png
and docs/images/drill.png.

Options:
  --range NAME   of the metrics page: 5m, 15m, 1h, 6h or 24h (default 15m)

Example: npm run screenshots -- --range 1h`,
};

const folder = join(root, "docs/images");
const report = localPath("reports", "drills.md");
const ranges = ["5m", "15m", "1h", "6h", "24h"];

await runCommand(async (args) => {
  const { values } = parseArgs({ args, options: { range: { type: "string", default: "15m" } } });
  if (!ranges.includes(values.range))
    throw new UserError(`--range ${values.range} is not possible`, `name one of ${ranges.join(", ")}`);
  if (!existsSync(report)) throw new UserError("no drill has written .halo/reports/drills.md", "npm run drill");
  const site = siteOf("metrics");
  if (!site) throw new UserError("no site has the role metrics", "add one to ansible/group_vars/all/sites.yml");
  const here = [process.execPath, ...process.argv.slice(1)];
  const inside = viaLab(here);
  if (inside.length > here.length) return passThrough(inside); // the browser must reach the balancer

  mkdirSync(folder, { recursive: true });
  const { address } = findHost(inGroup("balancers")[0]?.name);
  const browser = await openBrowser(site.domain, address);
  try {
    await takeMetrics(browser, `${urlOf(site)}/#${values.range}`);
    await takeDrills(browser);
  } finally {
    await browser.close();
  }
  console.log("docs/images/metrics.png\ndocs/images/drill.png");
  return 0;
}, usage);

async function takeMetrics(browser: Browser, url: string): Promise<void> {
  const page = await browser.newPage({
    viewport: { width: 1280, height: 800 },
    ignoreHTTPSErrors: true, // the local CA need not be trusted here
    httpCredentials: { username: "halo", password: readFileSync(localPath("secrets", "metrics"), "utf8").trim() },
  });
  await page.goto(url);
  await page.locator("canvas").nth(10).waitFor(); // of eleven metrics
  await page.waitForLoadState("networkidle"); // until its queries have their answers
  await page.screenshot({ path: join(folder, "metrics.png") }); // its first screen: the README stays short
  await page.close();
}

async function takeDrills(browser: Browser): Promise<void> {
  const page = await browser.newPage({ viewport: { width: 800, height: 600 } });
  await page.setContent(drillPage(readFileSync(report, "utf8")));
  await page.locator("body").screenshot({ path: join(folder, "drill.png") });
  await page.close();
}
