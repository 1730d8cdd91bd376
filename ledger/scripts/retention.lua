-- Changes a workspace's retention overrides.
-- ARGV: workspace id, then signals and days; empty days remove the override of that signal.
-- Returns its overrides, as JSON.
local packed = redis.call('HGET', keys.retention, ARGV[1])
local overrides = packed and cjson.decode(packed) or {}
for i = 2, #ARGV, 2 do overrides[ARGV[i]] = tonumber(ARGV[i + 1]) end
if next(overrides) == nil then
  redis.call('HDEL', keys.retention, ARGV[1])
  return '{}'
end
packed = cjson.encode(overrides)
redis.call('HSET', keys.retention, ARGV[1], packed)
return packed
