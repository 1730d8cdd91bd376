#!lua flags=allow-oom
-- Deletes one dead letter for good; its requests are news again when they come once more.
-- ARGV: chunk id, for how long that is remembered in s.
-- Answers 1, or 0 if there is no such dead letter.
if redis.call('ZREM', 'sheaf:dead', ARGV[1]) == 0 then return 0 end
local key, now = 'sheaf:chunk:' .. ARGV[1], redis.call('TIME')
local chunk = redis.call('HMGET', key, 'records', 'size')
if redis.call('HEXISTS', 'sheaf:waiting', 'dead_bytes') == 1 then
  redis.call('HINCRBY', 'sheaf:waiting', 'dead_bytes', -(chunk[2] or 0))
end
local now_ms = string.format('%d', now[1] * 1000 + math.floor(now[2] / 1000))
redis.call('SET', 'sheaf:dropped:' .. ARGV[1], (chunk[1] or '0') .. ' ' .. now_ms, 'EX', ARGV[2])
redis.call('UNLINK', key)
redis.call('HINCRBY', 'sheaf:totals', 'dropped_chunks', 1)
return 1
