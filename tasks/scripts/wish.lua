-- Changes a workspace's wishes for how long its records are kept.
-- ARGV: workspace id, then signals and days; no days take the wish for that signal back.
-- Answers the wishes that it has then, as JSON.
local packed = redis.call('HGET', 'sheaf:retention', ARGV[1])
local wishes = packed and cjson.decode(packed) or {}
for i = 2, #ARGV, 2 do wishes[ARGV[i]] = tonumber(ARGV[i + 1]) end
if next(wishes) == nil then
  redis.call('HDEL', 'sheaf:retention', ARGV[1])
  return '{}'
end
packed = cjson.encode(wishes)
redis.call('HSET', 'sheaf:retention', ARGV[1], packed)
return packed
