#!lua flags=no-writes
-- The states of a receipt's chunks, some of them at a time.
-- ARGV: receipt, how many chunks to skip, how many to look up.
-- Returns {all chunks, 0 unless the receipt is for a list; chunks looked up;
--   then chunks, records and the latest time in ms of those that are queued, stored, dead and
--   dropped; the reason of the first dead one}. The rest of those looked up is unknown.
local width = 33
local key = keys.receipt .. ARGV[1]
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
  local receipt, chunk = redis.call('GET', keys.stored .. id), keys.chunk .. id
  if receipt then
    add(stored, string.match(receipt, '(%S+) (%S+)'))
  else
    local waiting = redis.call('ZSCORE', keys.ledger, id)
    local dead_at = not waiting and redis.call('ZSCORE', keys.dead, id)
    if waiting then
      add(queued, redis.call('HGET', chunk, 'records'), waiting)
    elseif dead_at then
      add(dead, redis.call('HGET', chunk, 'records'), dead_at)
      if why == '' then why = redis.call('HGET', chunk, 'reason') or '' end
    else
      local gone = redis.call('GET', keys.dropped .. id)
      local spilled = not gone and redis.call('GET', keys.spilled .. id)
      -- Earlier versions wrote no figures.
      if gone then add(dropped, string.match(gone .. ' 0 0', '(%S+) (%S+)')) end
      if spilled then
        local records, at, reason = string.match(spilled, '(%S+) (%S+) (.*)')
        add(dead, records, at)
        if why == '' then why = reason end
      end
    end
  end
end
local answer = {listed, #ids}
for _, state in ipairs({queued, stored, dead, dropped}) do
  for _, figure in ipairs(state) do answer[#answer + 1] = figure end
end
answer[#answer + 1] = why
return answer
