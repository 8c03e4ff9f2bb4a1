-- SPDX-License-Identifier: MIT
-- rt.sync: channels.

local rt = require "rt"
local failure = require "failure"
local support = require "tasks"

local sync = rt.sync
local settle, spawn_all, await_all, many = support.settle, support.spawn_all, support.await_all, support.many

rt.test("a rendezvous hands over, in both orders of arrival", function(t)
  local ch, sent = sync.channel(), false
  local sender = rt.spawn(function()
    local result = ch:send("first")
    sent = true
    return result
  end)
  settle()
  t:equal(sent, false)
  t:equal(sender:status(), "waiting")
  t:equal(ch:recv(), "first")
  t:equal(sender:await(), true)
  local receiver = rt.spawn(function() return ch:recv() end)
  settle()
  t:equal(receiver:status(), "waiting")
  t:equal(ch:send("second"), true)
  t:equal(receiver:await(), "second")
  t:equal(ch:count(), 0)
  t:equal(ch:capacity(), 0)
end)

rt.test("a buffer takes as much as it holds", function(t)
  local ch = sync.channel(2)
  t:equal(ch:send(1), true)
  t:equal(ch:send(2), true)
  t:equal(ch:count(), 2)
  t:equal(ch:capacity(), 2)
  local sender = rt.spawn(function() return ch:send(3) end)
  settle()
  t:equal(sender:status(), "waiting")
  t:equal(ch:recv(), 1)
  t:equal(sender:await(), true)
  t:equal(ch:recv(), 2)
  t:equal(ch:recv(), 3)
end)

rt.test("results are exactly that many", function(t)
  local ch = sync.channel(1)
  t:equal(select("#", ch:send(1)), 1)
  t:equal(select("#", ch:recv()), 1)
  t:equal(select("#", ch:recv(0)), 3)
  t:equal(select("#", ch:try_send(1)), 1)
  t:equal(select("#", ch:try_recv()), 1)
  local receiver = rt.spawn(function() return select("#", ch:recv()) end)
  settle()
  ch:send(1)
  t:equal(receiver:await(), 1)
  t:equal(select("#", sync.mutex():lock()), 1)
end)

rt.test("values of all types come out as they went in", function(t)
  local ffi = require "ffi"
  local ch = sync.channel(100)
  local values = {false, true, 0, -1.5, math.huge, "", "text\0text", {}, print, function() end, coroutine.create(print),
    io.stdout, sync.channel(), ch, rt.task.current(), ffi.new("int", 5), newproxy(), rt.cancelled}
  for _, value in ipairs(values) do
    ch:send(value)
    t:equal(rawequal(ch:recv(), value), true)
    local receiver = rt.spawn(function() return ch:recv() end)
    settle()
    ch:send(value)
    t:equal(rawequal(receiver:await(), value), true)
  end
  for _, value in ipairs(values) do ch:send(value) end
  for _, value in ipairs(values) do t:equal(rawequal(ch:try_recv(), value), true) end
  ch:send(0 / 0)
  local nan = ch:recv()
  t:equal(nan ~= nan, true)
end)

rt.test("try_send and try_recv do not wait", function(t)
  local ch = sync.channel(1)
  failure("would block", "EAGAIN", ch:try_recv())
  t:equal(ch:try_send("a"), true)
  failure("would block", "EAGAIN", ch:try_send("b"))
  t:equal(ch:try_recv(), "a")
  ch:close()
  failure("closed", "EPIPE", ch:try_send("c"))
  failure("closed", "EOF", ch:try_recv())
  local rendezvous = sync.channel(0)
  failure("would block", "EAGAIN", rendezvous:try_send(1))
  local receiver = rt.spawn(function() return rendezvous:recv() end)
  settle()
  t:equal(rendezvous:try_send(2), true)
  t:equal(receiver:await(), 2)
end)

rt.test("closing: what is there is received, those who wait give up", function(t)
  local ch = sync.channel(1)
  ch:send("kept")
  local sender = rt.spawn(function() return ch:send("refused") end)
  settle()
  t:equal(ch:close(), true)
  failure("closed", "EPIPE", sender:await())
  failure("closed", "EALREADY", ch:close())
  failure("closed", "EPIPE", ch:send("late"))
  t:equal(ch:recv(), "kept")
  failure("closed", "EOF", ch:recv())
  local empty = sync.channel()
  local receiver = rt.spawn(function() return empty:recv() end)
  settle()
  empty:close()
  failure("closed", "EOF", receiver:await())
end)

