import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { expect, it } from "vitest";
import { readRelease } from "../../src/release.ts";

it("the release is dev in a checkout and the content of RELEASE on a host", () => {
  const dir = mkdtempSync(join(tmpdir(), "halo-release-"));
  const file = join(dir, "RELEASE");
  expect(readRelease(pathToFileURL(file))).toBe("dev");
  writeFileSync(file, "20261121T040000-abc1234\n");
  expect(readRelease(pathToFileURL(file))).toBe("20261121T040000-abc1234");
  rmSync(dir, { recursive: true });
});
