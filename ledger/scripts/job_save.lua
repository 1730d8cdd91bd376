#!lua flags=allow-oom
-- Saves the progress of a leased job, and when its lease ends.
-- ARGV: job id, attempt, due_ms, forget deaths (0 or 1), then fields and values.
-- Returns 0 if the lease has passed to another worker, 2 if it was cancelled, else 1.
local key = keys.job .. ARGV[1]
local job = redis.call('HMGET', key, 'attempt', 'cancel_asked')
if job[1] ~= ARGV[2] or not redis.call('ZSCORE', keys.jobs, ARGV[1]) then return 0 end
if ARGV[4] == '1' then redis.call('HSET', key, 'deaths', 0) end
for i = 5, #ARGV, 2 do redis.call('HSET', key, ARGV[i], ARGV[i + 1]) end
redis.call('ZADD', keys.jobs, ARGV[3], ARGV[1])
return job[2] and 2 or 1