rt.test("timeouts", function(t)
  local ch = sync.channel(0)
  failure("timeout", "ETIMEDOUT", ch:recv(0.001))
  failure("timeout", "ETIMEDOUT", ch:send(1, 0.001))
  failure("timeout", "ETIMEDOUT", ch:send(1, -1))
  failure("would block", "EAGAIN", ch:try_recv())
  local sender = rt.spawn(function() return ch:send("in time", 60) end)
  t:equal(ch:recv(math.huge), "in time")
  t:equal(sender:await(), true)
  failure("timeout", "ETIMEDOUT", rt.timeout(0.001, function() return ch:recv() end))
  local results = {rt.timeout(0.001, function() return ch:recv(0.0001) end)}
  t:equal(results[3], "ETIMEDOUT")
end)

rt.test("iter ends when the channel is closed and empty", function(t)
  local ch = sync.channel(2)
  rt.spawn(function()
    for i = 1, 10 do ch:send(i) end
    ch:send(false)
    ch:close()
  end)
  local got = {}
  for value in ch:iter() do got[#got + 1] = value end
  t:equal(#got, 11)
  t:equal(got[10], 10)
  t:equal(got[11], false)
  for _ in ch:iter() do t:ok(false, "nothing is left") end
end)

rt.test("a channel that is dropped lets go of the values in it", function(t)
  local weak = setmetatable({}, {__mode = "k"})
  local function count()
    collectgarbage()
    collectgarbage()
    local n = 0
    for _ in pairs(weak) do n = n + 1 end
    return n
  end
  local function value()
    local object = {}
    weak[object] = true
    return object
  end
  local ch = sync.channel(10)
  for _ = 1, 5 do ch:send(value()) end
  t:equal(count(), 5)
  ch:recv()
  t:equal(count(), 4)
  failure("would block", "EAGAIN", sync.channel():try_send(value()))
  failure("timeout", "ETIMEDOUT", sync.channel():send(value(), 0.001))
  t:equal(count(), 4)
  ch = nil -- luacheck: ignore
  t:equal(count(), 0)
  local loop = sync.channel(1)
  weak[loop] = true
  local object = value()
  object.channel = loop
  loop:send(object)
  loop, object = nil, nil -- luacheck: ignore
  t:equal(count(), 0)
end)

rt.test("a value that was not sent is let go of while the channel lives", function(t)
  local weak = setmetatable({}, {__mode = "v"})
  local ch, closed = sync.channel(), sync.channel()
  closed:close()
  local attempts = {
    function(value) return ch:try_send(value) end,
    function(value) return ch:send(value, 0) end,
    function(value) return ch:send(value, 0.001) end,
    function(value) return closed:send(value) end,
    function(value) return closed:try_send(value) end,
    function(value) return rt.select{{ch, value}, timeout = 0} end,
    function(value) return rt.select{{closed, value}} and nil end,
  }
  for i, attempt in ipairs(attempts) do
    weak[i] = {}
    t:equal(attempt(weak[i]), nil)
  end
  local task = rt.spawn(function()
    weak.cancelled = {}
    ch:send(weak.cancelled)
  end)
  settle()
  collectgarbage()
  t:ok(weak.cancelled, "the sender still waits")
  task:cancel()
  t:equal(select(2, task:join()), rt.cancelled)
  task = nil -- luacheck: ignore
  for _ = 1, 300 do ch:try_send(0) end -- overwrites what stacks have left over
  collectgarbage()
  collectgarbage()
  t:equal(next(weak), nil)
  t:equal(ch:count(), 0)
end)

rt.test("many tasks on one rendezvous: in order, nothing lost", function(t)
  local ch = sync.channel()
  local senders = spawn_all(many, function(i) ch:send(i) end)
  settle()
  for i = 1, many do
    local value = ch:recv()
    if value ~= i then t:equal(value, i) end
  end
  await_all(senders)
end)

rt.test("many senders and receivers on one rendezvous: each value once", function(t)
  local ch, got, count = sync.channel(), {}, 0
  local receivers = spawn_all(10, function()
    for value in ch:iter() do
      if got[value] then error("received twice") end
      got[value], count = true, count + 1
    end
  end)
  await_all(spawn_all(many, function(i) ch:send(i) end))
  ch:close()
  await_all(receivers)
  t:equal(count, many)
end)

rt.test("a debug hook in between the steps of a wait does no harm", function(t)
  local ch, inner = sync.channel(), sync.channel(1)
  local sum, hooked = 0, 0
  local receiver = rt.spawn(function()
    debug.sethook(function()
      hooked = hooked + 1
      inner:try_send(hooked)
      if inner:try_recv() ~= hooked then hooked = -math.huge end
    end, "lcr")
    for value in ch:iter() do sum = sum + value end
    debug.sethook()
  end)
  for i = 1, 100 do ch:send(i) end
  ch:close()
  receiver:await()
  t:equal(sum, 5050)
  t:ok(hooked > 100)
end)
