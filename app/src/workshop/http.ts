import type { IncomingMessage } from "node:http";
import type { Versions } from "./rows.ts";
import { HttpProblem } from "./validation.ts";

const MAX_BODY_BYTES = 65_536;

/** Reads a JSON body of 64 KiB at most. @throws {HttpProblem} 400, 413 or 415 */
export async function readJson(req: IncomingMessage): Promise<unknown> {
  const [type = "", ...parameters] = (req.headers["content-type"] ?? "").toLowerCase().split(/\s*;\s*/);
  const charset = parameters.find((parameter) => parameter.startsWith("charset="))?.replace(/^charset="?|"$/g, "");
  if (type.trim() !== "application/json" || (charset !== undefined && charset !== "utf-8"))
    throw new HttpProblem(415, "The body must be application/json in UTF-8.");
  if ((req.headers["content-encoding"] ?? "identity") !== "identity")
    throw new HttpProblem(415, "The body must not be compressed.", { headers: { "Accept-Encoding": "identity" } });
  const tooLarge = new HttpProblem(413, "The body must not be larger than 64 KiB.");
  if (Number(req.headers["content-length"]) > MAX_BODY_BYTES) throw tooLarge;

  const chunks: Buffer[] = [];
  let size = 0;
  // Not `for await`: an early exit would destroy the connection before the problem is sent.
  await new Promise<void>((resolve, reject) => {
    // A request without a body has no events (server.ts).
    if (req.readableEnded) return resolve();
    req.on("data", (chunk: Buffer) => {
      size += chunk.length;
      if (size <= MAX_BODY_BYTES) chunks.push(chunk);
      else reject(tooLarge);
    });
    req.on("end", resolve);
    req.on("error", () => reject(new HttpProblem(400, "The body ended early.")));
  });
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(Buffer.concat(chunks)));
  } catch {
    throw new HttpProblem(400, "The body is not valid JSON in UTF-8.");
  }
}

/**
 * The versions in a change's If-Match, null for `*`. Weak tags are accepted: nginx makes a tag weak when it compresses a
 * response, and the version identifies all fields that can be changed.
 *
 * @throws {HttpProblem} 428 without the header
 */
export function ifMatch(req: IncomingMessage): Versions {
  const header = req.headers["if-match"];
  if (header === undefined) throw new HttpProblem(428, "If-Match is missing: send the ETag of the version to change.");
  return header.trim() === "*" ? null : versions(header);
}

/** Whether the If-None-Match of a request names this version. */
export function ifNoneMatch(req: IncomingMessage, version: unknown): boolean {
  const header = req.headers["if-none-match"]?.trim();
  return header !== undefined && (header === "*" || versions(header).includes(Number(version)));
}

const versions = (header: string) => [...header.matchAll(/"(\d{1,9})"/g)].map(([, version]) => Number(version));
