#!lua flags=allow-oom
-- Deletes one dead letter for good. ARGV: chunk id. Answers 1, or 0 if there is none.
if redis.call('ZREM', 'sheaf:dead', ARGV[1]) == 0 then return 0 end
redis.call('UNLINK', 'sheaf:chunk:' .. ARGV[1])
redis.call('HINCRBY', 'sheaf:totals', 'dropped_chunks', 1)
return 1
