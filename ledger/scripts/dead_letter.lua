#!lua flags=allow-oom
-- Makes one chunk of a leased batch a dead letter; the rest of the batch stays leased.
-- ARGV: batch id, attempt, now_ms, chunk id, signal, reason, remaining chunk ids joined by spaces;
--   if its content is redacted: header, payload, bytes.
-- Returns 1, or 0 if the lease has passed to another worker.
local key, id = keys.batch .. ARGV[1], ARGV[4]
if redis.call('HGET', key, 'attempt') ~= ARGV[2] then return 0 end
local chunk = redis.call('HMGET', keys.chunk .. id, 'records', 'size')
redis.call('HSET', keys.chunk .. id, 'reason', ARGV[6])
local size = chunk[2]
if ARGV[8] then
  size = #ARGV[9]
  redis.call('HSET', keys.chunk .. id, 'header', ARGV[8], 'payload', ARGV[9], 'bytes', ARGV[10],
    'size', size)
end
redis.call('ZADD', keys.dead, ARGV[3], id)
redis.call('ZREM', keys.ledger, id)
redis.call('HINCRBY', keys.waiting, 'records', -chunk[1])
redis.call('HINCRBY', keys.waiting, 'bytes', -chunk[2])
if redis.call('HEXISTS', keys.waiting, 'dead_bytes') == 1 then
  redis.call('HINCRBY', keys.waiting, 'dead_bytes', size)
end
redis.call('HINCRBY', keys.totals, 'dead_records:' .. ARGV[5], chunk[1])
if ARGV[7] == '' then
  redis.call('ZREM', keys.batches, ARGV[1])
  redis.call('UNLINK', key)
else
  redis.call('HSET', key, 'chunks', ARGV[7])
end
return 1
