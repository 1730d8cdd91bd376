-- Adds a job, due at once. A job without a workspace is in no workspace's list.
-- ARGV: job id, workspace id, created_ms, order.
redis.call('HSET', keys.job .. ARGV[1], 'order', ARGV[4], 'state', 'queued', 'attempt', 0,
  'deaths', 0, 'done', 0)
redis.call('ZADD', keys.jobs, ARGV[3], ARGV[1])
if ARGV[2] ~= '' then redis.call('ZADD', keys.workspace_jobs .. ARGV[2], ARGV[3], ARGV[1]) end
return 1
