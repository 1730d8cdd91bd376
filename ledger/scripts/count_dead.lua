-- Counts the bytes of the dead letters, once: from then on the other scripts keep the count.
-- Returns the bytes. Has no flags, so that it also runs when the broker takes no writes.
local counted = redis.call('HGET', keys.waiting, 'dead_bytes')
if counted then return tonumber(counted) end
local bytes = 0
for _, id in ipairs(redis.call('ZRANGE', keys.dead, 0, -1)) do
  bytes = bytes + tonumber(redis.call('HGET', keys.chunk .. id, 'size') or '0')
end
redis.pcall('HSET', keys.waiting, 'dead_bytes', bytes)
return bytes
