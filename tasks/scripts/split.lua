#!lua flags=allow-oom
-- Replaces a leased batch by smaller ones that are due at once. They go on counting attempts from
-- one at least, so that each looks for its rows first.
-- ARGV: batch id, attempt, now_ms, attempts of the parts so far, then for each part: new batch id,
--   chunk ids joined by spaces.
-- Answers 1, or 0 if the lease has passed to somebody else.
local key = 'sheaf:batch:' .. ARGV[1]
if redis.call('HGET', key, 'attempt') ~= ARGV[2] then return 0 end
local signal = redis.call('HGET', key, 'signal')
for i = 5, #ARGV, 2 do
  redis.call('HSET', 'sheaf:batch:' .. ARGV[i], 'signal', signal, 'attempt', ARGV[4],
    'chunks', ARGV[i + 1])
  redis.call('ZADD', 'sheaf:batches', ARGV[3], ARGV[i])
end
redis.call('ZREM', 'sheaf:batches', ARGV[1])
redis.call('UNLINK', key)
return 1
