#!lua flags=allow-oom
-- Deletes one dead letter for good; its requests may be sent again.
-- ARGV: chunk id, seconds for which the drop is remembered.
-- Returns 1, or 0 if there is no such dead letter.
if not redis.call('ZSCORE', keys.dead, ARGV[1]) then return 0 end
outdate(ARGV[1])
redis.call('ZREM', keys.dead, ARGV[1])
local key, now = keys.chunk .. ARGV[1], redis.call('TIME')
local chunk = redis.call('HMGET', key, 'records', 'size')
if redis.call('HEXISTS', keys.waiting, 'dead_bytes') == 1 then
  redis.call('HINCRBY', keys.waiting, 'dead_bytes', -(chunk[2] or 0))
end
local now_ms = string.format('%d', now[1] * 1000 + math.floor(now[2] / 1000))
redis.call('SET', keys.dropped .. ARGV[1], (chunk[1] or '0') .. ' ' .. now_ms, 'EX', ARGV[2])
redis.call('UNLINK', key)
redis.call('HINCRBY', keys.totals, 'dropped_chunks', 1)
return 1
