-- SPDX-License-Identifier: MIT
-- rt.sync: channels, mutexes, semaphores, events, wait groups.

local rt = require "rt"
local check = require "check"
local program = require "program"

local sync = rt.sync

-- Lets all that can run do so until they wait.
local function settle()
  for _ = 1, 5 do rt.yield() end
end

local function spawn_all(count, fn)
  local tasks = {}
  for i = 1, count do tasks[i] = rt.spawn(fn, i) end
  return tasks
end

local function await_all(tasks)
  for _, task in ipairs(tasks) do task:await() end
end

-- Under a sanitizer the same with fewer tasks.
local sanitizer = os.getenv("RT_SANITIZER")
local many = sanitizer and sanitizer ~= "" and sanitizer ~= "none" and 1000 or 10000

check.test("rt has what rt.sync has", function(t)
  t:equal(rt.sync, require "rt.sync")
  t:equal(rt.select, require "rt.select")
end)

-- ---- Channels ----

check.test("a rendezvous hands over, in both orders of arrival", function(t)
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

check.test("a buffer takes as much as it holds", function(t)
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

check.test("results are exactly that many", function(t)
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

check.test("values of all types come out as they went in", function(t)
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

check.test("try_send and try_recv do not wait", function(t)
  local ch = sync.channel(1)
  t:failure("would block", "EAGAIN", ch:try_recv())
  t:equal(ch:try_send("a"), true)
  t:failure("would block", "EAGAIN", ch:try_send("b"))
  t:equal(ch:try_recv(), "a")
  ch:close()
  t:failure("closed", "EPIPE", ch:try_send("c"))
  t:failure("closed", "EOF", ch:try_recv())
  local rendezvous = sync.channel(0)
  t:failure("would block", "EAGAIN", rendezvous:try_send(1))
  local receiver = rt.spawn(function() return rendezvous:recv() end)
  settle()
  t:equal(rendezvous:try_send(2), true)
  t:equal(receiver:await(), 2)
end)

check.test("closing: what is there is received, those who wait give up", function(t)
  local ch = sync.channel(1)
  ch:send("kept")
  local sender = rt.spawn(function() return ch:send("refused") end)
  settle()
  t:equal(ch:close(), true)
  t:failure("closed", "EPIPE", sender:await())
  t:failure("closed", "EALREADY", ch:close())
  t:failure("closed", "EPIPE", ch:send("late"))
  t:equal(ch:recv(), "kept")
  t:failure("closed", "EOF", ch:recv())
  local empty = sync.channel()
  local receiver = rt.spawn(function() return empty:recv() end)
  settle()
  empty:close()
  t:failure("closed", "EOF", receiver:await())
end)

check.test("timeouts", function(t)
  local ch = sync.channel(0)
  t:failure("timeout", "ETIMEDOUT", ch:recv(0.001))
  t:failure("timeout", "ETIMEDOUT", ch:send(1, 0.001))
  t:failure("timeout", "ETIMEDOUT", ch:send(1, -1))
  t:failure("would block", "EAGAIN", ch:try_recv())
  local sender = rt.spawn(function() return ch:send("in time", 60) end)
  t:equal(ch:recv(math.huge), "in time")
  t:equal(sender:await(), true)
  t:failure("timeout", "ETIMEDOUT", rt.timeout(0.001, function() return ch:recv() end))
  local results = {rt.timeout(0.001, function() return ch:recv(0.0001) end)}
  t:equal(results[3], "ETIMEDOUT")
end)

check.test("iter ends when the channel is closed and empty", function(t)
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

check.test("tostring and hidden metatables", function(t)
  local ch = sync.channel(3)
  ch:send(1)
  t:equal(tostring(ch), "channel (1 of 3)")
  ch:close()
  t:equal(tostring(ch), "channel (1 of 3, closed)")
  local mutex, semaphore, event, group = sync.mutex(), sync.semaphore(2), sync.event(), sync.wait_group()
  t:equal(tostring(mutex), "mutex (free)")
  mutex:lock()
  t:equal(tostring(mutex), "mutex (locked)")
  semaphore:acquire()
  t:equal(tostring(semaphore), "semaphore (1 of 2 free)")
  t:equal(tostring(event), "event (clear)")
  event:set()
  t:equal(tostring(event), "event (set)")
  group:add(7)
  t:equal(tostring(group), "wait group (7)")
  for _, object in ipairs {ch, mutex, semaphore, event, group} do t:equal(type(getmetatable(object)), "string") end
end)

check.test("a channel that is dropped lets go of the values in it", function(t)
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
  t:failure("would block", "EAGAIN", sync.channel():try_send(value()))
  t:failure("timeout", "ETIMEDOUT", sync.channel():send(value(), 0.001))
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

check.test("a value that was not sent is let go of while the channel lives", function(t)
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

check.test("who waits keeps the object that it waits for", function(t)
  local waits = {
    function() return sync.channel():recv(0.05) end,
    function() return sync.channel():send(1, 0.05) end,
    function() return sync.event():wait(0.05) end,
    function() return rt.select{sync.channel(), {sync.channel(), 1}, sync.event(), timeout = 0.05} end,
    function()
      local group = sync.wait_group()
      group:add()
      return group:wait(0.05)
    end,
  }
  for _, wait in ipairs(waits) do
    local tasks = {}
    for i = 1, 100 do tasks[i] = rt.spawn(wait) end
    settle()
    collectgarbage()
    collectgarbage()
    for i = 1, 100 do t:failure("timeout", "ETIMEDOUT", tasks[i]:await()) end
  end
end)

-- ---- Mutexes ----

check.test("a mutex excludes, first come first served", function(t)
  local mutex, inside, order = sync.mutex(), 0, {}
  await_all(spawn_all(many, function(i)
    mutex:lock()
    inside = inside + 1
    t:equal(inside, 1)
    order[#order + 1] = i
    if i % 100 == 0 then rt.yield() end
    inside = inside - 1
    mutex:unlock()
  end))
  t:equal(#order, many)
  for i = 1, many do if order[i] ~= i then t:equal(order[i], i) end end
  t:equal(tostring(mutex), "mutex (free)")
end)

check.test("try_lock, timeouts, and misuse of a mutex", function(t)
  local mutex = sync.mutex()
  t:error(function() mutex:unlock() end, "sync_test.lua:%d+: unlock: the task does not hold the mutex")
  t:equal(mutex:try_lock(), true)
  t:error(function() mutex:lock() end, "sync_test.lua:%d+: lock: the task holds the mutex already")
  t:error(function() mutex:try_lock() end, "sync_test.lua:%d+: try_lock: the task holds the mutex already")
  rt.spawn(function()
    t:failure("would block", "EAGAIN", mutex:try_lock())
    t:failure("timeout", "ETIMEDOUT", mutex:lock(0.001))
    t:error(function() mutex:unlock() end, "does not hold")
  end):await()
  mutex:unlock()
  t:error(function() mutex:unlock() end, "does not hold")
end)

check.test("a task that ends while it holds a mutex leaves it in doubt", function(t)
  local mutex = sync.mutex()
  local waiting
  rt.spawn(function()
    mutex:lock()
    waiting = rt.spawn(function() return mutex:lock() end)
    settle()
  end):await()
  t:failure("lock", "EOWNERDEAD", waiting:await())
  t:failure("lock", "EOWNERDEAD", mutex:lock())
  t:failure("try_lock", "EOWNERDEAD", mutex:try_lock())
  t:failure("lock", "EOWNERDEAD", mutex:with(error))
end)

check.test("with gives the results and always unlocks", function(t)
  for _, lock in ipairs {sync.mutex(), sync.semaphore(1)} do
    local free = tostring(lock)
    local function counted(...) return select("#", ...), ... end
    local results = {counted(lock:with(function(...)
      t:ok(tostring(lock) ~= free)
      rt.yield()
      return ...
    end, 1, nil, 3, nil))}
    t:equal(results[1], 4)
    t:equal(results[2], 1)
    t:equal(results[4], 3)
    t:equal(tostring(lock), free)
    local err = t:error(function() lock:with(function() rt.yield() error("boom") end) end, "sync_test.lua:%d+: boom")
    t:ok(err:find("stack traceback:", 1, true), err)
    local object = {}
    t:equal(t:error(function() lock:with(error, object) end), object)
    t:equal(tostring(lock), free)
    local task = rt.spawn(function() lock:with(rt.sleep, 60) end)
    settle()
    t:ok(tostring(lock) ~= free)
    task:cancel()
    t:equal(select(2, task:join()), rt.cancelled)
    t:equal(tostring(lock), free)
    t:error(function() lock:with(5) end, "sync_test.lua:%d+: bad argument #1 to 'with' %(function expected, got number")
    t:error(function() lock.with(5, print) end, "expected, got number")
  end
  local mutex = sync.mutex()
  t:error(function() mutex:with(function() mutex:unlock() end) end, "does not hold the mutex")
  t:error(function() mutex:with(function() mutex:unlock() error("mine", 0) end) end, "^mine")
end)

-- ---- Semaphores ----

check.test("a semaphore lets as many in as it has permits, first come first served", function(t)
  local semaphore, inside, most, order = sync.semaphore(3), 0, 0, {}
  await_all(spawn_all(many, function(i)
    semaphore:acquire()
    order[#order + 1] = i
    inside = inside + 1
    most = math.max(most, inside)
    if i % 10 == 0 then rt.yield() end
    inside = inside - 1
    semaphore:release()
  end))
  t:equal(most, 3)
  for i = 1, many do if order[i] ~= i then t:equal(order[i], i) end end
  t:equal(semaphore:permits(), 3)
end)

check.test("permits", function(t)
  local semaphore = sync.semaphore(2)
  t:equal(semaphore:permits(), 2)
  t:error(function() semaphore:release() end, "sync_test.lua:%d+: release: no permit is acquired")
  t:equal(semaphore:acquire(), true)
  t:equal(semaphore:try_acquire(), true)
  t:equal(semaphore:permits(), 0)
  t:failure("would block", "EAGAIN", semaphore:try_acquire())
  t:failure("timeout", "ETIMEDOUT", semaphore:acquire(0.001))
  local waiting = rt.spawn(function() return semaphore:acquire() end)
  settle()
  rt.spawn(function() semaphore:release() end)
  t:equal(waiting:await(), true)
  t:equal(semaphore:permits(), 0)
end)

-- ---- Events and wait groups ----

check.test("an event wakes all who wait, even if it is cleared at once", function(t)
  local event = sync.event()
  t:equal(event:is_set(), false)
  t:failure("timeout", "ETIMEDOUT", event:wait(0.001))
  local tasks = spawn_all(100, function() return event:wait() end)
  settle()
  event:set()
  event:clear()
  for _, task in ipairs(tasks) do t:equal(task:await(), true) end
  t:equal(event:is_set(), false)
  event:set()
  event:set()
  t:equal(event:is_set(), true)
  t:equal(event:wait(), true)
  t:equal(event:wait(0), true)
end)

check.test("a wait group is waited for until all is done", function(t)
  local group, done = sync.wait_group(), 0
  t:equal(group:wait(), true)
  group:add(50)
  for _ = 1, 50 do
    rt.spawn(function()
      settle()
      done = done + 1
      group:done()
    end)
  end
  t:equal(group:wait(), true)
  t:equal(done, 50)
  group:add()
  t:failure("timeout", "ETIMEDOUT", group:wait(0))
  group:add(2)
  group:add(-3)
  t:equal(group:wait(0), true)
  t:error(function() group:done() end, "sync_test.lua:%d+: done: the count would be negative")
  t:error(function() group:add(-1) end, "sync_test.lua:%d+: add: the count would be negative")
  group:add(2147483647)
  t:error(function() group:add() end, "sync_test.lua:%d+: add: the count would overflow")
end)

-- ---- What they have in common ----

check.test("misuse raises at the caller's line", function(t)
  local ch = sync.channel(1)
  local cases = {
    {"bad argument #1 to 'channel' %(capacity", function() sync.channel(-1) end},
    {"bad argument #1 to 'channel' %(capacity", function() sync.channel(1.5) end},
    {"bad argument #1 to 'channel' %(capacity", function() sync.channel(2 ^ 31 + 1) end},
    {"bad argument #1 to 'channel' %(capacity", function() sync.channel(math.huge) end},
    {"bad argument #1 to 'channel' %(capacity", function() sync.channel(0 / 0) end},
    {"bad argument #1 to 'channel' %(number expected, got table", function() sync.channel({}) end},
    {"bad argument #1 to 'send' %(value expected, got nil", function() ch:send(nil) end},
    {"bad argument #1 to 'send' %(value expected, got nil", function() ch:send() end},
    {"bad argument #1 to 'try_send' %(value expected, got nil", function() ch:try_send(nil) end},
    {"bad argument #2 to 'send' %(number expected, got string", function() ch:send(1, "soon") end},
    {"bad argument #1 to 'recv' %(number expected, got table", function() ch:recv({}) end},
    {"bad argument #1 to 'recv' %(number expected, got NaN", function() ch:recv(0 / 0) end},
    {"calling 'send' on bad self %(channel expected, got table", function() local x = {send = ch.send} x:send(1) end},
    {"bad argument #1 to 'recv' %(channel expected, got nil", function() ch.recv() end},
    {"expected, got userdata", function() ch.recv(sync.mutex()) end},
    {"expected, got nil", function() ch.iter(nil) end},
    {"bad argument #1 to 'semaphore' %(permits", function() sync.semaphore(0) end},
    {"bad argument #1 to 'semaphore' %(permits", function() sync.semaphore(1.5) end},
    {"bad argument #1 to 'semaphore' %(number expected, got no value", function() sync.semaphore() end},
    {"bad argument #1 to 'lock' %(number expected", function() sync.mutex():lock("x") end},
    {"bad argument #1 to 'acquire' %(number expected", function() sync.semaphore(1):acquire("x") end},
    {"bad argument #1 to 'wait' %(number expected", function() sync.event():wait("x") end},
    {"bad argument #1 to 'wait' %(number expected", function() sync.wait_group():wait("x") end},
    {"bad argument #1 to 'add' %(integer expected", function() sync.wait_group():add(0.5) end},
    {"bad argument #1 to 'add' %(number expected", function() sync.wait_group():add("x") end},
    {"attempt to call method 'nonsense'", function() ch:nonsense() end},
  }
  for _, case in ipairs(cases) do t:error(case[2], "sync_test.lua:%d+: .*" .. case[1]) end
  t:equal(ch:count(), 0)
end)

check.test("every wait is a cancellation point, wherever it is", function(t)
  local ch, event, group = sync.channel(), sync.event(), sync.wait_group()
  local mutex, semaphore = sync.mutex(), sync.semaphore(1)
  group:add()
  mutex:lock()
  semaphore:acquire()
  local waits = {
    send = function() ch:send(1) end,
    recv = function() ch:recv() end,
    iter = function() for _ in ch:iter() do break end end,
    lock = function() mutex:lock() end,
    acquire = function() semaphore:acquire() end,
    event = function() event:wait() end,
    group = function() group:wait() end,
    with = function() mutex:with(print) end,
  }
  local places = {
    plain = function(wait) wait() end,
    sort = function(wait) table.sort({1, 2}, function() wait() end) end,
    coroutine = function(wait) coroutine.wrap(wait)() end,
    gsub = function(wait) ("x"):gsub("x", function() wait() end) end,
  }
  for name, wait in pairs(waits) do
    for place, run in pairs(places) do
      local task = rt.spawn(run, wait)
      settle()
      if task:status() ~= "waiting" then error(("%s in %s does not wait"):format(name, place)) end
      task:cancel()
      local ok, err = task:join()
      if ok or err ~= rt.cancelled then error(("%s in %s: %s"):format(name, place, tostring(err))) end
    end
  end
  t:failure("would block", "EAGAIN", ch:try_recv())
  t:failure("would block", "EAGAIN", ch:try_send(1))
  mutex:unlock()
  t:equal(tostring(mutex), "mutex (free)")
end)

check.test("what has been handed over beats a cancellation", function(t)
  local ch, mutex, semaphore = sync.channel(), sync.mutex(), sync.semaphore(1)
  local receiver = rt.spawn(function() return ch:recv() end)
  settle()
  ch:send("kept")
  receiver:cancel()
  t:equal(receiver:await(), "kept")
  local sender = rt.spawn(function() return ch:send("sent") end)
  settle()
  t:equal(ch:recv(), "sent")
  sender:cancel()
  t:equal(sender:await(), true)
  mutex:lock()
  semaphore:acquire()
  local locker = rt.spawn(function()
    mutex:lock()
    semaphore:acquire()
    mutex:unlock()
    semaphore:release()
  end)
  settle()
  mutex:unlock()
  semaphore:release()
  locker:cancel()
  locker:await()
  t:equal(tostring(mutex), "mutex (free)")
  t:equal(semaphore:permits(), 1)
end)

check.test("waits where the carrier is kept give their results", function(t)
  local ch = sync.channel()
  local server = rt.spawn(function()
    for value in ch:iter() do value.reply:send(value[1] * 2) end
  end)
  local function ask(x)
    local reply = sync.channel()
    ch:send({x, reply = reply})
    return reply:recv()
  end
  local tasks = spawn_all(20, function(i)
    local list = {}
    for k = 1, 10 do list[k] = (k * 7 + i) % 11 end
    table.sort(list, function(a, b) return ask(a) < ask(b) end)
    for k = 2, 10 do t:ok(list[k - 1] <= list[k]) end
    local generator = coroutine.wrap(function()
      for k = 1, 5 do coroutine.yield(ask(k)) end
    end)
    for k = 1, 5 do t:equal(generator(), 2 * k) end
    t:equal((("3"):gsub("3", function(digit) return ("%d"):format(ask(digit)) end)), "6")
    t:equal(setmetatable({}, {__index = function(_, key) return ask(key) end})[21], 42)
  end)
  await_all(tasks)
  ch:close()
  server:await()
end)

check.test("many tasks on one rendezvous: in order, nothing lost", function(t)
  local ch = sync.channel()
  local senders = spawn_all(many, function(i) ch:send(i) end)
  settle()
  for i = 1, many do
    local value = ch:recv()
    if value ~= i then t:equal(value, i) end
  end
  await_all(senders)
end)

check.test("many senders and receivers on one rendezvous: each value once", function(t)
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

check.test("loops that never wait give way", function(t)
  local ch, mutex, semaphore, event = sync.channel(1), sync.mutex(), sync.semaphore(1), sync.event()
  event:set()
  local loops = {
    function() ch:send(1) ch:recv() end,
    function() mutex:lock() mutex:unlock() end,
    function() semaphore:acquire() semaphore:release() end,
    function() event:wait() end,
    function() sync.wait_group():wait() end,
    function() rt.select{event} end,
  }
  for i, loop in ipairs(loops) do
    local ran = false
    rt.spawn(function() ran = true end)
    local turns = 0
    while not ran and turns < 1000 do
      loop()
      turns = turns + 1
    end
    if not ran then error("loop " .. i .. " keeps the others from running") end
  end
end)

check.test("a debug hook in between the steps of a wait does no harm", function(t)
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

check.test("a program may end while tasks wait", function(t)
  local code = [[
    local rt = require "rt"
    local ch, mutex, event = rt.sync.channel(), rt.sync.mutex(), rt.sync.event()
    for _ = 1, 20 do
      rt.spawn(function() ch:send({}) end)
      rt.spawn(function() mutex:lock() event:wait() end)
      rt.spawn(function() table.sort({1, 2}, function() rt.select{{ch, 1}, event} end) end)
    end
    rt.yield()
  ]]
  for _, ending in ipairs {"", "os.exit(0, true)", "rt.spawn(os.exit, 0, true) rt.sleep(60)"} do
    local result = program.eval(code .. ending)
    t:equal(result.code, 0)
    t:equal(result.stderr, "")
  end
end)

check.finish()
