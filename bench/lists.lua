-- wrk asks for random ones of `paths`, which the command puts in front of this program, and prints the errors, three
-- percentiles in us, and the requests a second.
math.randomseed(1)
request = function() return wrk.format("GET", paths[math.random(#paths)]) end
done = function(summary, latency)
  local e = summary.errors
  io.write(string.format("%d %d %d %d %f\n", e.connect + e.read + e.write + e.status + e.timeout, latency:percentile(50),
    latency:percentile(95), latency:percentile(99), summary.requests / summary.duration * 1e6))
end
