-- SPDX-License-Identifier: MIT
-- The operations of cores.c in Lua, and the way to another VM and back. All tasks but those of rt.parallel
-- are in one VM, which one worker at a time runs. rtlua --runtime=NAME --workers=N cores.lua [MS]; see
-- run-cores.sh.
local rt = require "rt"

local limit = (tonumber(arg[1]) or 300) / 1000
local BURST, BUFFERED = 100, 64

local function nothing() end

local function spawn_join(n)
  for _ = 1, n do rt.spawn(nothing):await() end
end

local function spawn_many(n)
  for _ = 1, n, BURST do
    local tasks = {}
    for i = 1, BURST do tasks[i] = rt.spawn(nothing) end
    for i = 1, BURST do tasks[i]:await() end
  end
end

local function both(one, other)
  local task = rt.spawn(one)
  rt.spawn(other):await()
  task:await()
end

local function yield(n)
  local function often()
    for _ = 1, n / 2 + 1 do rt.yield() end
  end
  both(often, often)
end

local function ping_pong(capacity)
  return function(n)
    local to, from = rt.sync.channel(capacity), rt.sync.channel(capacity)
    both(function()
      for _ = 1, n do from:send(to:recv()) end
    end, function()
      for _ = 1, n do
        to:send(1)
        from:recv()
      end
    end)
  end
end

local function stream(n)
  local channel = rt.sync.channel(BUFFERED)
  both(function()
    for i = 1, n do channel:send(i) end
  end, function()
    for _ = 1, n do channel:recv() end
  end)
end

local function parallel(n)
  for _ = 1, n do rt.parallel(nothing):await() end
end

-- As many as take the time; the last attempt counts.
local function measure(key, run)
  local n = 100
  while true do
    local began = rt.now()
    run(n)
    local took = rt.now() - began
    if took >= limit / 2 then
      print(("%s=%.1f"):format(key, took * 1e9 / n))
      return
    end
    n = math.floor(n * math.min(limit / took, 10)) + 1
  end
end

measure("spawn_join_ns", spawn_join)
measure("spawn_many_ns", spawn_many)
measure("yield_ns", yield)
measure("rendezvous_ns", ping_pong(0))
measure("buffered_ns", ping_pong(1))
measure("stream_ns", stream)
measure("parallel_ns", parallel)
