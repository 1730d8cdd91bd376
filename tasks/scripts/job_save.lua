#!lua flags=allow-oom
-- Notes how far a leased job is, and until when it belongs to its worker.
-- ARGV: job id, attempt, due_ms, forget deaths (0 or 1), then fields and values.
-- Answers 0 if the lease has passed to somebody else, 2 if its end was asked for, else 1.
local key = 'sheaf:job:' .. ARGV[1]
local job = redis.call('HMGET', key, 'attempt', 'cancel_asked')
if job[1] ~= ARGV[2] or not redis.call('ZSCORE', 'sheaf:jobs', ARGV[1]) then return 0 end
if ARGV[4] == '1' then redis.call('HSET', key, 'deaths', 0) end
for i = 5, #ARGV, 2 do redis.call('HSET', key, ARGV[i], ARGV[i + 1]) end
redis.call('ZADD', 'sheaf:jobs', ARGV[3], ARGV[1])
return job[2] and 2 or 1
