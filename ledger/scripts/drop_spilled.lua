#!lua flags=allow-oom
-- Deletes a dead letter that is in ClickHouse for good; its requests may be sent again.
-- ARGV: chunk id, when it became a dead letter in ms, records, seconds for which the drop is
--   remembered. Returns 1, or 0 if it was replayed or dropped before.
local id, copy, now = ARGV[1], ARGV[1] .. ' ' .. ARGV[2], redis.call('TIME')
if redis.call('SISMEMBER', keys.outdated, copy) == 1 or redis.call('EXISTS', keys.chunk .. id) == 1
  or redis.call('EXISTS', keys.stored .. id, keys.dropped .. id) > 0 then return 0 end
local now_ms = string.format('%d', now[1] * 1000 + math.floor(now[2] / 1000))
redis.call('SET', keys.dropped .. id, ARGV[3] .. ' ' .. now_ms, 'EX', ARGV[4])
redis.call('SADD', keys.outdated, copy)
redis.call('DEL', keys.spilled .. id)
redis.call('HINCRBY', keys.waiting, 'spilled', -1)
redis.call('HINCRBY', keys.totals, 'dropped_chunks', 1)
return 1
