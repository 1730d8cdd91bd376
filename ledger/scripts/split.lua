#!lua flags=allow-oom
-- Replaces a leased batch by smaller ones that are due at once. Their attempts start at one or
-- more, so that each checks for stored rows before it inserts.
-- ARGV: batch id, attempt, now_ms, attempts of the parts so far, then for each part: new batch id,
--   chunk ids joined by spaces.
-- Returns 1, or 0 if the lease has passed to another worker.
local key = keys.batch .. ARGV[1]
if redis.call('HGET', key, 'attempt') ~= ARGV[2] then return 0 end
local kept = redis.call('HMGET', key, 'signal', 'sealed', 'oldest')
for i = 5, #ARGV, 2 do
  redis.call('HSET', keys.batch .. ARGV[i], 'signal', kept[1], 'attempt', ARGV[4],
    'chunks', ARGV[i + 1], 'sealed', kept[2] or 0, 'oldest', kept[3] or 0)
  redis.call('ZADD', keys.batches, ARGV[3], ARGV[i])
end
redis.call('ZREM', keys.batches, ARGV[1])
redis.call('UNLINK', key)
return 1
