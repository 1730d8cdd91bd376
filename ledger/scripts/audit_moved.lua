#!lua flags=allow-oom
-- Removes audit entries that have been moved, unless somebody else has. ARGV: how many, the first.
if redis.call('LINDEX', keys.audit, 0) == ARGV[2] then
  redis.call('LTRIM', keys.audit, ARGV[1], -1)
end
return 1
