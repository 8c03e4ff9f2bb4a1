-- SPDX-License-Identifier: MIT
-- Channels between VMs: shared by being sent, and then what they are within one.
local rt = require "rt"
local failure = require "failure"

rt.test("both VMs have the same channel", function(t)
  local ch = rt.sync.channel(3)
  local back, same, other = rt.parallel(function(a, b)
    a:send("sent there")
    return a, a == b, rt.sync.channel()
  end, ch, ch):await()
  t:equal(back, ch)
  t:equal(same, true)
  t:ok(other ~= ch)
  t:equal(ch:recv(), "sent there")
  t:ok(other:try_send(1) == nil)
end)

rt.test("as argument, upvalue, in a table, through another channel", function(t)
  local a, b, c, d = rt.sync.channel(1), rt.sync.channel(1), rt.sync.channel(1), rt.sync.channel(1)
  local task = rt.parallel(function(arg, list)
    arg:send(1)
    b:send(2)
    list.deep[1]:send(3)
    local through = arg == a and a:recv() -- its own 1, or what is put in after that
    while type(through) ~= "userdata" do
      rt.yield()
      through = a:recv()
    end
    through:send(4)
  end, a, {deep = {c}})
  t:equal(b:recv(), 2)
  t:equal(c:recv(), 3)
  a:send(d)
  t:equal(d:recv(), 4)
  task:await()
end)

