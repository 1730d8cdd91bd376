#!lua flags=allow-oom
-- Leases a job to one worker: one under a lease that this worker has left, else the one that has
-- been due for the longest.
-- ARGV: now_ms, lease_ms, name of the lease, names of left leases...
-- Answers nil or {job id, attempt, leases that ended without a word since it last went on}.
local now = tonumber(ARGV[1])
local left = {}
for i = 4, #ARGV do left[ARGV[i]] = true end
local id, died
if ARGV[4] then
  for _, job in ipairs(redis.call('ZRANGE', 'sheaf:jobs', 0, -1)) do
    if left[redis.call('HGET', 'sheaf:job:' .. job, 'lease')] then id, died = job, 0 end
  end
end
if not id then
  id, died = redis.call('ZRANGEBYSCORE', 'sheaf:jobs', '-inf', now, 'LIMIT', 0, 1)[1], 1
end
if not id then return false end
local key = 'sheaf:job:' .. id
local attempt = redis.call('HINCRBY', key, 'attempt', 1)
local deaths = redis.call('HINCRBY', key, 'deaths', died) - 1
redis.call('HSETNX', key, 'started_ms', now)
redis.call('HSET', key, 'state', 'running', 'lease', ARGV[3])
redis.call('ZADD', 'sheaf:jobs', now + tonumber(ARGV[2]), id)
return {id, attempt, deaths}
