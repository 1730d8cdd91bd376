-- Adds to the usage counters, once. ARGV: a name for what is added, then for each counter: its name,
-- how much. Returns 1, or 0 if it was added before.
if not redis.call('SET', keys.usage_added .. ARGV[1], 1, 'NX', 'EX', 3600) then return 0 end
for i = 2, #ARGV, 2 do redis.call('HINCRBY', keys.usage, ARGV[i], ARGV[i + 1]) end
return 1
