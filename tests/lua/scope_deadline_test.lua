-- SPDX-License-Identifier: MIT
-- Deadlines of scopes: which one counts, and that every wait of the library hears of them.

local rt = require "rt"
local pairs_of = require "tcp_pair"
local failure = require "failure"

local scope, net = rt.scope, rt.net
local test = rt.test
local HUGE = math.huge

local function timed_out(t, ...) failure("timeout", "ETIMEDOUT", ...) end

test("a timeout ends the function's wait and the tasks", function(t)
  local task
  timed_out(t, scope(function(s)
    s:spawn(function() task = {pcall(rt.sleep, 60)} end)
    rt.sleep(60)
  end, {timeout = 0.003}))
  t:equal(task[2], rt.cancelled)
  t:ok(rt.sleep(0))
end)

test("a timeout ends tasks that run on after the function", function(t)
  local before = rt.now()
  timed_out(t, scope(function(s)
    s:spawn(rt.sleep, 60)
    return "no result"
  end, {timeout = 0.003}))
  t:ok(rt.now() - before >= 0.003)
  t:ok(rt.now() - before < 30)
end)

test("a deadline is a time of rt.now()", function(t)
  local before = rt.now()
  timed_out(t, scope(function() rt.sleep(60) end, {deadline = before + 0.003}))
  t:ok(rt.now() >= before + 0.003)
  t:ok(rt.now() < before + 30)
end)

test("of timeout and deadline the nearer one counts", function(t)
  timed_out(t, scope(function() rt.sleep(60) end, {timeout = 60, deadline = rt.now() + 0.002}))
  timed_out(t, scope(function() rt.sleep(60) end, {timeout = 0.002, deadline = rt.now() + 60}))
end)

test("enormous ones are none, negative ones are over", function(t)
  t:equal(scope(function() rt.yield() return 1 end, {timeout = HUGE, deadline = 1e300}), 1)
  for _, options in ipairs {{timeout = 0}, {timeout = -1}, {timeout = -HUGE}, {deadline = 0}, {deadline = -HUGE}} do
    timed_out(t, scope(function() rt.sleep(60) end, options))
    timed_out(t, scope(function(s) s:spawn(rt.sleep, 60) end, options))
    t:equal(scope(function() return "did not wait" end, options), "did not wait")
  end
end)

test("a ready result beats an expired deadline", function(t)
  local ready = rt.spawn(function() return "ready" end)
  ready:await()
  t:equal(scope(function() return ready:await() end, {timeout = -1}), "ready")
end)

test("a failure beats the deadline", function(t)
  t:error(function()
    scope(function(s)
      s:spawn(function()
        pcall(rt.sleep, 60)
        error("in cleanup", 0)
      end)
    end, {timeout = 0.002})
  end, "in cleanup")
end)

test("the outer one is nearer: it ends both, and the inner one is cancelled", function(t)
  local inner
  timed_out(t, scope(function()
    inner = {pcall(scope, function() rt.sleep(60) end, {timeout = 50})}
    rt.sleep(60)
  end, {timeout = 0.003}))
  t:equal(inner[1], false)
  t:equal(inner[2], rt.cancelled)
end)

test("the inner one is nearer: the outer one goes on", function(t)
  local inner
  t:equal(scope(function()
    inner = {scope(function() rt.sleep(60) end, {timeout = 0.003})}
    rt.sleep(0)
    return "outer"
  end, {timeout = 60}), "outer")
  t:equal(inner[3], "ETIMEDOUT")
end)

test("both at once end both", function(t)
  local deadline, inner = rt.now() + 0.003, nil
  timed_out(t, scope(function()
    inner = {scope(function() rt.sleep(60) end, {deadline = deadline})}
    rt.sleep(60)
  end, {deadline = deadline}))
  t:equal(inner[3], "ETIMEDOUT")
end)

