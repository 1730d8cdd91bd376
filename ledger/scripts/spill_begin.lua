#!lua flags=allow-oom
-- Notes dead letters that are about to be copied to ClickHouse.
-- ARGV: for each: chunk id, when it became a dead letter in ms.
-- Returns the ids of those that still are one.
local found = {}
for i = 1, #ARGV, 2 do
  local dead_at = redis.call('ZSCORE', keys.dead, ARGV[i])
  if dead_at and tonumber(dead_at) == tonumber(ARGV[i + 1]) then
    redis.call('SADD', keys.spilling, ARGV[i])
    found[#found + 1] = ARGV[i]
  end
end
return found
