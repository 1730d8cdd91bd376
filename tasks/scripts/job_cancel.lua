#!lua flags=allow-oom
-- Asks for a job's end: one that no worker has begun ends here, another after its current step.
-- ARGV: job id, now_ms, keep_ms. Answers 0 if it is finished already, or gone, else 1.
local key = 'sheaf:job:' .. ARGV[1]
if not redis.call('ZSCORE', 'sheaf:jobs', ARGV[1]) then return 0 end
redis.call('HSET', key, 'cancel_asked', 1)
if redis.call('HGET', key, 'state') == 'queued' then
  redis.call('ZREM', 'sheaf:jobs', ARGV[1])
  redis.call('HSET', key, 'state', 'cancelled', 'finished_ms', ARGV[2])
  redis.call('PEXPIRE', key, ARGV[3])
end
return 1
