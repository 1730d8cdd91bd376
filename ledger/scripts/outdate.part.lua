-- Notes that the copy of a dead letter in ClickHouse, if there is one, no longer counts.
local function outdate(id)
  if redis.call('SREM', keys.spilling, id) == 1 then
    local at = string.format('%d', tonumber(redis.call('ZSCORE', keys.dead, id)))
    redis.call('SADD', keys.outdated, id .. ' ' .. at)
  end
end
