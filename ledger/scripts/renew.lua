#!lua flags=allow-oom
-- Sets when a leased batch becomes due again: later to extend the lease, soon to release it.
-- ARGV: batch id, attempt, due_ms. Returns 1, or 0 if the lease has passed to another worker.
if redis.call('HGET', keys.batch .. ARGV[1], 'attempt') ~= ARGV[2] then return 0 end
redis.call('ZADD', keys.batches, ARGV[3], ARGV[1])
return 1
