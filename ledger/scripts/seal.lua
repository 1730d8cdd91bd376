#!lua flags=allow-oom
-- Leases the next batch to one worker: one with a lease that this worker has left, else one with an
-- expired lease or backoff, else a new one sealed from the oldest open chunks. Its list of chunks
-- never changes afterwards.
-- If less waits than a full batch for each thread, a new batch is an even share of it, so that one
-- thread does not store a full batch while the others have nothing to do.
-- ARGV: now_ms, lease_ms, name of the lease and id of a new batch, max_rows, max_bytes, max_chunks,
--   threads, rows that are worth a batch of their own, count of left leases, their names...,
--   signals...
-- Returns nil or {batch id, attempt, signal, open records left, chunk ids...}.
local now, lease = tonumber(ARGV[1]), tonumber(ARGV[2])
local left, first_signal = {}, 10 + tonumber(ARGV[9])
for i = 10, first_signal - 1 do left[ARGV[i]] = true end
local function left_or_due()
  if first_signal > 10 then
    for _, batch in ipairs(redis.call('ZRANGE', keys.batches, 0, -1)) do
      if left[redis.call('HGET', keys.batch .. batch, 'lease')] then return batch end
    end
  end
  return redis.call('ZRANGEBYSCORE', keys.batches, '-inf', now, 'LIMIT', 0, 1)[1]
end
local again = left_or_due()
if again then
  local key = keys.batch .. again
  local attempt = redis.call('HINCRBY', key, 'attempt', 1)
  redis.call('HSET', key, 'lease', ARGV[3])
  local batch = redis.call('HMGET', key, 'signal', 'chunks')
  redis.call('ZADD', keys.batches, now + lease, again)
  redis.call('HINCRBY', keys.totals, 'further_attempts', 1)
  local answer = {again, attempt, batch[1],
    tonumber(redis.call('HGET', keys.waiting, 'open:' .. batch[1]) or '0')}
  for id in string.gmatch(batch[2], '%S+') do answer[#answer + 1] = id end
  return answer
end
local max_rows, max_bytes = tonumber(ARGV[4]), tonumber(ARGV[5])
local threads, min_batch_rows = tonumber(ARGV[7]), tonumber(ARGV[8])
local function most_rows(waiting)
  local share = math.max(math.ceil(waiting / threads), 2 * min_batch_rows)
  if waiting - share < min_batch_rows then return max_rows end
  return math.min(share, max_rows)
end
for i = first_signal, #ARGV do
  local signal = ARGV[i]
  local open = keys.open .. signal
  local most = most_rows(tonumber(redis.call('HGET', keys.waiting, 'open:' .. signal) or '0'))
  local ids, rows, bytes, attempt = {}, 0, 0, 1
  for _, id in ipairs(redis.call('ZRANGE', open, 0, tonumber(ARGV[6]) - 1)) do
    local chunk = redis.call('HMGET', keys.chunk .. id, 'records', 'bytes', 'tries')
    local records, size = tonumber(chunk[1]), tonumber(chunk[2])
    if #ids > 0 and (rows + records > most or bytes + size > max_bytes) then break end
    rows, bytes, ids[#ids + 1] = rows + records, bytes + size, id
    if tonumber(chunk[3]) > 0 then attempt = 2 end
  end
  if #ids > 0 then
    local batch = ARGV[3]
    redis.call('HSET', keys.batch .. batch, 'signal', signal, 'attempt', attempt,
      'lease', batch, 'chunks', table.concat(ids, ' '))
    redis.call('ZADD', keys.batches, now + lease, batch)
    redis.call('ZREM', open, unpack(ids))
    local behind = redis.call('HINCRBY', keys.waiting, 'open:' .. signal, -rows)
    return {batch, attempt, signal, behind, unpack(ids)}
  end
end
return false
