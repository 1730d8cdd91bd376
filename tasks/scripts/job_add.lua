-- Takes a job in; it is due at once. One that belongs to no workspace is in nobody's list.
-- ARGV: job id, workspace id, created_ms, order.
redis.call('HSET', 'sheaf:job:' .. ARGV[1], 'order', ARGV[4], 'state', 'queued', 'attempt', 0,
  'deaths', 0, 'done', 0)
redis.call('ZADD', 'sheaf:jobs', ARGV[3], ARGV[1])
if ARGV[2] ~= '' then redis.call('ZADD', 'sheaf:jobs:' .. ARGV[2], ARGV[3], ARGV[1]) end
return 1
