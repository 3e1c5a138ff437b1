import { cp, mkdtemp, rename, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { root } from "../../../ops/lib/paths.ts";

/** The releases of one of the apps in test/apps, in a folder as on a backend: releases/ID, and the link `current`. */
export class Releases {
  readonly folder: string;
  readonly current: string;

  private constructor(folder: string) {
    this.folder = folder;
    this.current = join(folder, "current");
  }

  /** Makes them; the first one serves. */
  static async make(app: string, ids: string[]): Promise<Releases> {
    const releases = new Releases(await mkdtemp(join(tmpdir(), `halo-${app}-`)));
    for (const id of ids) {
      await cp(join(root, "test/apps", app), releases.of(id), { recursive: true });
      await writeFile(join(releases.of(id), "RELEASE"), `${id}\n`);
      await symlink(join(root, "node_modules"), join(releases.of(id), "node_modules"));
    }
    await releases.serve(ids[0] ?? "");
    return releases;
  }

  /** The folder of one. */
  of(id: string): string {
    return join(this.folder, "releases", id);
  }

  /** Makes `current` lead to one, as halo-release does. */
  async serve(id: string): Promise<void> {
    await symlink(join("releases", id), `${this.current}.new`);
    await rename(`${this.current}.new`, this.current);
  }

  remove(): Promise<void> {
    return rm(this.folder, { recursive: true, force: true });
  }
}
