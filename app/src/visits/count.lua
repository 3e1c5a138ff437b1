-- A Redis function that counts visits: KEYS[1] is the counter, each argument names one request. It returns their numbers.
-- A request that is known already gets the number it got before, so sending a request (or this whole call) again counts
-- nothing twice. The administrator loads it (halo-redis-cli load-functions) under a name that changes with this file; that
-- name is the variable `name`. Without arguments it only proves that it may count: Redis refuses it where writes are refused.

-- The ids of 2 s share one hash, `v:<slot>`, which goes as a whole: a key for each id would expire by itself, and the
-- append-only file would hear of every one of them. Small hashes are loaded faster than large ones.
local slot_seconds = 2

-- A number is remembered for 10 s at least and for 12 s at most. That outlives every retry of one request: the balancer gives
-- up after 7 s, and a worker that stood still for 8 s answers nothing (app/src/lifecycle/lifecycle.ts).
local earlier_slots = 5

local function count(keys, ids)
  local total = tonumber(redis.call('GET', keys[1]) or 0)
  if #ids == 0 then return {} end
  local now = math.floor(redis.call('TIME')[1] / slot_seconds)
  local numbers, fresh, seen = {}, {}, {}
  for slot = now - earlier_slots, now do
    local known = redis.call('HMGET', 'v:' .. slot, unpack(ids))
    for i = 1, #ids do numbers[i] = numbers[i] or known[i] end
  end
  for i, id in ipairs(ids) do
    local number = numbers[i] or seen[id]
    if not number then
      total = total + 1
      number = total
      seen[id] = number
      fresh[#fresh + 1] = id
      fresh[#fresh + 1] = number
    end
    numbers[i] = tonumber(number)
  end
  if #fresh > 0 then
    redis.call('HSET', 'v:' .. now, unpack(fresh))
    redis.call('EXPIRE', 'v:' .. now, (earlier_slots + 1) * slot_seconds, 'NX')
    redis.call('SET', keys[1], total)
  end
  return numbers
end

redis.register_function(name, count)