rt.test("values are copied, in order, and have all kinds", function(t)
  local ch = rt.sync.channel(4)
  local task = rt.parallel(function(out)
    for i = 1, 100 do out:send(i) end
    local list = {1}
    out:send(list)
    list[1] = 2
    out:send(function(n) return n + #list end)
    out:send(false)
    out:close()
  end, ch)
  for i = 1, 100 do t:equal(ch:recv(), i) end
  t:equal(ch:recv()[1], 1)
  t:equal(ch:recv()(1), 2)
  t:equal(ch:recv(), false)
  failure("closed", "EOF", ch:recv())
  failure("closed", "EPIPE", ch:send(1))
  task:await()
end)

rt.test("rendezvous: a send waits for the receiver", function(t)
  local ch, log = rt.sync.channel(), rt.sync.channel(10)
  local task = rt.parallel(function()
    log:send("sending")
    ch:send("value")
    log:send("sent")
  end)
  t:equal(log:recv(), "sending")
  rt.sleep(0.01)
  t:equal(log:count(), 0)
  t:equal(ch:recv(), "value")
  t:equal(log:recv(), "sent")
  task:await()
end)

rt.test("what cannot go raises at the send", function(t)
  local ch = rt.sync.channel(1)
  rt.parallel(function() return ch end):await()
  t:error(function() ch:send(coroutine.create(print)) end, "send: the value: coroutine cannot be sent")
  t:error(function() ch:send({key = setmetatable({}, {})}) end, "send: the value['key']: a table with a metatable")
  t:error(function() ch:try_send(rt.sync.mutex()) end, "send: the value: mutex cannot be sent")
  t:error(function() rt.select {{ch, coroutine.create(print)}} end, "select: the value: coroutine cannot be sent")
  t:equal(ch:count(), 0)
  t:equal(ch:try_send("fine"), true)
end)

rt.test("timeouts and closing, from either side", function(t)
  local ch = rt.sync.channel()
  t:equal(rt.parallel(function()
    local value, message, code = ch:recv(0.005)
    return value == nil and message == "timeout" and code == "ETIMEDOUT"
  end):await(), true)
  failure("timeout", "ETIMEDOUT", ch:send({}, 0.005))
  local task = rt.parallel(function() return ch:recv() end)
  rt.sleep(0.01)
  ch:close()
  failure("closed", "EOF", task:await())
  failure("closed", "EALREADY", ch:close())
end)

rt.test("select over channels of several VMs", function(t)
  local a, b = rt.sync.channel(), rt.sync.channel()
  local task = rt.parallel(function()
    local got = {}
    for _ = 1, 2 do
      local index, value = rt.select {a, b, timeout = 10}
      got[index] = value
    end
    return got[1], got[2]
  end)
  t:equal(rt.select {{b, {"for b"}}, timeout = 10}, 1)
  t:equal(rt.select {{a, "for a"}, timeout = 10}, 1)
  local x, y = task:await()
  t:equal(x, "for a")
  t:equal(y[1], "for b")
  t:equal(select(2, rt.select {{a, {}}, b, timeout = 0.005}), "timeout")
end)

rt.test("a select one of whose values shares another of its channels", function(t)
  local shared, private = rt.sync.channel(1), rt.sync.channel(1)
  local task = rt.parallel(function()
    return shared:recv()
  end)
  rt.sleep(0.01)
  -- Sending private through shared makes it shared after its own case has been read.
  local index = rt.select {{private, {"odd"}}, {shared, private}}
  if index == 1 then shared:send(private) end
  local got = task:await()
  t:equal(got, private)
  if index == 2 then private:send({"odd"}) end
  t:equal(rt.parallel(function(ch) return ch:recv()[1] end, private):await(), "odd")
end)

rt.test("a cancelled receiver takes nothing", function(t)
  local ch = rt.sync.channel()
  local waiting = rt.sync.channel(1)
  local task = rt.parallel(function()
    waiting:send(true)
    return ch:recv()
  end)
  waiting:recv()
  rt.sleep(0.005)
  task:cancel()
  task:join()
  failure("would block", "EAGAIN", ch:try_send({1}))
  local receiver = rt.spawn(ch.recv, ch)
  rt.yield()
  t:equal(ch:send({2}), true)
  t:equal(receiver:await()[1], 2)
end)

rt.test("a channel that holds values becomes shared", function(t)
  local ch = rt.sync.channel(3)
  for i = 1, 3 do ch:send({i}) end
  ch:recv()
  ch:send({4}) -- around the end of the circle
  local sender = rt.spawn(ch.send, ch, {5})
  rt.yield()
  local sum = rt.parallel(function(from)
    local sum = 0
    for _ = 1, 4 do sum = sum * 10 + from:recv()[1] end
    return sum
  end, ch):await()
  t:equal(sum, 2345)
  t:equal(sender:await(), true)
end)

rt.test("a channel with a waiting receiver becomes shared", function(t)
  local ch = rt.sync.channel()
  local receivers = {rt.spawn(ch.recv, ch), rt.spawn(ch.recv, ch)}
  rt.yield()
  ch:send("local") -- handed over, but not taken yet
  rt.parallel(function(to) to:send({"from there"}) end, ch):await()
  t:equal(receivers[1]:await(), "local")
  t:equal(receivers[2]:await()[1], "from there")
end)

rt.test("a sender that gives up after its channel was shared", function(t)
  local ch = rt.sync.channel()
  local sender = rt.spawn(ch.send, ch, {1}, 0.02)
  rt.yield()
  rt.parallel(function(c) return c end, ch):await()
  failure("timeout", "ETIMEDOUT", sender:await())
  failure("would block", "EAGAIN", ch:try_recv())
end)

rt.test("a channel whose values cannot go stays as it is", function(t)
  local ch, inner = rt.sync.channel(3), rt.sync.channel(1)
  local thread = coroutine.create(print)
  inner:send({thread})
  ch:send(inner)
  t:error(function() rt.parallel(function() return ch end) end, "a value in the channel[1]: coroutine cannot be sent")
  t:equal(ch:recv(), inner)
  t:equal(inner:recv()[1], thread)
  ch:send(thread) -- still a channel of this VM alone
  t:equal(ch:recv(), thread)
  t:equal(rt.parallel(function() return ch:try_send(1) end):await(), true)
  t:equal(ch:recv(), 1)
end)

rt.test("channels in channels, and in themselves", function(t)
  local outer, inner = rt.sync.channel(2), rt.sync.channel(2)
  outer:send({inner})
  inner:send("inner")
  outer:send(outer)
  local text, same = rt.parallel(function(ch)
    local first = ch:recv()[1]
    return first:recv(), ch:recv() == ch
  end, outer):await()
  t:equal(text, "inner")
  t:equal(same, true)
end)

rt.test("a host of messages through a bounded channel", function(t)
  local jobs, results = rt.sync.channel(8), rt.sync.channel(8)
  local workers = {}
  for i = 1, 4 do
    workers[i] = rt.parallel(function()
      for job in jobs:iter() do results:send({job.n, job.n * job.n}) end
    end)
  end
  local sum = 0
  local reader = rt.spawn(function()
    for _ = 1, 2000 do sum = sum + results:recv()[2] end
  end)
  for n = 1, 2000 do jobs:send({n = n}) end
  jobs:close()
  for _, worker in ipairs(workers) do worker:await() end
  reader:await()
  t:equal(sum, 2000 * 2001 * 4001 / 6)
end)

rt.test("tostring and capacity", function(t)
  local ch = rt.sync.channel(2)
  ch:send(1)
  local text, capacity, count = rt.parallel(function() return tostring(ch), ch:capacity(), ch:count() end):await()
  t:equal(text, "channel (1 of 2)")
  t:ok(capacity == 2 and count == 1)
end)

rt.test("dropped by both VMs it is gone, with what it holds", function(t)
  for i = 1, 200 do
    local ch = rt.sync.channel(2)
    rt.parallel(function() ch:send({("x"):rep(100000), i}) end):await()
  end
  collectgarbage()
  collectgarbage()
  t:equal(rt.parallel(function()
    collectgarbage()
    collectgarbage()
    return collectgarbage("count") < 20000
  end):await(), true)
end)
