-- SPDX-License-Identifier: MIT
-- Cancellation and bad input of tasks: a clear error each, no hang; and faults that other systems had.

local rt = require "rt"
local program = require "program"
local pairs_of = require "tcp_pair"
local failure = require "failure"

local net = rt.net
local test = rt.test
local HERE = "cancel_test.lua:"

local function yield_times(count)
  for _ = 1, count do rt.yield() end
end

local function forever() rt.sleep(60) end

-- Waits for the end, with a limit: a test fails rather than hangs.
local function join(t, task)
  local ok, value, code = task:join(30)
  t:ok(code ~= "ETIMEDOUT" or ok ~= nil, "the task hangs")
  return ok, value
end

-- ---- Joining ----

test("joining oneself, in any way", function(t)
  local me = rt.task.current()
  t:error(function() me:await() end, HERE .. "%d+: a task cannot join itself")
  t:error(function() me:join() end, HERE .. "%d+: a task cannot join itself")
  t:error(function() me:join(0.001) end, "a task cannot join itself")
  t:error(function() coroutine.wrap(function() me:await() end)() end, "a task cannot join itself")
  t:error(function() rt.task.shield(me.await, me) end, "a task cannot join itself")
end)

for size = 2, 4 do
  test(("a cycle of %d joins"):format(size), function(t)
    local ring, errors = {}, 0
    for i = 1, size do
      ring[i] = rt.spawn(function()
        local ok, err = pcall(function()
          local value = ring[i % size + 1]:await()
          return value
        end)
        if ok then return err end
        errors = errors + 1
        t:ok(tostring(err):find(HERE .. "%d+: a task cannot join one that waits for it"), err)
        return "broken"
      end)
    end
    for i = 1, size do
      local ok, value = join(t, ring[i])
      t:equal(ok, true)
      t:equal(value, "broken")
    end
    t:equal(errors, 1)
  end)
end

test("a task of a scope cannot join the owner, who waits for it", function(t)
  local owner = rt.task.current()
  local refused = 0
  local function try(task)
    t:error(function() task:join() end, HERE .. "%d+: a task cannot join one that waits for it")
    refused = refused + 1
  end
  rt.scope(function(outer)
    outer:spawn(try, owner)
    outer:spawn(function()
      local middle = rt.task.current()
      rt.scope(function(inner)
        inner:spawn(try, owner)
        inner:spawn(try, middle)
      end)
    end)
    local joins_owner = rt.spawn(function() owner:join(60) end)
    outer:spawn(function()
      rt.yield()
      try(joins_owner)
      joins_owner:cancel()
    end)
    yield_times(5)
  end, {timeout = 30})
  t:equal(refused, 4)
end)

test("the owner of a scope joins its tasks, and they join each other", function(t)
  t:equal(rt.scope(function(s)
    local first = s:spawn(function() rt.yield() return 1 end)
    local second = s:spawn(function() return first:await() + 1 end)
    return first:await() + second:await()
  end, {timeout = 30}), 3)
end)

test("a cancelled joiner does not hang, nor does the next one", function(t)
  local task = rt.spawn(forever)
  local joiners = {}
  for i = 1, 10 do joiners[i] = rt.spawn(function() return task:join() end) end
  rt.yield()
  for i = 1, 9 do joiners[i]:cancel() end
  for i = 1, 9 do
    local ok, err = join(t, joiners[i])
    t:equal(ok, false)
    t:equal(err, rt.cancelled)
  end
  task:cancel()
  local ok, joined = join(t, joiners[10])
  t:equal(ok, true)
  t:equal(joined, false)
end)

test("a chain of 1,000 joins is cancelled from its end", function(t)
  local chain = {rt.spawn(forever)}
  for i = 2, 1000 do chain[i] = rt.spawn(function() return chain[i - 1]:await() end) end
  yield_times(2)
  chain[1]:cancel()
  local ok, err = join(t, chain[1000])
  t:equal(ok, false)
  t:equal(err, rt.cancelled)
end)

-- ---- Cancelling ----

test("cancel gives true, or says that the task has ended", function(t)
  local task = rt.spawn(function() return "result" end)
  t:equal(task:cancel(), true)
  t:equal(task:cancel(), true)
  t:equal(task:await(), "result")
  failure("the task has ended", "ESRCH", task:cancel())
  t:equal(task:status(), "done")
  t:equal(task:await(), "result")
  local failed = rt.spawn(error, "boom")
  failed:join()
  failure("the task has ended", "ESRCH", failed:cancel())
  t:equal(failed:status(), "failed")
end)

test("cancel takes a task", function(t)
  local cancel = rt.task.current().cancel
  for _, value in ipairs {5, "task", {}, print} do
    t:error(function() cancel(value) end, HERE .. "%d+: bad argument #1 to 'cancel' %(task expected, got ")
  end
end)

test("swallowed in every way, it is raised again at every wait", function(t)
  local count = 0
  local task = rt.spawn(function()
    for _ = 1, 5 do
      local ok, err = pcall(rt.sleep, 60)
      if not ok and err == rt.cancelled then count = count + 1 end
      if select(2, xpcall(rt.yield, function(e) return e end)) == rt.cancelled then count = count + 1 end
      coroutine.wrap(function() if not pcall(forever) then count = count + 1 end end)()
      if coroutine.resume(coroutine.create(forever)) == false then count = count + 1 end
    end
    return "end"
  end)
  rt.yield()
  task:cancel()
  t:equal(select(2, join(t, task)), "end")
  t:equal(count, 20)
end)

