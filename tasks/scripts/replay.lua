-- Puts one dead letter back into the ledger. Its rows may be there in part, so it is marked as
-- tried: its batch looks before it inserts.
-- ARGV: chunk id, signal, now_ms. Answers 1, or 0 if there is no such dead letter.
local id = ARGV[1]
if redis.call('ZREM', 'sheaf:dead', id) == 0 then return 0 end
local key = 'sheaf:chunk:' .. id
local chunk = redis.call('HMGET', key, 'records', 'size')
redis.call('HDEL', key, 'reason')
redis.call('HINCRBY', key, 'tries', 1)
redis.call('ZADD', 'sheaf:ledger', ARGV[3], id)
redis.call('ZADD', 'sheaf:open:' .. ARGV[2], ARGV[3], id)
redis.call('HINCRBY', 'sheaf:waiting', 'records', chunk[1])
redis.call('HINCRBY', 'sheaf:waiting', 'bytes', chunk[2])
redis.call('HINCRBY', 'sheaf:waiting', 'open:' .. ARGV[2], chunk[1])
redis.call('HINCRBY', 'sheaf:totals', 'replayed_chunks', 1)
return 1
