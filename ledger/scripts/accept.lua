-- Accepts chunks into the ledger, all or none. Dead letters count towards its limit. Repeats are
-- found in a full broker too: a script without flags may read before its first write is refused.
-- ARGV: now_ms, request_window_ms, max_bytes, chunk count, then for each chunk
--   id, signal, header, payload, records, bytes, tries, request count, requests...
--   A request is its id; one with an Idempotency-Key is its id, a space, its body's digest.
-- Returns {'accepted', waiting_bytes} or {'full', waiting_bytes}
--   or {'repeats', request id, value, ...} with the requests that were accepted before: the value
--   is a chunk id, and after a space the body's digest if there was one.
local now, window, max_bytes = ARGV[1], ARGV[2], tonumber(ARGV[3])
local chunks, repeats, bytes, at = {}, {}, 0, 5
for _ = 1, tonumber(ARGV[4]) do
  local requests = tonumber(ARGV[at + 7])
  -- A chunk that was tried has the id of its request, so it is found here, or among the stored
  -- ones, even after the request window.
  local here = ARGV[at + 6] ~= '0' and
    redis.call('EXISTS', keys.chunk .. ARGV[at], keys.stored .. ARGV[at]) > 0
  for i = at + 8, at + 7 + requests do
    local request = string.match(ARGV[i], '^%S+')
    local known = redis.call('GET', keys.request .. request) or (here and ARGV[at])
    if known and redis.call('EXISTS', keys.dropped .. string.match(known, '^%S+')) == 0 then
      repeats[#repeats + 1] = request
      repeats[#repeats + 1] = known
    end
  end
  chunks[#chunks + 1] = {at, at + 8, at + 7 + requests}
  bytes = bytes + #ARGV[at + 3]
  at = at + 8 + requests
end
if #repeats > 0 then
  table.insert(repeats, 1, 'repeats')
  return repeats
end
local kept = redis.call('HMGET', keys.waiting, 'bytes', 'dead_bytes')
local waiting = (tonumber(kept[1]) or 0) + (tonumber(kept[2]) or 0)
if waiting + bytes > max_bytes then
  return {'full', waiting}
end
for _, chunk in ipairs(chunks) do
  local first = chunk[1]
  local id, signal, records = ARGV[first], ARGV[first + 1], ARGV[first + 4]
  redis.call('HSET', keys.chunk .. id, 'header', ARGV[first + 2], 'payload', ARGV[first + 3],
    'records', records, 'bytes', ARGV[first + 5], 'size', #ARGV[first + 3],
    'tries', ARGV[first + 6])
  redis.call('DEL', keys.dropped .. id)
  redis.call('ZADD', keys.ledger, now, id)
  redis.call('ZADD', keys.open .. signal, now, id)
  redis.call('HINCRBY', keys.waiting, 'records', records)
  redis.call('HINCRBY', keys.waiting, 'open:' .. signal, records)
  redis.call('HINCRBY', keys.totals, 'accepted_records:' .. signal, records)
  for i = chunk[2], chunk[3] do
    local request = string.match(ARGV[i], '^%S+')
    redis.call('SET', keys.request .. request, id .. string.sub(ARGV[i], #request + 1),
      'PX', window)
  end
end
redis.call('HINCRBY', keys.totals, 'accepted_chunks', #chunks)
return {'accepted', redis.call('HINCRBY', keys.waiting, 'bytes', bytes)}