test("cleanup runs on cancellation, in order, and waits when shielded", function(t)
  local log = {}
  local function guarded(name, fn)
    local ok, err = pcall(fn)
    rt.task.shield(rt.sleep, 0.001)
    log[#log + 1] = name
    if not ok then error(err, 0) end
  end
  local task = rt.spawn(function()
    guarded("outer", function() guarded("inner", forever) end)
  end)
  rt.yield()
  task:cancel()
  t:equal(select(2, join(t, task)), rt.cancelled)
  t:equal(table.concat(log, " "), "inner outer")
end)

-- ---- Finalizers ----

local finalizer_waits = {
  sleep = function() rt.sleep(0.001) end,
  yield = rt.yield,
  await = function() rt.spawn(function() end):await() end,
  join = function() rt.spawn(function() end):join(1) end,
  scope = function() rt.scope(function() end) end,
  shield = function() rt.task.shield(rt.yield) end,
  timeout = function() rt.timeout(1, rt.yield) end,
}

for name, fn in pairs(finalizer_waits) do
  test(name .. " in a finalizer", function(t)
    local ok, err
    local proxy = newproxy(true)
    getmetatable(proxy).__gc = function() ok, err = pcall(fn) end
    proxy = nil -- luacheck: ignore
    collectgarbage()
    collectgarbage()
    t:equal(ok, false)
    t:ok(tostring(err):find("a finalizer or the handler of a VM event cannot wait", 1, true), tostring(err))
    t:ok(rt.sleep(0), "its task goes on")
  end)
end

-- ---- Faults that other systems had ----

test("closing a connection wakes its reader and its writer", function(t)
  local a, b = pairs_of.pair()
  local reader = rt.spawn(function() return select(3, a:read()) end)
  local writer = rt.spawn(function() return select(3, a:write(pairs_of.big)) end)
  yield_times(3)
  t:equal(reader:status(), "waiting")
  t:equal(writer:status(), "waiting")
  a:close()
  t:equal(select(2, join(t, reader)), "EBADF")
  t:equal(select(2, join(t, writer)), "EBADF")
  b:close()
end)

test("closing a listener and a UDP socket wakes who waits", function(t)
  local listener = assert(net.tcp.listen("127.0.0.1:0"))
  local socket = assert(net.udp.bind("127.0.0.1:0"))
  local acceptor = rt.spawn(function() return select(3, listener:accept()) end)
  local receiver = rt.spawn(function() return select(3, socket:recv_from()) end)
  yield_times(3)
  t:equal(acceptor:status(), "waiting")
  t:equal(receiver:status(), "waiting")
  listener:close()
  socket:close()
  t:equal(select(2, join(t, acceptor)), "EBADF")
  t:equal(select(2, join(t, receiver)), "EBADF")
end)

test("a cancelled reader leaves the data to the next one", function(t)
  local a, b = pairs_of.pair()
  local reader = rt.spawn(function() return a:read() end)
  rt.yield()
  reader:cancel()
  t:equal(select(2, join(t, reader)), rt.cancelled)
  assert(b:write("for the next"))
  t:equal(rt.timeout(30, a.read, a), "for the next")
  a:close()
  b:close()
end)

test("a UDP socket receives and sends at once", function(t)
  local ROUNDS = 100
  local a, b = assert(net.udp.bind("127.0.0.1:0")), assert(net.udp.bind("127.0.0.1:0"))
  local received = 0
  rt.scope(function(s)
    s:spawn(function()
      for _ = 1, ROUNDS do
        assert(a:recv_from())
        received = received + 1
      end
    end)
    s:spawn(function()
      for _ = 1, ROUNDS do
        local data, peer = assert(b:recv_from())
        assert(b:send_to(data, peer))
      end
    end)
    rt.yield()
    for i = 1, ROUNDS do
      assert(a:send_to(tostring(i), b:local_addr()))
      while received < i do rt.yield() end
    end
  end, {timeout = 30})
  t:equal(received, ROUNDS)
  a:close()
  b:close()
end)

test("an error in one task ends neither the process nor the others", function(t)
  local result = program.eval [[
    local rt = require "rt"
    rt.spawn(error, "the first")
    local other = rt.spawn(function() for _ = 1, 10 do rt.yield() end return "the other goes on" end)
    rt.spawn(function() error({}) end)
    print(other:await())
  ]]
  t:equal(result.stdout, "the other goes on\n")
  t:equal(result.code, 1)
  t:ok(result.stderr:find("task spawned at .* failed: the first"), result.stderr)
  t:ok(result.stderr:find("error object is a table value", 1, true), result.stderr)
end)

test("100,000 spawns with 100,000 tasks runnable", function(t)
  local MANY = program.sanitizer == "none" and not os.getenv("RTLUA_WRAPPER") and 100000 or 5000
  local ran, go = 0, false
  local function wait_for_go()
    ran = ran + 1
    while not go do rt.yield() end
    ran = ran + 1
  end
  local function count() ran = ran + 1 end
  for _ = 1, MANY do rt.spawn(wait_for_go) end
  rt.yield()
  t:equal(ran, MANY)
  for _ = 1, MANY do rt.spawn(count) end
  t:ok(#rt.task.list() >= 2 * MANY)
  go = true
  local limit = 10
  while ran < 3 * MANY and limit > 0 do
    rt.yield()
    limit = limit - 1
  end
  t:equal(ran, 3 * MANY)
end)
