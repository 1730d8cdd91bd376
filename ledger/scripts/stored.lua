#!lua flags=allow-oom
-- Writes receipts of requests that a door stored directly, and the chunk lists of receipts for
-- several chunks. Safe to repeat. A full broker takes this too, up to a limit.
-- ARGV: now_ms, receipt_window_ms, request_window_ms, request count, then for each request
--   the request as in `accept`, rows, when it was stored in ms;
--   then for each list: receipt, chunk ids joined by spaces.
-- Returns 1, or 0 if the broker's memory is beyond the limit.
local beyond = 64 * 1024 * 1024
local memory = redis.call('INFO', 'memory')
local most = tonumber(string.match(memory, '\nmaxmemory:(%d+)') or '0')
if most > 0 and tonumber(string.match(memory, 'used_memory:(%d+)')) > most + beyond then return 0 end
local now, receipts, requests = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local behind = 5 + 3 * tonumber(ARGV[4])
for i = 5, behind - 1, 3 do
  local id, at = string.match(ARGV[i], '^%S+'), ARGV[i + 2]
  local age = now - tonumber(at)
  if age < receipts then
    redis.call('SET', keys.stored .. id, ARGV[i + 1] .. ' ' .. at, 'PX', receipts - age)
  end
  if age < requests then
    -- If it ever gets a chunk, the chunk has the same id.
    redis.call('SET', keys.request .. id, ARGV[i], 'PX', requests - age, 'NX')
  end
end
for i = behind, #ARGV, 2 do
  redis.call('SET', keys.receipt .. ARGV[i], ARGV[i + 1], 'PX', receipts)
end
return 1
