import { createHash } from "node:crypto";

/** The key that holds the number of visits. */
export const TOTAL_KEY = "total_visits";

/**
 * Seconds for which one hash collects which number each request got. A number is remembered for this long at least and
 * for twice this long at most; that must outlive every retry of one request, and the balancer gives up after 7 s.
 */
export const SPAN_S = 15;

/**
 * Counts visits: KEYS[1] is the counter, ARGV[1] the span, each further argument names one request. A request that is
 * known already gets the number it got before, so sending a request (or this whole script) again counts nothing
 * twice. A hash for each span, `v:<span>`, goes as a whole; a key for each request would expire by itself, and the
 * append-only file would hear of every one of them.
 */
export const COUNT_SCRIPT = `local span = tonumber(ARGV[1])
local now = math.floor(redis.call('TIME')[1] / span)
local ids = {unpack(ARGV, 2)}
local known = redis.call('HMGET', 'v:' .. now, unpack(ids))
local earlier = redis.call('HMGET', 'v:' .. (now - 1), unpack(ids))
local total = tonumber(redis.call('GET', KEYS[1]) or 0)
local numbers, fresh, twin = {}, {}, {}
for i, id in ipairs(ids) do
  local number = known[i] or earlier[i] or twin[id]
  if not number then
    total = total + 1
    number = total
    twin[id] = number
    fresh[#fresh + 1] = id
    fresh[#fresh + 1] = number
  end
  numbers[i] = tonumber(number)
end
if #fresh > 0 then
  redis.call('HSET', 'v:' .. now, unpack(fresh))
  redis.call('EXPIRE', 'v:' .. now, 2 * span, 'NX')
  redis.call('SET', KEYS[1], total)
end
return numbers`;

export const COUNT_SHA = createHash("sha1").update(COUNT_SCRIPT).digest("hex");
