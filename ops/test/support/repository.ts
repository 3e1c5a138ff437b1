import { execFileSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";

/** A git repository of a test's own, in a folder that exists. */
export class Repository {
  readonly folder: string;
  readonly address: string;
  constructor(folder: string, files: Record<string, string> = {}) {
    this.folder = folder;
    this.address = pathToFileURL(folder).href;
    mkdirSync(folder, { recursive: true });
    this.git("init", "--quiet", "--initial-branch=main");
    this.put(files);
  }

  /** With the files of test/apps/NAME or examples/NAME, committed. */
  static of(name: string, folder: string, files: Record<string, string> = {}): Repository {
    const place = ["test/apps", "examples"]
      .map((each) => join(import.meta.dirname, "../../..", each, name))
      .find(existsSync);
    cpSync(place ?? name, folder, { recursive: true });
    const made = new Repository(folder, files);
    made.commit();
    return made;
  }

  put(files: Record<string, string>): void {
    for (const [path, content] of Object.entries(files)) {
      mkdirSync(dirname(join(this.folder, path)), { recursive: true });
      writeFileSync(join(this.folder, path), content);
    }
  }

  /** The output of git, without the settings of the person who runs the test. */
  git(...args: string[]): string {
    const own = ["-c", "user.name=T", "-c", "user.email=t@t.test", "-c", "protocol.file.allow=always"];
    const env = { ...process.env, GIT_CONFIG_GLOBAL: "/dev/null", GIT_CONFIG_NOSYSTEM: "1" };
    return execFileSync("git", ["-C", this.folder, ...own, ...args], {
      encoding: "utf8",
      env,
      stdio: ["ignore", "pipe", "pipe"],
    }).trim();
  }

  /** Commits everything; gives the commit. */
  commit(): string {
    this.git("add", "--all");
    this.git("commit", "--quiet", "--allow-empty", "--message=next");
    return this.git("rev-parse", "HEAD");
  }
}
