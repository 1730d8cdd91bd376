#!lua flags=allow-oom
-- Leases the next batch to one worker: one with a lease that this worker has left, else one with an
-- expired lease or backoff, else a new one. Its list of chunks never changes afterwards.
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
-- Of a batch, how many workspaces can have a share of it.
local SHARES = 8
local max_rows, max_bytes, max_chunks = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
local threads, min_batch_rows = tonumber(ARGV[7]), tonumber(ARGV[8])
local function most_rows(waiting)
  local share = math.max(math.ceil(waiting / threads), 2 * min_batch_rows)
  if waiting - share < min_batch_rows then return max_rows end
  return math.min(share, max_rows)
end
local function queue_of(signal, workspace) return keys.queue .. signal .. ':' .. workspace end
-- Older versions put chunks among the open ones alone, some without their workspace. They get their
-- place in a queue when the oldest open chunk is one of them.
local function adopt(signal, open)
  local function is_queued(id)
    local workspace = redis.call('HGET', keys.chunk .. id, 'workspace')
    return workspace and redis.call('ZSCORE', queue_of(signal, workspace), id)
  end
  local oldest = redis.call('ZRANGE', open, 0, 0)[1]
  if not oldest or is_queued(oldest) then return end
  for _, id in ipairs(redis.call('ZRANGE', open, 0, max_chunks - 1)) do
    if not is_queued(id) then
      local header = cjson.decode(redis.call('HGET', keys.chunk .. id, 'header'))
      redis.call('HSET', keys.chunk .. id, 'workspace', header.workspace_id)
      enqueue(signal, header.workspace_id, id, redis.call('ZSCORE', open, id))
    end
  end
end
-- What was taken of a workspace, as rows: a full batch of rows, bytes or chunks counts alike.
local function rows_worth(taken)
  return math.ceil(math.max(taken.rows, taken.bytes / max_bytes * max_rows,
    #taken.ids / max_chunks * max_rows))
end
-- Adds a workspace's oldest chunks to the batch, up to `share`. What an older version has sealed
-- from here is no longer open. Returns rows' worth, or nil if the workspace has no chunks, and
-- whether the batch is full.
local function take_share(queue, open, most, share, batch)
  local first = redis.call('ZRANGE', queue, 0, math.ceil(max_chunks / SHARES) - 1)
  if #first == 0 then return nil, false end
  local is_open = redis.call('ZMSCORE', open, unpack(first))
  local taken, done, is_full = {ids = {}, rows = 0, bytes = 0}, {}, false
  for i, id in ipairs(first) do
    if is_open[i] then
      if rows_worth(taken) >= share then break end
      local chunk = redis.call('HMGET', keys.chunk .. id, 'records', 'bytes', 'tries')
      local rows, bytes = tonumber(chunk[1]), tonumber(chunk[2])
      is_full = #batch.ids >= max_chunks or
        #batch.ids > 0 and (batch.rows + rows > most or batch.bytes + bytes > max_bytes)
      if is_full then break end
      for _, each in ipairs({batch, taken}) do
        each.ids[#each.ids + 1] = id
        each.rows, each.bytes = each.rows + rows, each.bytes + bytes
      end
      if tonumber(chunk[3]) > 0 then batch.attempt = 2 end
      batch.oldest = math.min(batch.oldest, tonumber(is_open[i]))
    end
    done[#done + 1] = id
  end
  if #done > 0 then redis.call('ZREM', queue, unpack(done)) end
  return rows_worth(taken), is_full
end
-- Takes the oldest open chunks of the workspaces in turn, each time a share of the batch from the
-- one that has had the least. So a workspace that sends much does not delay the others. A workspace
-- without chunks keeps its place until its turn: else it could come back to the front each time.
local function take(signal, open, most)
  local batch = {ids = {}, rows = 0, bytes = 0, attempt = 1, oldest = now}
  local turns = keys.turns .. signal
  local share, place = math.max(1, math.floor(most / SHARES)), nil
  while true do
    local turn = redis.call('ZRANGE', turns, 0, 0, 'WITHSCORES')
    if #turn == 0 then break end
    place = turn[2]
    local had, is_full = take_share(queue_of(signal, turn[1]), open, most, share, batch)
    if not had then
      redis.call('ZREM', turns, turn[1])
    elseif had > 0 then
      redis.call('ZINCRBY', turns, had, turn[1])
    end
    if is_full then break end
  end
  if place then redis.call('HSET', keys.waiting, 'turn:' .. signal, place) end
  return batch
end
for i = first_signal, #ARGV do
  local signal = ARGV[i]
  local open = keys.open .. signal
  adopt(signal, open)
  local most = most_rows(tonumber(redis.call('HGET', keys.waiting, 'open:' .. signal) or '0'))
  local taken = take(signal, open, most)
  local ids = taken.ids
  if #ids > 0 then
    local batch = ARGV[3]
    redis.call('HSET', keys.batch .. batch, 'signal', signal, 'attempt', taken.attempt,
      'lease', batch, 'chunks', table.concat(ids, ' '), 'sealed', now, 'oldest', taken.oldest)
    redis.call('ZADD', keys.batches, now + lease, batch)
    redis.call('ZREM', open, unpack(ids))
    local behind = redis.call('HINCRBY', keys.waiting, 'open:' .. signal, -taken.rows)
    return {batch, taken.attempt, signal, behind, unpack(ids)}
  end
end
return false
