-- Puts dead letters back into the ledger. Some of their rows may be stored, so each is marked as
-- tried: its batch checks before it inserts.
-- ARGV: now_ms, then for each: chunk id, signal. Returns how many were put back; the others are no
-- longer dead letters.
local now, replayed, bytes, all = ARGV[1], 0, 0, 0
for i = 2, #ARGV, 2 do
  local id, signal = ARGV[i], ARGV[i + 1]
  if redis.call('ZSCORE', keys.dead, id) then
    outdate(id)
    redis.call('ZREM', keys.dead, id)
    local key = keys.chunk .. id
    local chunk = redis.call('HMGET', key, 'records', 'size', 'header')
    redis.call('HDEL', key, 'reason')
    redis.call('HINCRBY', key, 'tries', 1)
    redis.call('ZADD', keys.ledger, now, id)
    local workspace = cjson.decode(chunk[3]).workspace_id
    redis.call('HSET', key, 'workspace', workspace)
    enqueue(signal, workspace, id, now)
    redis.call('HINCRBY', keys.waiting, 'open:' .. signal, chunk[1])
    replayed, all, bytes = replayed + 1, all + tonumber(chunk[1]), bytes + tonumber(chunk[2])
  end
end
redis.call('HINCRBY', keys.waiting, 'records', all)
redis.call('HINCRBY', keys.waiting, 'bytes', bytes)
if redis.call('HEXISTS', keys.waiting, 'dead_bytes') == 1 then
  redis.call('HINCRBY', keys.waiting, 'dead_bytes', -bytes)
end
redis.call('HINCRBY', keys.totals, 'replayed_chunks', replayed)
return replayed
