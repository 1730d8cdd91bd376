-- Puts a chunk among the open ones of its signal, and in the queue of its workspace. A workspace
-- that had none gets its turn right after the one that is next: were it before that one, many such
-- workspaces could keep it from its turn.
local function enqueue(signal, workspace, id, now)
  redis.call('ZADD', keys.open .. signal, now, id)
  redis.call('ZADD', keys.queue .. signal .. ':' .. workspace, now, id)
  local turns = keys.turns .. signal
  if not redis.call('ZSCORE', turns, workspace) then
    local next = redis.call('ZRANGE', turns, 0, 0, 'WITHSCORES')[2]
    local place = next and next + 1 or redis.call('HGET', keys.waiting, 'turn:' .. signal) or 0
    redis.call('ZADD', turns, place, workspace)
  end
end
