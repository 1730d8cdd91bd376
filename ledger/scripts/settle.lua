#!lua flags=allow-oom
-- Removes the chunks of a stored batch from the ledger and writes receipts.
-- ARGV: batch id, attempt, now_ms, receipt_window_s, signal, chunk ids...
-- Returns 1, or 0 if the lease has passed to another worker.
local key = keys.batch .. ARGV[1]
if redis.call('HGET', key, 'attempt') ~= ARGV[2] then return 0 end
local bytes, rows = 0, 0
for i = 6, #ARGV do
  local id = ARGV[i]
  local chunk = redis.call('HMGET', keys.chunk .. id, 'records', 'size')
  if chunk[1] then
    rows, bytes = rows + tonumber(chunk[1]), bytes + tonumber(chunk[2])
    redis.call('SET', keys.stored .. id, chunk[1] .. ' ' .. ARGV[3], 'EX', ARGV[4])
    redis.call('ZREM', keys.ledger, id)
    redis.call('UNLINK', keys.chunk .. id)
  end
end
redis.call('HINCRBY', keys.waiting, 'records', -rows)
redis.call('HINCRBY', keys.waiting, 'bytes', -bytes)
redis.call('HINCRBY', keys.totals, 'stored_records:' .. ARGV[5], rows)
redis.call('HINCRBY', keys.totals, 'stored_batches', 1)
redis.call('ZREM', keys.batches, ARGV[1])
redis.call('UNLINK', key)
return 1
