-- SPDX-License-Identifier: MIT
-- rt.sync: mutexes, semaphores, events, wait groups, and what they share with channels.

local rt = require "rt"
local program = require "program"
local failure = require "failure"
local support = require "tasks"

local sync = rt.sync
local settle, spawn_all, await_all, many = support.settle, support.spawn_all, support.await_all, support.many

rt.test("rt has what rt.sync has", function(t)
  t:equal(rt.sync, require "rt.sync")
  t:equal(rt.select, require "rt.select")
end)

-- ---- Mutexes ----

rt.test("a mutex excludes, first come first served", function(t)
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

rt.test("try_lock, timeouts, and misuse of a mutex", function(t)
  local mutex = sync.mutex()
  t:error(function() mutex:unlock() end, "sync_test.lua:%d+: unlock: the task does not hold the mutex")
  t:equal(mutex:try_lock(), true)
  t:error(function() mutex:lock() end, "sync_test.lua:%d+: lock: the task holds the mutex already")
  t:error(function() mutex:try_lock() end, "sync_test.lua:%d+: try_lock: the task holds the mutex already")
  rt.spawn(function()
    failure("would block", "EAGAIN", mutex:try_lock())
    failure("timeout", "ETIMEDOUT", mutex:lock(0.001))
    t:error(function() mutex:unlock() end, "does not hold")
  end):await()
  mutex:unlock()
  t:error(function() mutex:unlock() end, "does not hold")
end)

rt.test("a task that ends while it holds a mutex leaves it in doubt", function(t)
  local mutex = sync.mutex()
  local waiting
  rt.spawn(function()
    mutex:lock()
    waiting = rt.spawn(function() return mutex:lock() end)
    settle()
  end):await()
  failure("lock", "EOWNERDEAD", waiting:await())
  failure("lock", "EOWNERDEAD", mutex:lock())
  failure("try_lock", "EOWNERDEAD", mutex:try_lock())
  failure("lock", "EOWNERDEAD", mutex:with(error))
end)

rt.test("with gives the results and always unlocks", function(t)
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

rt.test("a semaphore lets as many in as it has permits, first come first served", function(t)
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

rt.test("permits", function(t)
  local semaphore = sync.semaphore(2)
  t:equal(semaphore:permits(), 2)
  t:error(function() semaphore:release() end, "sync_test.lua:%d+: release: no permit is acquired")
  t:equal(semaphore:acquire(), true)
  t:equal(semaphore:try_acquire(), true)
  t:equal(semaphore:permits(), 0)
  failure("would block", "EAGAIN", semaphore:try_acquire())
  failure("timeout", "ETIMEDOUT", semaphore:acquire(0.001))
  local waiting = rt.spawn(function() return semaphore:acquire() end)
  settle()
  rt.spawn(function() semaphore:release() end)
  t:equal(waiting:await(), true)
  t:equal(semaphore:permits(), 0)
end)

-- ---- Events and wait groups ----

rt.test("an event wakes all who wait, even if it is cleared at once", function(t)
  local event = sync.event()
  t:equal(event:is_set(), false)
  failure("timeout", "ETIMEDOUT", event:wait(0.001))
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

rt.test("a wait group is waited for until all is done", function(t)
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
  failure("timeout", "ETIMEDOUT", group:wait(0))
  group:add(2)
  group:add(-3)
  t:equal(group:wait(0), true)
  t:error(function() group:done() end, "sync_test.lua:%d+: done: the count would be negative")
  t:error(function() group:add(-1) end, "sync_test.lua:%d+: add: the count would be negative")
  group:add(2147483647)
  t:error(function() group:add() end, "sync_test.lua:%d+: add: the count would overflow")
end)

-- ---- What they have in common ----

rt.test("tostring and hidden metatables", function(t)
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

rt.test("who waits keeps the object that it waits for", function(t)
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
    for i = 1, 100 do failure("timeout", "ETIMEDOUT", tasks[i]:await()) end
  end
end)

rt.test("misuse raises at the caller's line", function(t)
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

rt.test("every wait is a cancellation point, wherever it is", function(t)
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
  failure("would block", "EAGAIN", ch:try_recv())
  failure("would block", "EAGAIN", ch:try_send(1))
  mutex:unlock()
  t:equal(tostring(mutex), "mutex (free)")
end)

rt.test("what has been handed over beats a cancellation", function(t)
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

rt.test("waits where the carrier is kept give their results", function(t)
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

rt.test("loops that never wait give way", function(t)
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

rt.test("finalizers meet objects that have gone before them", function(t)
  local code = [[
    local rt = require "rt"
    local uses = {
      function(o) return o.chan:try_send(1) end, function(o) return rt.select{o.chan} end,
      function(o) return o.mutex:try_lock() end, function(o) return o.semaphore:release() end,
      function(o) return o.event:set() end, function(o) return o.group:add(1) end,
    }
    objects = {}
    local function leave(use)
      local proxy = newproxy(true)
      getmetatable(proxy).__gc = function() print(pcall(use, objects)) end
      objects[#objects + 1] = proxy
    end
    for _, use in ipairs(uses) do leave(use) end
    objects.chan, objects.mutex, objects.semaphore = rt.sync.channel(1), rt.sync.mutex(), rt.sync.semaphore(1)
    objects.event, objects.group = rt.sync.event(), rt.sync.wait_group()
    for _, use in ipairs(uses) do leave(use) end
  ]]
  local result = program.eval(code)
  t:equal(result.code, 0)
  t:equal(select(2, result.stdout:gsub("[^\n]+", "")), 12)
  t:equal(select(2, result.stdout:gsub("attempt to index field '[^\n]*a userdata value", "")), 5, result.stdout)
end)

rt.test("a program may end while tasks wait", function(t)
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
