-- Puts a chunk of a backup into the ledger. Its rows may be in ClickHouse, so it is marked as tried:
-- its batch checks before it inserts. A dead letter may also have been copied to ClickHouse.
-- ARGV: id, when it was accepted or became a dead letter in ms, 1 if it is a dead letter, signal,
--   workspace, client, then the names and values of its fields. Returns 1.
local id, at, signal, workspace = ARGV[1], ARGV[2], ARGV[4], ARGV[5]
local key = keys.chunk .. id
for i = 7, #ARGV, 2 do redis.call('HSET', key, ARGV[i], ARGV[i + 1]) end
redis.call('HSET', key, 'workspace', workspace, 'client', ARGV[6])
if ARGV[3] == '1' then
  redis.call('ZADD', keys.dead, at, id)
  redis.call('SADD', keys.spilling, id)
  return 1
end
redis.call('HDEL', key, 'reason')
redis.call('HINCRBY', key, 'tries', 1)
redis.call('ZADD', keys.ledger, at, id)
enqueue(signal, workspace, id, at)
local chunk = redis.call('HMGET', key, 'records', 'size')
redis.call('HINCRBY', keys.waiting, 'records', chunk[1])
redis.call('HINCRBY', keys.waiting, 'bytes', chunk[2])
redis.call('HINCRBY', keys.waiting, 'open:' .. signal, chunk[1])
return 1