test("scopes and rt.timeout nest either way", function(t)
  timed_out(t, rt.timeout(0.003, scope, function(s) s:spawn(rt.sleep, 60) end))
  local inner
  t:equal(scope(function()
    inner = {rt.timeout(0.003, rt.sleep, 60)}
    return "outer"
  end, {timeout = 60}), "outer")
  t:equal(inner[3], "ETIMEDOUT")
  timed_out(t, scope(function() rt.timeout(60, rt.sleep, 60) end, {timeout = 0.003}))
end)

test("it counts in the scopes of the scope's tasks", function(t)
  local deepest
  timed_out(t, scope(function(outer)
    outer:spawn(function()
      scope(function(inner)
        inner:spawn(function() deepest = {pcall(rt.sleep, 60)} end)
      end, {timeout = 60})
    end)
  end, {timeout = 0.003}))
  t:equal(deepest[2], rt.cancelled)
end)

test("where the carrier is kept", function(t)
  table.sort({1, 2}, function(a, b)
    timed_out(t, scope(function(s) s:spawn(rt.sleep, 60) end, {timeout = 0.002}))
    return a < b
  end)
  t:equal(coroutine.wrap(function()
    return select(3, scope(function(s) s:spawn(rt.sleep, 60) end, {timeout = 0.002}))
  end)(), "ETIMEDOUT")
end)

-- ---- Every function that waits, under a deadline that has passed or passes ----

local never -- a task that does not end
local held, taken, busy
local waits = {}
local function wait(name, fn) waits[name] = fn end

