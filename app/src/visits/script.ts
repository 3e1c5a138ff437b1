import { createHash } from "node:crypto";

/** The key that holds the number of visits. */
export const TOTAL_KEY = "total_visits";

/**
 * How long, in seconds, Redis remembers which number a request got. It must outlive every retry of one request; the
 * balancer gives up after 8 s.
 */
export const REMEMBER_S = 30;

/**
 * Counts visits: KEYS[1] is the counter, each further key names one request. A request that is known already gets the
 * number it got before, so sending a request (or this whole script) again counts nothing twice. One `SET NX GET`
 * (Redis 7.0) for each visit: about half of the CPU of GET, INCR and SET.
 */
export const COUNT_SCRIPT = `local total = tonumber(redis.call('GET', KEYS[1]) or 0)
local before = total
local numbers = {}
for i = 2, #KEYS do
  local known = redis.call('SET', KEYS[i], total + 1, 'EX', ARGV[1], 'NX', 'GET')
  if not known then
    total = total + 1
  end
  numbers[i - 1] = tonumber(known or total)
end
if total > before then
  redis.call('SET', KEYS[1], total)
end
return numbers`;

export const COUNT_SHA = createHash("sha1").update(COUNT_SCRIPT).digest("hex");
