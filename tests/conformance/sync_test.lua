-- SPDX-License-Identifier: MIT
-- What tasks wait for on each other, on every runtime: channels, select, mutexes.

local rt = require "rt"
local failure = require "failure"
local test = rt.test

test("two tasks play ping-pong", function(t)
  for capacity = 0, 1 do
    local there, back = rt.sync.channel(capacity), rt.sync.channel(capacity)
    local player = rt.spawn(function()
      for number in there:iter() do back:send(number + 1) end
    end)
    local number = 0
    for _ = 1, 2000 do
      there:send(number)
      number = back:recv()
    end
    there:close()
    player:await()
    t:equal(number, 2000)
  end
end)

test("channels lose and double nothing", function(t)
  for _, capacity in ipairs {0, 1, 64} do
    local channel, seen, senders, receivers = rt.sync.channel(capacity), {}, {}, {}
    for i = 1, 4 do
      receivers[i] = rt.spawn(function()
        for number in channel:iter() do seen[number] = (seen[number] or 0) + 1 end
      end)
    end
    for i = 1, 8 do
      senders[i] = rt.spawn(function()
        for k = 1, 200 do channel:send((i - 1) * 200 + k) end
      end)
    end
    for i = 1, 8 do senders[i]:await() end
    channel:close()
    for i = 1, 4 do receivers[i]:await() end
    for number = 1, 1600 do t:equal(seen[number], 1) end
  end
end)

test("select takes each once", function(t)
  local a, b, count = rt.sync.channel(), rt.sync.channel(3), 0
  local senders = {}
  for i, channel in ipairs {a, b} do
    senders[i] = rt.spawn(function()
      for k = 1, 300 do channel:send(k) end
    end)
  end
  local last = {0, 0}
  for _ = 1, 600 do
    local index, value = rt.select {a, b, timeout = 30}
    t:equal(value, last[index] + 1)
    last[index] = value
    count = count + 1
  end
  for _, sender in ipairs(senders) do sender:await() end
  t:equal(last[1] + last[2], 600)
  failure("timeout", "ETIMEDOUT", rt.select {a, b, timeout = 0.002})
end)

test("select waits for a task, and sends", function(t)
  local channel = rt.sync.channel()
  local task = rt.spawn(function()
    rt.sleep(0.001)
    return "ended"
  end)
  t:equal(rt.select {channel, task, timeout = 30}, 2)
  local receiver = rt.spawn(function() return channel:recv() end)
  t:equal(rt.select {{channel, "sent"}, timeout = 30}, 1)
  t:equal(receiver:await(), "sent")
end)

test("a wait that times out leaves nothing behind", function(t)
  local channel = rt.sync.channel()
  failure("timeout", "ETIMEDOUT", channel:recv(0.002))
  failure("timeout", "ETIMEDOUT", channel:send("lost", 0.002))
  local receiver = rt.spawn(function() return channel:recv() end)
  channel:send("found")
  t:equal(receiver:await(), "found")
end)

test("a mutex excludes", function(t)
  local mutex, plain, tasks = rt.sync.mutex(), 0, {}
  for i = 1, 20 do
    tasks[i] = rt.spawn(function()
      for _ = 1, 20 do
        mutex:with(function()
          local now = plain
          rt.yield()
          plain = now + 1
        end)
      end
    end)
  end
  for i = 1, 20 do tasks[i]:await() end
  t:equal(plain, 400)
end)
