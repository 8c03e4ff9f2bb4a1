-- SPDX-License-Identifier: MIT
-- What synchronisation between Lua tasks costs. rtlua sync.lua [SCALE]; see run-sync.sh.
local rt = require "rt"

local operations = math.floor((tonumber(arg[1]) or 1) * 2e6) + 1
local CONTENDERS, CAPACITY = 10, 64

-- Runs each of the functions as a task.
local function measure(key, times, fns)
  local tasks = {}
  local began = rt.now()
  for i, fn in ipairs(fns) do tasks[i] = rt.spawn(fn) end
  for _, task in ipairs(tasks) do task:await() end
  print(("%s=%.2f"):format(key, (rt.now() - began) * 1e9 / times))
end

local function measure_locks()
  local mutex, semaphore = rt.sync.mutex(), rt.sync.semaphore(1)
  measure("mutex_ns", operations, {function()
    for _ = 1, operations do
      mutex:lock()
      mutex:unlock()
    end
  end})
  measure("semaphore_ns", operations, {function()
    for _ = 1, operations do
      semaphore:acquire()
      semaphore:release()
    end
  end})
  local rounds, contenders = math.floor(operations / CONTENDERS) + 1, {}
  for i = 1, CONTENDERS do
    contenders[i] = function()
      for _ = 1, rounds do
        mutex:lock()
        rt.yield() -- so that all the others queue up
        mutex:unlock()
      end
    end
  end
  measure("mutex_contended_ns", rounds * CONTENDERS, contenders)
end

local function sender(ch)
  return function()
    for i = 1, operations do ch:send(i) end
  end
end

local function receiver(ch)
  return function()
    for _ = 1, operations do ch:recv() end
  end
end

local function measure_chans()
  local buffer, a, b = rt.sync.channel(CAPACITY), rt.sync.channel(), rt.sync.channel()
  measure("chan_buffered_ns", operations, {sender(buffer), receiver(buffer)})
  measure("chan_rendezvous_ns", operations, {sender(a), receiver(a)})
  measure("chan_ping_pong_ns", operations, {function()
    for _ = 1, operations do b:send((a:recv())) end
  end, function()
    for i = 1, operations do
      a:send(i)
      b:recv()
    end
  end})
  measure("select_2_ns", operations, {function()
    local cases = {a, b}
    for _ = 1, operations do rt.select(cases) end
  end, sender(a)})
end

local function measure_spawns()
  local function nothing() end
  measure("spawn_join_ns", operations, {function()
    for _ = 1, operations do rt.spawn(nothing):await() end
  end})
end

measure_locks()
measure_chans()
measure_spawns()
