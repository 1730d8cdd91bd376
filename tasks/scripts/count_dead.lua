-- Counts the bytes of the dead letters, once: from then on burials, replays and drops keep count.
-- Answers the bytes. Has no flags, so that a broker that takes no writes answers as well.
local counted = redis.call('HGET', 'sheaf:waiting', 'dead_bytes')
if counted then return tonumber(counted) end
local bytes = 0
for _, id in ipairs(redis.call('ZRANGE', 'sheaf:dead', 0, -1)) do
  bytes = bytes + tonumber(redis.call('HGET', 'sheaf:chunk:' .. id, 'size') or '0')
end
redis.pcall('HSET', 'sheaf:waiting', 'dead_bytes', bytes)
return bytes
