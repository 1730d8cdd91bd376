#!lua flags=allow-oom
-- Leases the job that has been due for the longest to one worker.
-- ARGV: now_ms, lease_ms.
-- Answers nil or {job id, attempt, leases that ended without a word since it last went on}.
local now = tonumber(ARGV[1])
local due = redis.call('ZRANGEBYSCORE', 'sheaf:jobs', '-inf', now, 'LIMIT', 0, 1)
if not due[1] then return false end
local key = 'sheaf:job:' .. due[1]
local attempt = redis.call('HINCRBY', key, 'attempt', 1)
local deaths = redis.call('HINCRBY', key, 'deaths', 1) - 1
redis.call('HSETNX', key, 'started_ms', now)
redis.call('HSET', key, 'state', 'running')
redis.call('ZADD', 'sheaf:jobs', now + tonumber(ARGV[2]), due[1])
return {due[1], attempt, deaths}
