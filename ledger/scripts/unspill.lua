-- Puts a dead letter from ClickHouse back into the ledger. Some of its rows may be stored, so it is
-- marked as tried: its batch checks before it inserts.
-- ARGV: now_ms, max_bytes, chunk id, when it became a dead letter in ms, signal, workspace, client,
--   header, payload, records, bytes.
-- Returns 1; 0 if it was replayed or dropped before; -1 if the ledger is full.
local now, id, copy = ARGV[1], ARGV[3], ARGV[3] .. ' ' .. ARGV[4]
local size = #ARGV[9]
if redis.call('SISMEMBER', keys.outdated, copy) == 1 or redis.call('EXISTS', keys.chunk .. id) == 1
  or redis.call('EXISTS', keys.stored .. id, keys.dropped .. id) > 0 then return 0 end
local kept = redis.call('HMGET', keys.waiting, 'bytes', 'dead_bytes')
local waiting = (tonumber(kept[1]) or 0) + (tonumber(kept[2]) or 0)
if waiting + size > tonumber(ARGV[2]) then return -1 end
redis.call('HSET', keys.chunk .. id, 'header', ARGV[8], 'payload', ARGV[9], 'records', ARGV[10],
  'bytes', ARGV[11], 'size', size, 'tries', 1, 'workspace', ARGV[6], 'client', ARGV[7])
redis.call('SADD', keys.outdated, copy)
redis.call('DEL', keys.spilled .. id)
redis.call('ZADD', keys.ledger, now, id)
enqueue(ARGV[5], ARGV[6], id, now)
redis.call('HINCRBY', keys.waiting, 'records', ARGV[10])
redis.call('HINCRBY', keys.waiting, 'open:' .. ARGV[5], ARGV[10])
redis.call('HINCRBY', keys.waiting, 'bytes', size)
redis.call('HINCRBY', keys.waiting, 'spilled', -1)
redis.call('HINCRBY', keys.totals, 'replayed_chunks', 1)
return 1
