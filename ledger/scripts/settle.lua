#!lua flags=allow-oom
-- Removes the chunks of a stored batch from the ledger, writes receipts, counts their usage, and
-- remembers the batch among the last ones. Of chunks that were tried before, the worker has written
-- the usage, under an id.
-- ARGV: batch id, attempt, now_ms, receipt_window_s, signal, chunk ids...
-- Returns 1, or 0 if the lease has passed to another worker.
local key = keys.batch .. ARGV[1]
local batch = redis.call('HMGET', key, 'attempt', 'sealed', 'oldest')
if batch[1] ~= ARGV[2] then return 0 end
local bytes, rows, chunks, used = 0, 0, 0, {}
local day = math.floor(tonumber(ARGV[3]) / 86400000)
local function count(name, number)
  used[name] = (used[name] or 0) + tonumber(number)
end
for i = 6, #ARGV do
  local id = ARGV[i]
  local chunk = redis.call('HMGET', keys.chunk .. id, 'records', 'size', 'bytes', 'tries',
    'workspace', 'client')
  if chunk[1] then
    rows, bytes, chunks = rows + tonumber(chunk[1]), bytes + tonumber(chunk[2]), chunks + 1
    redis.call('SET', keys.stored .. id, chunk[1] .. ' ' .. ARGV[3], 'EX', ARGV[4])
    if chunk[5] and chunk[6] and tonumber(chunk[4] or '0') == 0 then
      local tenant = day .. ' ' .. chunk[5] .. ' ' .. chunk[6] .. ' ' .. ARGV[5] .. ' stored '
      count(tenant .. 'records', chunk[1])
      count(tenant .. 'bytes', chunk[3])
    end
    redis.call('ZREM', keys.ledger, id)
    redis.call('UNLINK', keys.chunk .. id)
  end
end
redis.call('HINCRBY', keys.waiting, 'records', -rows)
redis.call('HINCRBY', keys.waiting, 'bytes', -bytes)
redis.call('HINCRBY', keys.totals, 'stored_records:' .. ARGV[5], rows)
redis.call('HINCRBY', keys.totals, 'stored_batches', 1)
for name, number in pairs(used) do redis.call('HINCRBY', keys.usage, name, number) end
redis.call('LPUSH', keys.recent, table.concat(
  {ARGV[3], ARGV[5], rows, chunks, bytes, ARGV[2], batch[2] or 0, batch[3] or 0}, ' '))
redis.call('LTRIM', keys.recent, 0, 99)
redis.call('ZREM', keys.batches, ARGV[1])
redis.call('UNLINK', key)
return 1
