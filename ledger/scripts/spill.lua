#!lua flags=allow-oom
-- Removes dead letters that have been copied to ClickHouse. Those that were replayed or dropped
-- meanwhile stay as they are; their copies are already noted as outdated.
-- ARGV: seconds for which receipts remember them, then for each: chunk id, when it became a dead
--   letter in ms. Returns how many were removed.
local removed, bytes = 0, 0
for i = 2, #ARGV, 2 do
  local id, at = ARGV[i], ARGV[i + 1]
  local dead_at = redis.call('ZSCORE', keys.dead, id)
  if dead_at and tonumber(dead_at) == tonumber(at) then
    local chunk = redis.call('HMGET', keys.chunk .. id, 'records', 'size', 'reason')
    redis.call('SET', keys.spilled .. id, (chunk[1] or '0') .. ' ' .. at .. ' ' ..
      string.sub(chunk[3] or '', 1, 500), 'EX', ARGV[1])
    redis.call('ZREM', keys.dead, id)
    redis.call('UNLINK', keys.chunk .. id)
    redis.call('SREM', keys.spilling, id)
    removed, bytes = removed + 1, bytes + tonumber(chunk[2] or '0')
  end
end
if redis.call('HEXISTS', keys.waiting, 'dead_bytes') == 1 then
  redis.call('HINCRBY', keys.waiting, 'dead_bytes', -bytes)
end
redis.call('HINCRBY', keys.waiting, 'spilled', removed)
return removed
