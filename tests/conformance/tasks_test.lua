-- SPDX-License-Identifier: MIT
-- Tasks on every runtime: spawning and joining, sleeping in order, cancellation, scopes, timeouts.

local rt = require "rt"
local failure = require "failure"
local test = rt.test

-- Several workers promise no order.
local ordered = os.getenv("RT_TEST_WORKERS") == "1"

test("ten thousand tasks are spawned and joined", function(t)
  local tasks, sum = {}, 0
  for i = 1, 10000 do tasks[i] = rt.spawn(function(n) return n end, i) end
  for i = 1, 10000 do sum = sum + tasks[i]:await() end
  t:equal(sum, 10000 * 10001 / 2)
end)

test("a tree of tasks", function(t)
  local function grow(depth)
    if depth == 0 then return 1 end
    local left, right = rt.spawn(grow, depth - 1), rt.spawn(grow, depth - 1)
    return left:await() + right:await()
  end
  t:equal(grow(10), 1024)
end)

test("tasks take turns", function(t)
  local turns, tasks, sum, behind = {}, {}, 0, 0
  for i = 1, 100 do
    turns[i] = 0
    tasks[i] = rt.spawn(function()
      for turn = 1, 100 do
        turns[i] = turn
        if i > 1 then behind = math.max(behind, turn - turns[i - 1]) end
        rt.yield()
      end
    end)
  end
  for i = 1, 100 do
    tasks[i]:await()
    sum = sum + turns[i]
  end
  t:equal(sum, 10000)
  if ordered then t:equal(behind, 0) end
end)

test("a failure is raised where the task is awaited", function(t)
  local task = rt.spawn(function()
    rt.sleep(0.001)
    error("boom", 0)
  end)
  t:error(function() task:await() end, "boom")
end)

-- On a machine that is so slow that the first would wake before the last one sleeps, there is no order.
test("who sleeps longer wakes later", function(t)
  local order, tasks, late, base = {}, {}, false, rt.now() + 0.02
  for i = 1, 20 do
    local place = i * 7 % 20
    tasks[i] = rt.spawn(function()
      late = late or rt.now() >= base
      rt.sleep_until(base + place * 0.002)
      t:ok(rt.now() >= base + place * 0.002 - 1e-6)
      table.insert(order, place)
    end)
  end
  for i = 1, 20 do tasks[i]:await() end
  t:equal(#order, 20)
  for i = 2, ordered and not late and 20 or 1 do
    t:ok(order[i - 1] < order[i], ("%d before %d"):format(order[i - 1], order[i]))
  end
end)

test("an interval ticks", function(t)
  local begin, ticks = rt.now(), 0
  for _ in rt.interval(0.001) do
    ticks = ticks + 1
    if ticks == 5 then break end
  end
  t:ok(rt.now() - begin >= 0.005 - 1e-6)
end)

test("waits are anywhere", function(t)
  local list = {5, 3, 8, 1, 9, 2}
  table.sort(list, function(a, b)
    rt.sleep(0.0001)
    return a < b
  end)
  t:equal(table.concat(list, " "), "1 2 3 5 8 9")
  local text = ("a b c"):gsub("%a", function(letter)
    rt.yield()
    return letter:upper()
  end)
  t:equal(text, "A B C")
  local co = coroutine.wrap(function()
    rt.sleep(0.0001)
    coroutine.yield(1)
    rt.yield()
    return 2
  end)
  t:equal(co() + co(), 3)
end)

test("every wait is cancelled, after any number of turns", function(t)
  local channel, mutex = rt.sync.channel(), rt.sync.mutex()
  local socket = assert(rt.net.udp.bind("127.0.0.1:0"))
  local sleeper = rt.spawn(function() rt.sleep(1000) end)
  mutex:lock()
  local waits = {
    function() rt.sleep(1000) end,
    function() channel:recv() end,
    function() channel:send(1) end,
    function() mutex:lock() end,
    function() sleeper:await() end,
    function() rt.select {channel, timeout = 1000} end,
    function() socket:recv_from() end,
    function() while true do rt.yield() end end,
    function() table.sort({2, 1}, function() rt.sleep(1000) end) end,
  }
  for turns = 0, 10 do
    for _, wait in ipairs(waits) do
      local task = rt.spawn(wait)
      for _ = 1, turns do rt.yield() end
      task:cancel()
      local ok, err = task:join()
      t:equal(ok, false)
      t:equal(err, rt.cancelled)
      if wait == waits[7] then
        socket:close()
        socket = assert(rt.net.udp.bind("127.0.0.1:0"))
      end
    end
  end
  mutex:unlock()
  socket:close()
  sleeper:cancel()
  sleeper:join()
end)

test("a scope waits for its tasks", function(t)
  local ended = 0
  local result = rt.scope(function(scope)
    for i = 1, 100 do
      scope:spawn(function()
        rt.sleep(i % 5 * 0.0005)
        ended = ended + 1
      end)
    end
    return "done"
  end)
  t:equal(result, "done")
  t:equal(ended, 100)
end)

test("a failure cancels the scope", function(t)
  local cancelled = 0
  t:error(function()
    rt.scope(function(scope)
      for _ = 1, 20 do
        scope:spawn(function()
          local ok, err = pcall(rt.sleep, 1000)
          if not ok and err == rt.cancelled then cancelled = cancelled + 1 end
          error(err, 0)
        end)
      end
      scope:spawn(function()
        rt.sleep(0.001)
        error("boom", 0)
      end)
    end)
  end, "boom")
  t:equal(cancelled, 20)
end)

test("timeouts", function(t)
  local begin = rt.now()
  failure("timeout", "ETIMEDOUT", rt.timeout(0.005, rt.sleep, 1000))
  t:ok(rt.now() - begin >= 0.005 - 1e-6)
  t:equal(rt.timeout(1000, function() return "in time" end), "in time")
  t:equal(rt.timeout(1000, function()
    failure("timeout", "ETIMEDOUT", rt.timeout(0.002, rt.sleep, 1000))
    return "outer"
  end), "outer")
end)
