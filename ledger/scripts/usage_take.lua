-- Sets the usage counters aside, so that they can be moved; those set aside before come first.
-- While a backup is made, none are set aside: it has read the counters, and must not have them in
-- ClickHouse too.
-- ARGV: id of what is set aside now. Returns its id and the counters as a flat list; nil: nothing.
if redis.call('EXISTS', keys.usage_moving) == 0 then
  if redis.call('EXISTS', keys.usage) == 0 or redis.call('EXISTS', keys.backup) == 1 then
    return false
  end
  redis.call('RENAME', keys.usage, keys.usage_moving)
  redis.call('HSET', keys.usage_moving, 'id', ARGV[1])
  redis.call('INCR', keys.usage_moves)
end
return redis.call('HGETALL', keys.usage_moving)
