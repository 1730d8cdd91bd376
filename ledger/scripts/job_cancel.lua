#!lua flags=allow-oom
-- Cancels a job: one that has not started ends here, a running one after its current step.
-- ARGV: job id, now_ms, keep_ms. Returns 0 if it has finished or does not exist, else 1.
local key = keys.job .. ARGV[1]
if not redis.call('ZSCORE', keys.jobs, ARGV[1]) then return 0 end
redis.call('HSET', key, 'cancel_asked', 1)
if redis.call('HGET', key, 'state') == 'queued' then
  redis.call('ZREM', keys.jobs, ARGV[1])
  redis.call('HSET', key, 'state', 'cancelled', 'finished_ms', ARGV[2])
  redis.call('PEXPIRE', key, ARGV[3])
end
return 1
