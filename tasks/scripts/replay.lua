-- Puts dead letters back into the ledger. Their rows may be there in part, so each is marked as
-- tried: its batch looks before it inserts.
-- ARGV: now_ms, then for each: chunk id, signal. Answers how many were put back; others are no
-- dead letters any more.
local now, replayed, bytes, all = ARGV[1], 0, 0, 0
for i = 2, #ARGV, 2 do
  local id, signal = ARGV[i], ARGV[i + 1]
  if redis.call('ZREM', 'sheaf:dead', id) == 1 then
    local key = 'sheaf:chunk:' .. id
    local chunk = redis.call('HMGET', key, 'records', 'size')
    redis.call('HDEL', key, 'reason')
    redis.call('HINCRBY', key, 'tries', 1)
    redis.call('ZADD', 'sheaf:ledger', now, id)
    redis.call('ZADD', 'sheaf:open:' .. signal, now, id)
    redis.call('HINCRBY', 'sheaf:waiting', 'open:' .. signal, chunk[1])
    replayed, all, bytes = replayed + 1, all + tonumber(chunk[1]), bytes + tonumber(chunk[2])
  end
end
redis.call('HINCRBY', 'sheaf:waiting', 'records', all)
redis.call('HINCRBY', 'sheaf:waiting', 'bytes', bytes)
if redis.call('HEXISTS', 'sheaf:waiting', 'dead_bytes') == 1 then
  redis.call('HINCRBY', 'sheaf:waiting', 'dead_bytes', -bytes)
end
redis.call('HINCRBY', 'sheaf:totals', 'replayed_chunks', replayed)
return replayed
