#!lua flags=allow-oom
-- Leases a job to one worker: one with a lease that this worker has left, else the one that has
-- been due for the longest.
-- ARGV: now_ms, lease_ms, name of the lease, names of left leases...
-- Returns nil or {job id, attempt, leases that expired since it last made progress}.
local now = tonumber(ARGV[1])
local left = {}
for i = 4, #ARGV do left[ARGV[i]] = true end
local id, died
if ARGV[4] then
  for _, job in ipairs(redis.call('ZRANGE', keys.jobs, 0, -1)) do
    if left[redis.call('HGET', keys.job .. job, 'lease')] then id, died = job, 0 end
  end
end
if not id then
  id, died = redis.call('ZRANGEBYSCORE', keys.jobs, '-inf', now, 'LIMIT', 0, 1)[1], 1
end
if not id then return false end
local key = keys.job .. id
local attempt = redis.call('HINCRBY', key, 'attempt', 1)
local deaths = redis.call('HINCRBY', key, 'deaths', died) - 1
redis.call('HSETNX', key, 'started_ms', now)
redis.call('HSET', key, 'state', 'running', 'lease', ARGV[3])
redis.call('ZADD', keys.jobs, now + tonumber(ARGV[2]), id)
return {id, attempt, deaths}
