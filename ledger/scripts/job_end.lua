#!lua flags=allow-oom
-- Ends a leased job; it can still be read for `keep_ms`.
-- ARGV: job id, attempt, now_ms, keep_ms, state, then fields and values.
-- Returns 1, or 0 if the lease has passed to another worker.
local key = keys.job .. ARGV[1]
if redis.call('HGET', key, 'attempt') ~= ARGV[2] then return 0 end
if redis.call('ZREM', keys.jobs, ARGV[1]) == 0 then return 0 end
redis.call('HDEL', key, 'notes')
redis.call('HSET', key, 'state', ARGV[5], 'finished_ms', ARGV[3])
for i = 6, #ARGV, 2 do redis.call('HSET', key, ARGV[i], ARGV[i + 1]) end
redis.call('PEXPIRE', key, ARGV[4])
return 1
