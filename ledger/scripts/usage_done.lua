#!lua flags=allow-oom
-- Forgets the usage counters that were set aside under an id and have been moved. ARGV: id.
if redis.call('HGET', keys.usage_moving, 'id') == ARGV[1] then
  redis.call('UNLINK', keys.usage_moving)
end
return 1
