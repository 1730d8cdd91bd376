-- Takes chunks into the ledger, all or none. Dead letters take room as well. A full broker still
-- says what it knows: it refuses the first write, and a script without flags may read before.
-- ARGV: now_ms, request_window_ms, max_bytes, chunk count, then for each chunk
--   id, signal, workspace, client, header, payload, records, bytes, tries, request count, requests...
--   A request is its id; one with an Idempotency-Key is its id, a space, its body's digest.
--   Then for each workspace that has limits: workspace, records a second, bytes a second,
--   bytes a day (0: no limit), seconds of a burst, records and bytes of it among the chunks.
-- Answers {'accepted', waiting_bytes} or {'full', waiting_bytes}
--   or {'repeats', request id, what is known of it, ...} naming the requests that are known
--   already: a chunk id, and behind a space the body's digest if there was one;
--   or {'limited', and for each workspace above a limit: workspace, limit, how much it allows,
--   records and bytes that may come now (-1: any number), ms until what came may come}.
local now, window, max_bytes = tonumber(ARGV[1]), ARGV[2], tonumber(ARGV[3])
local chunks, repeats, bytes, at = {}, {}, 0, 5
for _ = 1, tonumber(ARGV[4]) do
  local requests = tonumber(ARGV[at + 9])
  -- A chunk that was tried is named after its request: it may be here, or have been, for longer
  -- than the request is remembered.
  local here = ARGV[at + 8] ~= '0' and
    redis.call('EXISTS', keys.chunk .. ARGV[at], keys.stored .. ARGV[at],
      keys.spilled .. ARGV[at]) > 0
  for i = at + 10, at + 9 + requests do
    local request = string.match(ARGV[i], '^%S+')
    local known = redis.call('GET', keys.request .. request) or (here and ARGV[at])
    if known and redis.call('EXISTS', keys.dropped .. string.match(known, '^%S+')) == 0 then
      repeats[#repeats + 1] = request
      repeats[#repeats + 1] = known
    end
  end
  chunks[#chunks + 1] = {at, at + 10, at + 9 + requests}
  bytes = bytes + #ARGV[at + 5]
  at = at + 10 + requests
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

-- What is left of an allowance that refills at `rate` a second up to `most`. More than that may
-- only come while it is full, and is paid back.
local function left(state, name, rate, most, time)
  local was, since = tonumber(state[name]), tonumber(state.at)
  if not was or not since then return most end
  return math.min(most, was + math.max(0, time - since) * rate / 1000)
end
local spent, limited = {}, {'limited'}
for i = at, #ARGV, 7 do
  local workspace, seconds = ARGV[i], tonumber(ARGV[i + 4])
  local flat, state = redis.call('HGETALL', keys.allowance .. workspace), {}
  for j = 1, #flat, 2 do state[flat[j]] = flat[j + 1] end
  -- The clocks of two doors differ: a slow one must not make time count twice. What was counted by
  -- one that was far ahead is forgotten.
  local counted = tonumber(state.at) or 0
  if counted - now > 60000 then state, counted = {}, 0 end
  local time = math.max(now, counted)
  local day, a_day = math.floor(time / 86400000), tonumber(ARGV[i + 3])
  local wanted = {records = tonumber(ARGV[i + 5]), bytes = tonumber(ARGV[i + 6])}
  local today = tonumber(state.day) == day and tonumber(state.day_bytes) or 0
  local after = {'at', time, 'day', day, 'day_bytes', today + wanted.bytes}
  local may, limit, wait, keep = {records = -1, bytes = -1}, nil, 0, 172800000
  for place, name in ipairs({'records', 'bytes'}) do
    local rate = tonumber(ARGV[i + place])
    if rate > 0 then
      local most = rate * seconds
      local have = left(state, name, rate, most, time)
      local ms = (math.min(wanted[name], most) - have) * 1000 / rate
      may[name] = math.max(0, math.floor(have))
      if wanted[name] > have and have < most * 0.999 and ms > wait then
        limit, wait = place, ms
      end
      after[#after + 1] = name
      after[#after + 1] = tostring(have - wanted[name])
      keep = math.max(keep, (most - have + wanted[name]) * 1000 / rate)
    end
  end
  if a_day > 0 then
    local rest = math.max(0, a_day - today)
    may.bytes = may.bytes < 0 and rest or math.min(may.bytes, rest)
    local ms = (day + 1) * 86400000 - now
    if today > 0 and wanted.bytes > rest and ms > wait then
      limit, wait = 3, ms
    end
  end
  if limit then
    local name = ({'records_per_second', 'bytes_per_second', 'bytes_per_day'})[limit]
    local answer = {workspace, name, ARGV[i + limit], may.records, may.bytes, math.ceil(wait)}
    for _, value in ipairs(answer) do limited[#limited + 1] = value end
  end
  -- Until nothing is owed; at most a year.
  spent[#spent + 1] = {keys.allowance .. workspace, math.min(keep, 31536000000), after}
end
if #limited > 1 then
  return limited
end

for _, chunk in ipairs(chunks) do
  local first = chunk[1]
  local id, signal, workspace, records = ARGV[first], ARGV[first + 1], ARGV[first + 2], ARGV[first + 6]
  redis.call('HSET', keys.chunk .. id, 'header', ARGV[first + 4], 'payload', ARGV[first + 5],
    'records', records, 'bytes', ARGV[first + 7], 'size', #ARGV[first + 5],
    'tries', ARGV[first + 8], 'workspace', workspace, 'client', ARGV[first + 3])
  redis.call('DEL', keys.dropped .. id, keys.spilled .. id)
  redis.call('ZADD', keys.ledger, now, id)
  enqueue(signal, workspace, id, now)
  redis.call('HINCRBY', keys.waiting, 'records', records)
  redis.call('HINCRBY', keys.waiting, 'open:' .. signal, records)
  redis.call('HINCRBY', keys.totals, 'accepted_records:' .. signal, records)
  for i = chunk[2], chunk[3] do
    local request = string.match(ARGV[i], '^%S+')
    redis.call('SET', keys.request .. request, id .. string.sub(ARGV[i], #request + 1),
      'PX', window)
  end
end
for _, each in ipairs(spent) do
  redis.call('HSET', each[1], unpack(each[3]))
  redis.call('PEXPIRE', each[1], string.format('%.0f', each[2]))
end
redis.call('HINCRBY', keys.totals, 'accepted_chunks', #chunks)
return {'accepted', redis.call('HINCRBY', keys.waiting, 'bytes', bytes)}
