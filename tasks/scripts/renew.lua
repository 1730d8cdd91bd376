#!lua flags=allow-oom
-- Sets when a leased batch becomes due again. Later time: a longer lease. Soon: given back.
-- ARGV: batch id, attempt, due_ms. Answers 1, or 0 if the lease has passed to somebody else.
if redis.call('HGET', 'sheaf:batch:' .. ARGV[1], 'attempt') ~= ARGV[2] then return 0 end
redis.call('ZADD', 'sheaf:batches', ARGV[3], ARGV[1])
return 1
