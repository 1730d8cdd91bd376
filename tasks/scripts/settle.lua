#!lua flags=allow-oom
-- Takes the chunks of a stored batch out of the ledger and leaves receipts.
-- ARGV: batch id, attempt, now_ms, receipt_window_s, signal, chunk ids...
-- Answers 1, or 0 if the lease has passed to somebody else.
local key = 'sheaf:batch:' .. ARGV[1]
if redis.call('HGET', key, 'attempt') ~= ARGV[2] then return 0 end
local bytes, rows = 0, 0
for i = 6, #ARGV do
  local id = ARGV[i]
  local chunk = redis.call('HMGET', 'sheaf:chunk:' .. id, 'records', 'size')
  if chunk[1] then
    rows, bytes = rows + tonumber(chunk[1]), bytes + tonumber(chunk[2])
    redis.call('SET', 'sheaf:stored:' .. id, chunk[1] .. ' ' .. ARGV[3], 'EX', ARGV[4])
    redis.call('ZREM', 'sheaf:ledger', id)
    redis.call('UNLINK', 'sheaf:chunk:' .. id)
  end
end
redis.call('HINCRBY', 'sheaf:waiting', 'records', -rows)
redis.call('HINCRBY', 'sheaf:waiting', 'bytes', -bytes)
redis.call('HINCRBY', 'sheaf:totals', 'stored_records:' .. ARGV[5], rows)
redis.call('HINCRBY', 'sheaf:totals', 'stored_batches', 1)
redis.call('ZREM', 'sheaf:batches', ARGV[1])
redis.call('UNLINK', key)
return 1
