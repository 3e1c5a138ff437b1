import type { ServerResponse } from "node:http";
import type { Request } from "express";
import pino, { type Logger } from "pino";

const SLOW_MS = 1000;
const MAX_PATH = 256;

/**
 * The service's log: JSON lines on file descriptor 1, at most 100 ms late, flushed at exit. Not `process.stdout`, because
 * PM2 replaces its `write` and would send each line through its daemon as well.
 */
export function createLog(level: string): Logger {
  const destination = pino.destination({ fd: 1, sync: false, minLength: 4096, periodicFlush: 100 });
  return pino({ level, base: { pid: process.pid }, timestamp: pino.stdTimeFunctions.isoTime }, destination);
}

/**
 * Creates the function that logs a request when its response has ended or its client has left, with the milliseconds from its start.
 *
 * @param perSecond the limit of successful fast requests to log in a second; the next line has the number of skipped ones.
 *   Errors (5xx) and requests slower than 1 s are always logged
 */
export function createRequestLog(log: Logger, perSecond: number): (res: ServerResponse, ms: number) => void {
  let second = 0;
  let logged = 0;
  let skipped = 0;

  return function logRequest(res, ms) {
    if (!res.context.logged) return;
    const status = res.statusCode;
    if (status < 500 && ms < SLOW_MS) {
      const current = Math.floor((res.context.startedAt + ms) / 1000);
      if (current !== second) {
        second = current;
        logged = 0;
      }
      if (logged >= perSecond) {
        skipped += 1;
        return;
      }
      logged += 1;
    }
    const req = res.req as Request;
    const path = (req.originalUrl ?? req.url).split("?", 1)[0]?.slice(0, MAX_PATH);
    log.info({
      id: res.context.id,
      method: req.method,
      path,
      status,
      ms: Math.round(ms * 100) / 100,
      client: req.ip,
      ...(res.writableFinished ? {} : { aborted: true }),
      ...(skipped > 0 ? { skipped } : {}),
    });
    skipped = 0;
  };
}
