import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { globSync } from "node:fs";
import { appendFile, chown, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import pg from "pg";
import { located } from "../lib/programs.ts";
import { freePort } from "./port.ts";
import { until } from "./until.ts";

const MIGRATIONS = fileURLToPath(new URL("../../app/migrations/", import.meta.url));
const PASSWORD = "integration-secret";
/** PostgreSQL refuses to run as root. */
const NOBODY = process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : {};

/** The hosts' own: database.sql makes database, roles and rights, migrate.sql applies a migration. */
const SCRIPTS = fileURLToPath(new URL("../../ansible/roles/postgres/files/", import.meta.url));

/** A PostgreSQL of the caller's own, with the roles, the schema and the migrations of the hosts. */
export class PostgresServer {
  readonly port: number;
  readonly #dir: string;
  readonly #durable: boolean;
  #process: ChildProcess | undefined;
  /** The newest million characters of its log; a test may empty it. */
  log = "";

  private constructor(port: number, dir: string, durable: boolean) {
    this.port = port;
    this.#dir = dir;
    this.#durable = durable;
  }

  /**
   * Makes the database and starts its server.
   *
   * @param durable whether a commit waits for the disk, as on the hosts; a killed server keeps its commits without it
   * @param from the data folder of a stopped server, to begin as a copy of it: a tenth of the time of a new one
   */
  static async create({ durable = false, from }: { durable?: boolean; from?: string } = {}): Promise<PostgresServer> {
    const dir = await mkdtemp(join(tmpdir(), "halo-postgres-"));
    if (NOBODY.uid) await chown(dir, NOBODY.uid, NOBODY.gid);
    const server = new PostgresServer(await freePort(), dir, durable);
    try {
      if (from) execFileSync("cp", ["-Rp", from, server.data]);
      else await server.#make();
      // The one that made it waits for no disk.
      if (!from && durable) await server.signal("SIGINT");
      await server.start();
    } catch (error) {
      await server.destroy();
      throw error;
    }
    return server;
  }

  /** Makes its data with roles, schema and migrations, and leaves the server running. */
  async #make(): Promise<void> {
    const options = "--username=tester --auth=trust --encoding=UTF8 --locale=C.UTF-8 --no-sync --no-instructions";
    execFileSync(join(located("postgres"), "initdb"), [...options.split(" "), "--pgdata", this.data], {
      ...NOBODY,
      cwd: "/",
      stdio: ["ignore", "ignore", "pipe"],
    });
    await writeFile(
      join(this.data, "pg_hba.conf"),
      "host all tester 127.0.0.1/32 trust\nhost all all 127.0.0.1/32 scram-sha-256\n",
    );
    await appendFile(
      join(this.data, "postgresql.conf"),
      "listen_addresses = '127.0.0.1'\nunix_socket_directories = ''\nlogging_collector = off\n",
    );
    await this.start({ fsync: "off" });
    this.#psql("postgres", "database.sql", { database: "halo", statement_timeout: 5000, idle_timeout: 5000 });
    await this.ask((client) => client.query(`ALTER ROLE halo PASSWORD '${PASSWORD}'`));
    await this.migrate();
  }

  /** The folder of its data. */
  get data(): string {
    return join(this.#dir, "data");
  }

  /**
   * Starts it where it is not running.
   *
   * @param more settings besides the test's own
   */
  async start(more: Record<string, string | number> = {}): Promise<void> {
    if (this.#running) return;
    const fast = this.#durable ? {} : { fsync: "off", full_page_writes: "off" };
    const settings = { port: this.port, max_connections: 100, ...fast, ...more };
    const args = ["-D", this.data, ...Object.entries(settings).flatMap(([k, v]) => ["-c", `${k}=${v}`])];
    const launch = () => {
      this.#process = spawn(join(located("postgres"), "postgres"), args, {
        ...NOBODY,
        stdio: ["ignore", "ignore", "pipe"],
      });
      this.#process.stderr?.on("data", (chunk) => {
        this.log = (this.log + chunk).slice(-1_000_000);
      });
    };
    launch();
    try {
      await until(
        "PostgreSQL to answer",
        () => {
          // A killed server's last processes hold its shared memory for a moment, and the next one gives up at once.
          if (!this.#running) launch();
          return this.ask((client) => client.query("SELECT"), "postgres");
        },
        30_000,
      );
    } catch (error) {
      throw new Error(`PostgreSQL did not start:\n${this.log.slice(-4000)}`, { cause: error });
    }
  }

  get #running(): boolean {
    return this.#process !== undefined && this.#process.exitCode === null && this.#process.signalCode === null;
  }

  /** Sends a signal to the server and all its processes (SIGINT: to the server, which stops in order); resolves when an ending one has ended it. */
  async signal(name: "SIGKILL" | "SIGINT" | "SIGSTOP" | "SIGCONT"): Promise<void> {
    const server = this.#process;
    if (!server || !this.#running) return;
    const gone = once(server, "exit");
    const pids = [server.pid as number];
    if (name !== "SIGINT") {
      // A stopped server makes no process that the list would lack.
      server.kill("SIGSTOP");
      pids.push(...children(server.pid as number));
    }
    for (const pid of pids) {
      try {
        process.kill(pid, name);
      } catch {} // gone meanwhile
    }
    if (name === "SIGKILL" || name === "SIGINT") await gone;
  }

  async destroy(): Promise<void> {
    await this.signal("SIGKILL");
    await rm(this.#dir, { recursive: true, force: true, maxRetries: 5 });
  }

  /** The settings of a service that uses it. */
  get env(): Record<string, string> {
    return {
      PGHOST: "127.0.0.1",
      PGPORT: String(this.port),
      PGDATABASE: "halo",
      PGUSER: "halo",
      PGPASSWORD: PASSWORD,
    };
  }

  /** Runs one question as the superuser, with the schema in its path. */
  async ask<T>(question: (client: pg.Client) => Promise<T>, database = "halo"): Promise<T> {
    const client = new pg.Client({
      host: "127.0.0.1",
      port: this.port,
      user: "tester",
      database,
      options: "-c search_path=workshop,public",
    });
    client.on("error", () => {});
    try {
      await client.connect();
      return await question(client);
    } finally {
      await client.end().catch(() => {});
    }
  }

  /** The rows of one query, asked as the superuser. */
  async rows<T extends pg.QueryResultRow = Record<string, string>>(sql: string, values: unknown[] = []): Promise<T[]> {
    return (await this.ask((client) => client.query<T>(sql, values))).rows;
  }

  /** Runs one of the hosts' SQL files as the superuser. @throws {Error} with psql's message */
  #psql(database: string, file: string, variables: Record<string, string | number>, input = ""): void {
    const set = Object.entries(variables).flatMap(([name, value]) => ["-v", `${name}=${value}`]);
    const login = ["-h", "127.0.0.1", "-p", String(this.port), "-U", "tester", "-d", database];
    const argv = ["--no-psqlrc", "--quiet", ...login, ...set, "--file", join(SCRIPTS, file)];
    execFileSync(join(located("postgres"), "psql"), argv, { input, stdio: ["pipe", "ignore", "pipe"] });
  }

  /** Applies the migrations that are not there yet, as halo-migrate does on the hosts. */
  async migrate(folder = MIGRATIONS): Promise<void> {
    const applied = new Map<string, string>();
    if ((await this.rows("SELECT to_regclass('workshop.migrations') AS name"))[0]?.name)
      for (const row of await this.rows("SELECT name, sha256 FROM migrations"))
        applied.set(`${row.name}`, `${row.sha256}`);
    for (const file of globSync(join(folder, "*.sql")).sort()) {
      const name = basename(file);
      const text = await readFile(file, "utf8");
      const sha256 = createHash("sha256").update(text).digest("hex");
      if ((applied.get(name) ?? sha256) !== sha256)
        throw new Error(`migration ${name} was changed after it was applied`);
      if (!applied.has(name)) this.apply(name, text);
    }
  }

  /** Applies one migration. @throws {Error} with psql's message */
  apply(name: string, text: string): void {
    const sha256 = createHash("sha256").update(text).digest("hex");
    this.#psql("halo", "migrate.sql", { owner: "halo_owner", schema: "workshop", name, sha256, release: "test" }, text);
  }

  /** Empties every table and starts their numbers at 1 again. */
  async empty(): Promise<void> {
    const tables = await this.rows(
      "SELECT quote_ident(tablename) AS name FROM pg_tables WHERE schemaname = 'workshop' AND tablename <> 'migrations'",
    );
    const names = tables.map(({ name }) => name).join(", ");
    if (names) await this.ask((client) => client.query(`TRUNCATE ${names} RESTART IDENTITY CASCADE`));
  }
}

/** They are no process group: each is a session of its own. */
function children(pid: number): number[] {
  try {
    return execFileSync("pgrep", ["-P", String(pid)], { encoding: "utf8" })
      .trim()
      .split("\n")
      .map(Number);
  } catch {
    return [];
  }
}
