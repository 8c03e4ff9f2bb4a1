-- SPDX-License-Identifier: MIT
-- rt.select: channels, tasks, events.

local rt = require "rt"
local failure = require "failure"

local channel, event = rt.sync.channel, rt.sync.event
local settle = require("tasks").settle

local function pack(...) return {n = select("#", ...), ...} end

-- All results, compared one by one.
local function same(t, results, ...)
  local expected = pack(...)
  t:equal(results.n, expected.n)
  for i = 1, expected.n do t:equal(results[i], expected[i]) end
end

-- The results of a select at once, and of one that had to wait for act().
local function both(cases, act)
  local task = rt.spawn(function() return pack(rt.select(cases())) end)
  settle()
  local waited = task:status() == "waiting"
  act()
  local later = task:await()
  act()
  return later, pack(rt.select(cases())), waited
end

rt.test("receiving", function(t)
  local ch, idle = channel(1), channel()
  local later, at_once, waited = both(function() return {idle, ch} end, function() ch:send("value") end)
  t:ok(waited)
  same(t, later, 2, "value")
  same(t, at_once, 2, "value")
end)

rt.test("sending", function(t)
  local ch, idle = channel(), channel()
  local received = {}
  local later, at_once, waited = both(function() return {{ch, "value"}, idle} end, function()
    rt.spawn(function() received[#received + 1] = ch:recv() end)
    settle()
  end)
  t:ok(waited)
  same(t, later, 1, true)
  same(t, at_once, 1, true)
  settle()
  t:equal(#received, 2)
  t:equal(received[2], "value")
end)

rt.test("false can be received and sent", function(t)
  local ch = channel(1)
  same(t, pack(rt.select{{ch, false}}), 1, true)
  same(t, pack(rt.select{ch}), 1, false)
end)

rt.test("closed channels", function(t)
  local recv_chan, send_chan = channel(), channel()
  local receiver = rt.spawn(function() return pack(rt.select{channel(), recv_chan}) end)
  local sender = rt.spawn(function() return pack(rt.select{channel(), channel(), {send_chan, 1}}) end)
  settle()
  recv_chan:close()
  send_chan:close()
  same(t, receiver:await(), 2, nil, "closed", "EOF")
  same(t, sender:await(), 3, nil, "closed", "EPIPE")
  same(t, pack(rt.select{recv_chan}), 1, nil, "closed", "EOF")
  same(t, pack(rt.select{{send_chan, 1}}), 1, nil, "closed", "EPIPE")
end)

rt.test("tasks: what await gives", function(t)
  local idle, start = channel(), event()
  local task
  local later, at_once, waited = both(function()
    task = task or rt.spawn(function()
      start:wait()
      return 1, nil, 3, nil
    end)
    return {idle, task}
  end, function() start:set() end)
  t:ok(waited)
  same(t, later, 2, 1, nil, 3, nil)
  same(t, at_once, 2, 1, nil, 3, nil)
  same(t, pack(rt.select{rt.spawn(function() end)}), 1)
end)

rt.test("tasks: errors are raised with both tracebacks", function(t)
  local function fail() error("boom") end
  local task = rt.spawn(fail)
  local err = t:error(function() rt.select{channel(), task} end, "select_test.lua:%d+: boom")
  t:ok(err:find("stack traceback:", 1, true), err)
  t:ok(err:find("task spawned at .-select_test.lua:%d+"), err)
  local object = {}
  t:equal(t:error(function() rt.select{rt.spawn(error, object)} end), object)
  local cancelled = rt.spawn(rt.sleep, 60)
  cancelled:cancel()
  t:equal(t:error(function() rt.select{cancelled} end), rt.cancelled)
end)

rt.test("events", function(t)
  local flag = event()
  local later, at_once, waited = both(function() return {channel(), flag} end, function() flag:set() end)
  t:ok(waited)
  same(t, later, 2, true)
  same(t, at_once, 2, true)
end)

rt.test("timeouts", function(t)
  local ch = channel()
  same(t, pack(rt.select{ch, timeout = 0.001}), nil, "timeout", "ETIMEDOUT")
  same(t, pack(rt.select{ch, timeout = 0}), nil, "timeout", "ETIMEDOUT")
  same(t, pack(rt.select{ch, {ch, 1}, timeout = -1}), nil, "timeout", "ETIMEDOUT")
  same(t, pack(rt.select{timeout = 0.001}), nil, "timeout", "ETIMEDOUT")
  local before = rt.now()
  rt.select{ch, timeout = 0.01}
  t:ok(rt.now() - before >= 0.01)
  local ready = channel(1)
  ready:send("ready")
  same(t, pack(rt.select{ready, timeout = 0}), 1, "ready")
  local task = rt.spawn(function() return pack(rt.select{ch, timeout = math.huge}) end)
  ch:send("late")
  same(t, task:await(), 1, "late")
end)

rt.test("losers lose nothing", function(t)
  local full, empty, closed = channel(1), channel(1), channel(1)
  for _ = 1, 100 do
    full:send("kept")
    local index, value = rt.select{full, {empty, "sent"}, {full, "never"}}
    if index == 1 then
      t:equal(value, "kept")
      t:equal(empty:count(), 0)
    else
      t:equal(index, 2)
      t:equal(full:recv(), "kept")
      t:equal(empty:recv(), "sent")
    end
  end
  t:equal(full:count() + empty:count() + closed:count(), 0)
end)

rt.test("one of several that can happen is chosen by chance", function(t)
  local chans, seen = {channel(100), channel(100), channel(100)}, {0, 0, 0}
  for i = 1, 100 do
    for k = 1, 3 do chans[k]:send(i) end
  end
  for _ = 1, 100 do
    local index = rt.select(chans)
    seen[index] = seen[index] + 1
  end
  for k = 1, 3 do
    t:ok(seen[k] > 0)
    t:equal(chans[k]:count(), 100 - seen[k])
  end
end)

rt.test("selects meet each other", function(t)
  local a, b = channel(), channel()
  local left = rt.spawn(function() return pack(rt.select{{a, "to the right"}, b}) end)
  local right = rt.spawn(function() return pack(rt.select{a, {b, "to the left"}}) end)
  local l, r = left:await(), right:await()
  if l[1] == 1 then
    same(t, l, 1, true)
    same(t, r, 1, "to the right")
  else
    same(t, l, 2, "to the left")
    same(t, r, 2, true)
  end
  failure("would block", "EAGAIN", a:try_recv())
  failure("would block", "EAGAIN", b:try_recv())
end)

rt.test("many cases, and one channel in several", function(t)
  local chans = {}
  for i = 1, 100 do chans[i] = channel() end
  local task = rt.spawn(function() return pack(rt.select(chans)) end)
  settle()
  chans[77]:send("found")
  same(t, task:await(), 77, "found")
  for i = 1, 100 do failure("would block", "EAGAIN", chans[i]:try_send(1)) end
  local ch = channel()
  task = rt.spawn(function() return pack(rt.select{ch, ch, {ch, 1}, {ch, 2}}) end)
  settle()
  ch:send("once")
  local results = task:await()
  t:ok(results[1] == 1 or results[1] == 2)
  t:equal(results[2], "once")
  failure("would block", "EAGAIN", ch:try_recv())
end)

rt.test("the table may be changed while select waits", function(t)
  local ch, flag = channel(), event()
  local cases = {ch, {ch, "value"}, flag, timeout = 60}
  local task = rt.spawn(function() return pack(rt.select(cases)) end)
  settle()
  cases[2][1], cases[2][2] = nil, nil
  cases[1], cases[2], cases[3], cases.timeout = 1, 2, 3, 4
  ch = nil -- luacheck: ignore
  collectgarbage()
  collectgarbage()
  flag:set()
  same(t, task:await(), 3, true)
end)

rt.test("values that were not sent are let go of", function(t)
  local weak = setmetatable({}, {__mode = "v"})
  local ch, flag = channel(), event()
  local task = rt.spawn(function()
    weak[1], weak[2] = {}, {}
    local results = pack(rt.select{{ch, weak[1]}, {ch, weak[2]}, flag})
    rt.sleep(0) -- others use the stack
    return results
  end)
  settle()
  collectgarbage()
  t:ok(weak[1] and weak[2], "they are still to be sent")
  flag:set()
  same(t, task:await(), 3, true)
  task = nil -- luacheck: ignore
  collectgarbage()
  collectgarbage()
  t:equal(next(weak), nil)
  failure("would block", "EAGAIN", ch:try_recv())
end)

rt.test("cancellation: nothing is received or sent", function(t)
  local ch, flag = channel(), event()
  local places = {
    function(wait) wait() end,
    function(wait) table.sort({1, 2}, function() wait() end) end,
    function(wait) coroutine.wrap(wait)() end,
  }
  local sleeper = rt.spawn(rt.sleep, 60)
  for _, place in ipairs(places) do
    local task = rt.spawn(place, function() rt.select{ch, {channel(), 1}, {ch, 2}, flag, sleeper, timeout = 60} end)
    settle()
    t:equal(task:status(), "waiting")
    task:cancel()
    t:equal(select(2, task:join()), rt.cancelled)
    failure("would block", "EAGAIN", ch:try_recv())
    failure("would block", "EAGAIN", ch:try_send(1))
  end
  sleeper:cancel()
end)

rt.test("what has happened beats a cancellation", function(t)
  local ch = channel()
  local task = rt.spawn(function() return pack(rt.select{channel(), ch}) end)
  settle()
  ch:send("kept")
  task:cancel()
  same(t, task:await(), 2, "kept")
end)

rt.test("waits where the carrier is kept", function(t)
  local ch = channel()
  rt.spawn(function()
    for i = 1, 100 do ch:send(i) end
    ch:close()
  end)
  local generator = coroutine.wrap(function()
    while true do
      local _, value = rt.select{channel(), ch}
      coroutine.yield(value)
      if not value then return end
    end
  end)
  local list, sum = {}, 0
  for i = 1, 20 do list[i] = i * 7 % 20 end
  table.sort(list, function(a, b)
    if sum < 100 then
      local index, value = rt.select{ch}
      t:equal(index, 1)
      sum = sum + value
    end
    return a < b
  end)
  for i = 1, 20 do t:equal(list[i], i - 1) end
  for value in generator do sum = sum + value end
  t:equal(sum, 5050)
end)

rt.test("misuse raises at the caller's line, naming the case", function(t)
  local ch, flag = channel(1), event()
  local cases = {
    {"bad argument #1 to 'select' %(table expected, got nil", function() rt.select() end},
    {"bad argument #1 to 'select' %(table expected, got userdata", function() rt.select(ch) end},
    {"bad argument #1 to 'select' %(no cases and no timeout", function() rt.select{} end},
    {"bad case #2 to 'select' %(channel, task or event expected, got number%)", function() rt.select{ch, 5} end},
    {"bad case #1 to 'select' %(channel, task or event expected, got string%)", function() rt.select{"x"} end},
    {"bad case #1 to 'select' %(channel, task or event expected, got userdata%)",
      function() rt.select{rt.sync.mutex()} end},
    {"bad case #2 to 'select' %(channel, task or event expected, got nil%)", function() rt.select{flag, nil, ch} end},
    {"bad case #2 to 'select' %(channel, task or event expected, got nil%)", function() rt.select{flag, [5] = ch} end},
    {"bad case #1 to 'select' %(channel, task or event expected, got nil%)",
      function() rt.select{[0] = ch, timeout = 1} end},
    {"bad case #2 to 'select' %(channel, task or event expected, got nil%)",
      function() rt.select{flag, [1.5] = ch} end},
    {"bad case #1 to 'select' %(channel, {channel, value}, task or event expected, got nil%)",
      function() rt.select{{}} end},
    {"bad case #1 to 'select' %(channel, {channel, value}, task or event expected, got userdata%)",
      function() rt.select{{flag, 1}} end},
    {"bad case #2 to 'select' %(value to send expected, got nil%)", function() rt.select{flag, {ch}} end},
    {"bad case #2 to 'select' %(a task cannot wait for its own end%)",
      function() rt.select{{ch, 1}, rt.task.current()} end},
    {"bad timeout to 'select' %(number expected, got string%)", function() rt.select{ch, timeout = "soon"} end},
    {"bad timeout to 'select' %(number expected, got NaN%)", function() rt.select{ch, timeout = 0 / 0} end},
    {"bad option 'timout' to 'select'", function() rt.select{ch, timout = 1} end},
  }
  for _, case in ipairs(cases) do t:error(case[2], "select_test.lua:%d+: " .. case[1]) end
  t:equal(ch:count(), 0)
end)

rt.test("many selects, nothing is lost", function(t)
  local a, b, stop = channel(), channel(2), event()
  local sent, received, tasks = {}, {}, {}
  for id = 1, 50 do
    tasks[id] = rt.spawn(function()
      for i = 1, 100 do
        local value = id * 1000 + i
        local index, got = rt.select{{a, value}, {b, value}, a, b, stop}
        if index == 1 or index == 2 then
          sent[value] = true
        elseif index == 5 then
          return
        else
          t:equal(received[got], nil)
          received[got] = true
        end
        rt.yield()
      end
      stop:set()
    end)
  end
  for _, task in ipairs(tasks) do task:await() end
  for value in function() return (b:try_recv()) end do received[value] = true end
  local count = 0
  for value in pairs(sent) do
    t:ok(received[value])
    count = count + 1
  end
  for value in pairs(received) do t:ok(sent[value]) end
  t:ok(count > 100)
end)
