#!lua flags=no-writes
-- What became of the chunks that a receipt stands for, some of them at a time.
-- ARGV: receipt, how many chunks to pass over, how many to look at.
-- Answers {chunks in all, 0 unless it stands for a list; chunks looked at;
--   then chunks, records and the latest time in ms of those that are queued, stored, dead and
--   dropped; and why the first of the dead is}. The rest of those looked at is unknown.
local width = 33
local key = 'sheaf:receipt:' .. ARGV[1]
local listed = math.floor((redis.call('STRLEN', key) + 1) / width)
local ids = {ARGV[1]}
if listed > 0 then
  ids = {}
  local first = tonumber(ARGV[2]) * width
  local part = redis.call('GETRANGE', key, first, first + tonumber(ARGV[3]) * width - 1)
  for id in string.gmatch(part, '%S+') do ids[#ids + 1] = id end
end
local queued, stored, dead, dropped, why = {0, 0, 0}, {0, 0, 0}, {0, 0, 0}, {0, 0, 0}, ''
local function add(state, records, at)
  state[1], state[2] = state[1] + 1, state[2] + tonumber(records or '0')
  state[3] = math.max(state[3], tonumber(at))
end
for _, id in ipairs(ids) do
  local receipt, chunk = redis.call('GET', 'sheaf:stored:' .. id), 'sheaf:chunk:' .. id
  if receipt then
    add(stored, string.match(receipt, '(%S+) (%S+)'))
  else
    local waiting = redis.call('ZSCORE', 'sheaf:ledger', id)
    local buried = not waiting and redis.call('ZSCORE', 'sheaf:dead', id)
    if waiting then
      add(queued, redis.call('HGET', chunk, 'records'), waiting)
    elseif buried then
      add(dead, redis.call('HGET', chunk, 'records'), buried)
      if why == '' then why = redis.call('HGET', chunk, 'reason') or '' end
    else
      local gone = redis.call('GET', 'sheaf:dropped:' .. id)
      -- Without figures it is one of an earlier version.
      if gone then add(dropped, string.match(gone .. ' 0 0', '(%S+) (%S+)')) end
    end
  end
end
local answer = {listed, #ids}
for _, state in ipairs({queued, stored, dead, dropped}) do
  for _, figure in ipairs(state) do answer[#answer + 1] = figure end
end
answer[#answer + 1] = why
return answer
