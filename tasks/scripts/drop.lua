#!lua flags=allow-oom
-- Deletes one dead letter for good; its requests are news again when they come once more.
-- ARGV: chunk id, request_window_s. Answers 1, or 0 if there is no such dead letter.
if redis.call('ZREM', 'sheaf:dead', ARGV[1]) == 0 then return 0 end
if redis.call('HEXISTS', 'sheaf:waiting', 'dead_bytes') == 1 then
  local size = redis.call('HGET', 'sheaf:chunk:' .. ARGV[1], 'size')
  redis.call('HINCRBY', 'sheaf:waiting', 'dead_bytes', -(size or 0))
end
redis.call('SET', 'sheaf:dropped:' .. ARGV[1], '', 'EX', ARGV[2])
redis.call('UNLINK', 'sheaf:chunk:' .. ARGV[1])
redis.call('HINCRBY', 'sheaf:totals', 'dropped_chunks', 1)
return 1