wait("sleep", function() rt.sleep(60) end)
wait("sleep_until", function() rt.sleep_until(rt.now() + 60) end)
wait("interval", function() for _ in rt.interval(60) do return end end)
wait("yield", function() while true do rt.yield() end end)
wait("await", function() never:await() end)
wait("join", function() never:join() end)
wait("join with a timeout", function() never:join(60) end)
wait("a scope's end", function() scope(function(s) s:spawn(rt.sleep, 60) end) end)
wait("recv", function() rt.sync.channel():recv() end)
wait("recv with a timeout", function() rt.sync.channel():recv(60) end)
wait("iter", function() for _ in rt.sync.channel():iter() do return end end)
wait("send", function() rt.sync.channel():send(1) end)
wait("lock", function() held:lock() end)
wait("with", function() held:with(error) end)
wait("acquire", function() taken:acquire() end)
wait("an event's wait", function() rt.sync.event():wait() end)
wait("a wait group's wait", function() busy:wait() end)
wait("select", function() rt.select{rt.sync.channel(), {rt.sync.channel(), 1}, rt.sync.event(), never} end)
wait("select with a timeout", function() rt.select{rt.sync.channel(), timeout = 60} end)
wait("connect", function()
  -- Loopback answers at once, so that the first attempt may succeed: the others must wait.
  local listener = assert(net.tcp.listen("127.0.0.1:0"))
  local conns = {}
  local ok, err = pcall(function()
    while true do conns[#conns + 1] = assert(net.tcp.connect(listener:local_addr())) end
  end)
  listener:close()
  for _, conn in ipairs(conns) do conn:close() end
  assert(not ok)
  error(err, 0)
end)
wait("accept", function()
  local listener = assert(net.tcp.listen("127.0.0.1:0"))
  local _ = {pcall(listener.accept, listener)}
  listener:close()
  error(_[2], 0)
end)
wait("resolve", function() while true do assert(net.resolve("localhost")) end end)

local function with_pair(name, fn)
  wait(name, function()
    local a, b
    rt.task.shield(function() a, b = pairs_of.pair() end)
    local ok, err = pcall(fn, a, b)
    a:close()
    b:close()
    assert(not ok)
    error(err, 0)
  end)
end

with_pair("read", function(a) a:read() end)
with_pair("read_exactly", function(a) a:read_exactly(5) end)
with_pair("read_line", function(a) a:read_line() end)
with_pair("read_until", function(a) a:read_until("x") end)
with_pair("read_all", function(a) a:read_all() end)
with_pair("write", function(a) a:write(pairs_of.big) end)
with_pair("pipe_to", function(a, b) a:pipe_to(b) end)
with_pair("wait_fd", function(a) rt.wait_fd(a:fd(), "r") end)

local function with_socket(name, fn)
  wait(name, function()
    local socket = assert(net.udp.bind("127.0.0.1:0"))
    local ok, err = pcall(fn, socket)
    socket:close()
    assert(not ok)
    error(err, 0)
  end)
end

with_socket("recv_from", function(socket) socket:recv_from() end)
with_socket("recv", function(socket)
  assert(socket:connect(socket:local_addr()))
  socket:recv()
end)

wait("require", function()
  package.preload["deadline.module"] = function() rt.sleep(60) end
  local ok, err = pcall(require, "deadline.module")
  package.loaded["deadline.module"] = nil
  assert(not ok)
  error(err, 0)
end)

-- Unlike the others it is to wait for another task, which loads the module.
wait("require of a module that another task loads", function()
  package.preload["deadline.slow"] = function() rt.sleep(60) end
  local loader = rt.spawn(function() pcall(require, "deadline.slow") end)
  rt.task.shield(rt.yield)
  local ok, err = pcall(require, "deadline.slow")
  loader:cancel()
  rt.task.shield(loader.join, loader)
  package.loaded["deadline.slow"] = nil
  assert(not ok)
  error(err, 0)
end)

-- Which of two deadlines ends a wait: which of them expire.
local nestings = {
  {"inner shorter", outer = 60, inner = 0.002, inner_expires = true},
  {"outer shorter", outer = 0.002, inner = 60, outer_expires = true},
  {"equal", outer = 0.002, inner = 0.002, inner_expires = true, outer_expires = true},
  {"inner expired", outer = 60, inner = -1, inner_expires = true},
  {"outer expired", outer = -1, inner = 60, outer_expires = true},
}

local function with_timeout(deadline, fn) return rt.timeout(deadline - rt.now(), fn) end
local function with_scope(deadline, fn) return scope(fn, {deadline = deadline}) end

-- Gives whether the inner one, and the outer one, has expired.
local function nest(nesting, outer, inner, fn)
  local now, inner_result, after = rt.now()
  local _, outer_message = outer(now + nesting.outer, function()
    local ok, _, message = pcall(inner, now + nesting.inner, fn)
    inner_result = ok and message or "cancelled"
    after = pcall(rt.yield)
    rt.yield()
  end)
  return inner_result == "timeout", outer_message == "timeout", after
end

rt.describe("every wait", function()
  rt.before_each(function()
    held, taken, busy = rt.sync.mutex(), rt.sync.semaphore(1), rt.sync.wait_group()
    never = rt.spawn(function() held:lock() rt.sleep(HUGE) end)
    taken:acquire()
    busy:add()
    rt.yield()
  end)
  rt.after_each(function() never:cancel() end)

  for name, fn in pairs(waits) do
    for _, nesting in ipairs(nestings) do
      rt.test(("%s under two deadlines, %s"):format(name, nesting[1]), function(t)
        -- Seconds from now cannot be exactly equal.
        local kinds = nesting.outer == nesting.inner and {with_scope} or {with_timeout, with_scope}
        for _, outer in ipairs(kinds) do
          for _, inner in ipairs(kinds) do
            local inner_expired, outer_expired, goes_on = nest(nesting, outer, inner, fn)
            t:equal(inner_expired, nesting.inner_expires or false)
            t:equal(outer_expired, nesting.outer_expires or false)
            t:equal(goes_on, not nesting.outer_expires)
          end
        end
      end)
    end

    -- Waits that come to an end in another way would fail the scope or give a result.
    for _, seconds in ipairs {-1, 0.002} do
      rt.test(("%s under a deadline of %g s"):format(name, seconds), function(t)
        timed_out(t, scope(fn, {timeout = seconds}))
      end)

      rt.test(("%s in a task, under a deadline of %g s"):format(name, seconds), function(t)
        local task
        timed_out(t, scope(function(s) task = s:spawn(fn) end, {timeout = seconds}))
        t:equal(task:status(), "cancelled")
      end)
    end
  end
end)
