-- SPDX-License-Identifier: MIT
-- rt.time: the clock, sleeping, intervals, timeouts; NaN, negative and enormous durations.

local rt = require "rt"
local failure = require "failure"

local NAN, HUGE = 0 / 0, math.huge

rt.test("rt has what rt.time has", function(t)
  local time = require "rt.time"
  t:equal(rt.time, time)
  for _, name in ipairs {"sleep", "sleep_until", "interval", "timeout", "now"} do t:equal(rt[name], time[name]) end
end)

rt.test("now is monotonic seconds", function(t)
  local before = rt.now()
  t:equal(type(before), "number")
  for _ = 1, 1000 do
    local after = rt.now()
    t:ok(after >= before)
    before = after
  end
end)

rt.test("sleep lasts at least as long and gives the time", function(t)
  local before = rt.now()
  local after = rt.sleep(0.02)
  t:ok(after - before >= 0.02, after - before)
  t:ok(after <= rt.now())
  before = rt.now()
  t:ok(rt.sleep_until(before + 0.02) >= before + 0.02)
end)

rt.test("sleepers wake in the order of their deadlines", {clock = "virtual"}, function(t)
  local order, tasks = {}, {}
  local base = rt.now() + 0.02
  for i, delay in ipairs {0.03, 0.01, 0.02, 0} do
    tasks[i] = rt.spawn(function()
      rt.sleep_until(base + delay)
      order[#order + 1] = i
    end)
  end
  for i = 1, 4 do tasks[i]:await() end
  t:equal(table.concat(order), "4231")
end)

rt.test("durations that are over already still give way", function(t)
  for _, seconds in ipairs {0, -1, -1e300, -HUGE, 1e-12} do
    local ran = false
    local task = rt.spawn(function() ran = true end)
    local before = rt.now()
    rt.sleep(seconds)
    t:ok(ran, "the other task has not run at sleep(" .. seconds .. ")")
    t:ok(rt.now() - before < 20)
    task:await()
  end
  for _, time in ipairs {0, -1, -1e300, -HUGE, rt.now()} do
    local ran = false
    local task = rt.spawn(function() ran = true end)
    rt.sleep_until(time)
    t:ok(ran, "the other task has not run at sleep_until(" .. time .. ")")
    task:await()
  end
end)

rt.test("enormous durations never end", function(t)
  for _, seconds in ipairs {1e9, 1e18, 1e300, HUGE} do
    local task = rt.spawn(rt.sleep, seconds)
    local till = rt.spawn(rt.sleep_until, seconds + rt.now())
    rt.sleep(0.002)
    t:equal(task:status(), "waiting")
    t:equal(till:status(), "waiting")
    task:cancel()
    till:cancel()
    t:equal(select(2, task:join()), rt.cancelled)
    t:equal(select(2, till:join()), rt.cancelled)
    t:equal(rt.timeout(seconds, function() rt.yield() return "in time" end), "in time")
  end
end)

rt.test("NaN and what is no number raise", function(t)
  for _, name in ipairs {"sleep", "sleep_until"} do
    t:error(function() rt[name](NAN) end,
      "time_test.lua:%d+: bad argument #1 to '[%a_?]+' %(number expected, got NaN%)")
  end
  t:error(function() rt.sleep(NAN) end, "bad argument #1 to 'sleep' (number expected, got NaN)")
  t:error(function() rt.sleep("soon") end,
    "time_test.lua:%d+: bad argument #1 to 'sleep' %(number expected, got string%)")
  t:error(function() rt.sleep() end, "bad argument #1 to 'sleep' (number expected, got ")
  t:error(function() rt.sleep({}) end, "bad argument #1 to 'sleep' (number expected, got table)")
  t:error(function() rt.sleep_until(nil) end, "bad argument #1 to 'sleep_until' (number expected, got nil)")
  t:error(function() rt.interval("x") end,
    "time_test.lua:%d+: bad argument #1 to 'interval' %(number expected, got string%)")
  for _, seconds in ipairs {0, -1, NAN, -HUGE} do
    t:error(function() rt.interval(seconds) end, "time_test.lua:%d+: bad argument #1 to 'interval' %(positive")
  end
  t:error(function() rt.timeout(1) end,
    "time_test.lua:%d+: bad argument #2 to 'timeout' %(function expected, got nil%)")
  t:error(function() rt.timeout(1, {}) end, "bad argument #2 to 'timeout' (function expected, got table)")
  t:error(function() rt.timeout("x", print) end, "time_test.lua:%d+: bad argument #1 to 'timeout' %(number expected")
  t:error(function() rt.timeout(NAN, print) end, "bad argument #1 to 'timeout' (number expected, got NaN)")
  t:error(function() rt.timeout(nil, print) end, "bad argument #1 to 'timeout' (number expected, got nil)")
end)

rt.test("an interval ticks without drift, first after its period", function(t)
  local start, count = rt.now(), 0
  for now in rt.interval(0.01) do
    count = count + 1
    t:ok(now - start >= count * 0.01 - 1e-6, ("tick %d after %f"):format(count, now - start))
    if count == 5 then break end
    rt.sleep(0.003)
  end
end)

rt.test("ticks that were missed are skipped", function(t)
  local period = 0.02
  local start = rt.now()
  local tick = rt.interval(period)
  t:ok(tick() - start >= period)
  rt.sleep(period * 3.5)
  local late = tick()
  local next_one = tick()
  t:ok(next_one > late, "the ticks that were missed came one after the other")
  t:ok(next_one - start >= 5 * period, "the tick after the late one is on the grid: " .. (next_one - start))
end)

rt.test("an interval of an enormous period never ticks", function(t)
  for _, seconds in ipairs {1e300, HUGE} do
    failure("timeout", "ETIMEDOUT", rt.timeout(0.01, rt.interval(seconds)))
  end
end)

rt.test("timeout gives the results, nils among them", function(t)
  t:equal(select("#", rt.timeout(60, function(...) return ... end, nil, 1, nil)), 3)
  t:equal(select("#", rt.timeout(60, function() end)), 0)
  t:equal(select(2, rt.timeout(60, function(...) rt.yield() return ... end, 1, 2)), 2)
end)

rt.test("timeout ends a wait", function(t)
  local before = rt.now()
  failure("timeout", "ETIMEDOUT", rt.timeout(0.02, rt.sleep, 60))
  t:ok(rt.now() - before >= 0.02)
  t:ok(rt.now() - before < 30)
  t:ok(rt.sleep(0.001), "the task itself goes on")
end)

rt.test("an expired timeout raises rt.cancelled, again and again until it is left", function(t)
  local count = 0
  failure("timeout", "ETIMEDOUT", rt.timeout(0.01, function()
    for _ = 1, 3 do
      local ok, err = pcall(rt.sleep, 60)
      if not ok and err == rt.cancelled then count = count + 1 end
    end
    rt.sleep(60)
  end))
  t:equal(count, 3)
end)

rt.test("a function that returns after its deadline has its results", function(t)
  t:equal(rt.timeout(0.001, function()
    pcall(rt.sleep, 60)
    return "late"
  end), "late")
  t:ok(rt.sleep(0.001))
end)

rt.test("a ready result beats an expired deadline", function(t)
  local task = rt.spawn(function() return "ready" end)
  task:await()
  for _, seconds in ipairs {0, -1, -HUGE} do
    t:equal(rt.timeout(seconds, function() return task:await() end), "ready")
  end
  local listener = assert(rt.net.tcp.listen("127.0.0.1:0"))
  local conn = assert(rt.net.tcp.connect(listener:local_addr()))
  local peer = assert(listener:accept())
  assert(peer:write("data"))
  assert(rt.wait_fd(conn:fd(), "r", 30))
  t:equal(rt.timeout(0, function() return conn:read() end), "data")
  conn:close()
  peer:close()
  listener:close()
end)

rt.test("a timeout that is over at once", function(t)
  for _, seconds in ipairs {0, -1, -1e300, -HUGE} do
    failure("timeout", "ETIMEDOUT", rt.timeout(seconds, rt.sleep, 60))
    t:equal(rt.timeout(seconds, function() return "did not wait" end), "did not wait")
  end
end)

rt.test("an error of the function passes through", function(t)
  local object = {}
  t:equal(t:error(function() rt.timeout(60, function() error(object) end) end), object)
  t:error(function() rt.timeout(60, function() error("boom") end) end, "time_test.lua:%d+: boom")
  t:error(function() rt.timeout(0, function() error("boom", 0) end) end, "boom")
  local ok, err = pcall(rt.timeout, 60, error, nil)
  t:equal(ok, false)
  t:equal(err, nil)
  t:error(function()
    rt.timeout(0.001, function()
      pcall(rt.sleep, 60)
      error("after the deadline")
    end)
  end, "after the deadline")
  t:ok(rt.sleep(0.001))
end)

rt.test("rt.cancelled that nobody's deadline has raised passes through", function(t)
  t:equal(t:error(function() rt.timeout(60, error, rt.cancelled) end), rt.cancelled)
end)

rt.test("nested: the inner one is shorter", function(t)
  local inner
  local outer = rt.timeout(60, function()
    inner = {rt.timeout(0.01, rt.sleep, 60)}
    rt.sleep(0.001)
    return "outer goes on"
  end)
  t:equal(inner[2], "timeout")
  t:equal(outer, "outer goes on")
end)

rt.test("nested: the outer one is shorter", function(t)
  local inner
  local value, message, code = rt.timeout(0.01, function()
    inner = {pcall(rt.timeout, 60, rt.sleep, 60)}
    rt.sleep(60)
    return "never"
  end)
  t:equal(value, nil)
  t:equal(message, "timeout")
  t:equal(code, "ETIMEDOUT")
  t:equal(inner[1], false)
  t:equal(inner[2], rt.cancelled)
end)

rt.test("nested: both at the same time end both", function(t)
  local deadline = rt.now() + 0.01
  failure("timeout", "ETIMEDOUT", rt.timeout(deadline - rt.now(), function()
    rt.timeout(deadline - rt.now(), rt.sleep, 60)
    rt.sleep(60)
  end))
  failure("timeout", "ETIMEDOUT", rt.timeout(-HUGE, function()
    rt.timeout(-HUGE, rt.sleep, 60)
    rt.sleep(60)
  end))
  t:ok(rt.sleep(0.001))
end)

rt.test("nested: the outer one has expired before the inner one is entered", function(t)
  local inner_ran
  failure("timeout", "ETIMEDOUT", rt.timeout(0, function()
    rt.timeout(60, function()
      inner_ran = true
      rt.sleep(60)
    end)
  end))
  t:equal(inner_ran, true)
  t:ok(rt.sleep(0.001))
end)

rt.test("a hundred timeouts inside of each other", function(t)
  local function nest(depth)
    if depth == 0 then return rt.sleep(60) end
    return rt.timeout(60 + depth, nest, depth - 1)
  end
  failure("timeout", "ETIMEDOUT", rt.timeout(0.02, nest, 100))
  t:ok(rt.sleep(0.001))
end)

-- A coroutine that is in a timeout, which has passed when it is dropped.
local function drop_in_timeout()
  coroutine.wrap(function() rt.timeout(-1, coroutine.yield) end)()
end

rt.test("a timeout of a dropped coroutine ends with the one around it", function(t)
  t:equal(rt.timeout(60, function()
    drop_in_timeout()
    return "in time"
  end), "in time")
  t:equal(rt.timeout(60, function() rt.yield() return "in time" end), "in time")
end)

rt.test("a timeout of a dropped coroutine is collected", function(t)
  drop_in_timeout()
  collectgarbage()
  collectgarbage()
  rt.yield()
  t:equal(rt.spawn(function() drop_in_timeout() return "ended" end):await(), "ended")
  collectgarbage()
  collectgarbage()
  t:equal(rt.timeout(60, function() rt.yield() return "in time" end), "in time")
end)

rt.test("a coroutine leaves its timeout in another one of its task", function(t)
  local inner = coroutine.wrap(function() return select(2, rt.timeout(-1, coroutine.yield)) end)
  inner()
  -- It is the outer one, and takes this one along.
  rt.timeout(-1, function() t:equal(inner(), nil) end)
  rt.yield()
end)

rt.test("a cancellation passes through a timeout", function(t)
  local task = rt.spawn(function() return rt.timeout(60, rt.sleep, 60) end)
  rt.yield()
  task:cancel()
  t:equal(select(2, task:join()), rt.cancelled)
  t:equal(task:status(), "cancelled")
end)

rt.test("timeout works where the carrier is kept", function(t)
  table.sort({1, 2, 3}, function(a, b)
    failure("timeout", "ETIMEDOUT", rt.timeout(0.002, rt.sleep, 60))
    return a < b
  end)
  t:equal(coroutine.wrap(function() return select(2, rt.timeout(0.002, rt.sleep, 60)) end)(), "timeout")
end)

rt.test("a timeout in one task leaves the others alone", function(t)
  local other = rt.spawn(function() rt.sleep(0.03) return "whole" end)
  failure("timeout", "ETIMEDOUT", rt.timeout(0.005, function() return other:await() end))
  t:equal(other:await(), "whole")
end)

rt.test("time goes on while tasks of the VM do nothing but yield", function(t)
  local done, turns = false, 0
  local function work()
    while not done do
      turns = turns + 1
      rt.yield()
    end
  end
  local tasks = {rt.spawn(work), rt.spawn(work), rt.spawn(work)}
  rt.sleep(0.001)
  done = true
  for _, task in ipairs(tasks) do task:await() end
  t:ok(turns >= 3)
end)
