-- SPDX-License-Identifier: MIT
-- rt.task: spawn, await, join, cancel, names, lists, and where errors go.

local rt = require "rt"
local failure = require "failure"

local function raiser(err)
  return function() error(err, 0) end
end

rt.test("rt has what rt.task has", function(t)
  t:equal(rt.task, require "rt.task")
  t:equal(rt.spawn, rt.task.spawn)
  t:equal(rt.yield, rt.task.yield)
end)

rt.test("await gives the values, nils among them", function(t)
  local task = rt.spawn(function(...) return select("#", ...), ... end, nil, 2, nil)
  local results = {n = select("#", task:await()), task:await()}
  t:equal(results.n, 4)
  t:equal(results[1], 3)
  t:equal(results[2], nil)
  t:equal(results[3], 2)
  t:equal(select("#", rt.spawn(function() end):await()), 0)
end)

rt.test("a task takes and gives many values", function(t)
  local many = {}
  for i = 1, 5000 do many[i] = i end
  local function sum(...)
    local total = 0
    for i = 1, select("#", ...) do total = total + (select(i, ...)) end
    return total
  end
  t:equal(select("#", rt.spawn(function(...) rt.yield() return ... end, unpack(many)):await()), 5000)
  t:equal(sum(rt.spawn(function() return unpack(many, 1, 200) end):await()), 20100)
end)

rt.test("spawn does not run the task at once", function(t)
  local ran = false
  local task = rt.spawn(function() ran = true end)
  t:equal(ran, false)
  t:equal(task:status(), "runnable")
  task:await()
  t:equal(ran, true)
end)

rt.test("tasks run in the order in which they were spawned", function(t)
  local order, tasks = {}, {}
  for i = 1, 100 do tasks[i] = rt.spawn(function() order[#order + 1] = i end) end
  for i = 1, 100 do tasks[i]:await() end
  for i = 1, 100 do t:equal(order[i], i) end
end)

rt.test("yield takes turns", function(t)
  local order = {}
  local function worker(name)
    for i = 1, 3 do
      order[#order + 1] = name .. i
      rt.yield()
    end
  end
  local a, b = rt.spawn(worker, "a"), rt.spawn(worker, "b")
  a:await()
  b:await()
  t:equal(table.concat(order, " "), "a1 b1 a2 b2 a3 b3")
end)

rt.test("await raises the error, with the traceback and the place of the spawn", function(t)
  local task = rt.spawn(function() error("boom") end)
  local err = t:error(function() task:await() end, "task_test.lua:%d+: boom")
  t:ok(err:find("stack traceback:", 1, true), err)
  t:ok(err:find("task spawned at .-task_test.lua:%d+", 1), err)
  t:ok(t:error(function() task:await() end):find("boom"), "raised every time")
end)

rt.test("an error of the VM itself has its line in the traceback too", function(t)
  local raised, called
  local function line() return debug.getinfo(2, "l").currentline end
  local outermost = rt.spawn(function() local none raised = line() none.field = 1 end)
  local err = t:error(function() outermost:await() end)
  t:ok(err:find("traceback:\n\t[^\n]*task_test.lua:" .. raised .. ": in function"), err)
  local function index(none) raised = line() return none.field .. "" end
  local deeper = rt.spawn(function() called = line() + 1
    return (index(nil))
  end)
  err = t:error(function() deeper:await() end)
  t:ok(err:find("traceback:\n\t[^\n]*:" .. raised .. ": in [^\n]*\n\t[^\n]*:" .. called .. ": in"), err)
  local forged = rt.spawn(function() error("[C]:7: in no frame", 0) end)
  err = t:error(function() forged:await() end)
  t:ok(err:find("traceback:\n\t[C]: in function 'error'", 1, true), err)
end)

rt.test("an error three tasks deep shows every await and every spawn", function(t)
  local lines = {}
  local function line() return debug.getinfo(2, "l").currentline end
  local function inner() lines.raise = line() error("deep") end
  local function middle()
    local task = rt.spawn(inner) lines.spawn_inner = line()
    task:await() lines.await_inner = line()
  end
  local function outer()
    local task = rt.spawn(middle) lines.spawn_middle = line()
    task:await() lines.await_middle = line()
  end
  local task = rt.spawn(outer) lines.spawn_outer = line()
  local err = t:error(function() task:await() end, "deep")
  lines.await_inner, lines.await_middle = lines.spawn_inner + 1, lines.spawn_middle + 1
  for what, number in pairs(lines) do
    t:ok(err:find("task_test.lua:" .. number, 1, true), ("%s, line %d, is not in:\n%s"):format(what, number, err))
  end
  for _, what in ipairs {"spawn_inner", "spawn_middle", "spawn_outer"} do
    t:ok(err:find("spawned at [^\n]*task_test.lua:" .. lines[what]), what .. " is not said to be a spawn:\n" .. err)
  end
end)

rt.test("an error that is no string is raised as it is", function(t)
  local object = setmetatable({}, {__tostring = function() return "an object" end})
  t:equal(t:error(function() rt.spawn(raiser(object)):await() end), object)
  local ok, err = pcall(function() rt.spawn(raiser(nil)):await() end)
  t:equal(ok, false)
  t:equal(err, nil)
  t:equal(t:error(function() rt.spawn(raiser(false)):await() end), false)
end)

rt.test("join gives true and the values, or false and the bare error", function(t)
  local ok, a, b = rt.spawn(function() return 1, 2 end):join()
  t:equal(ok, true)
  t:equal(a, 1)
  t:equal(b, 2)
  local object = {}
  local failed, err = rt.spawn(raiser(object)):join()
  t:equal(failed, false)
  t:equal(err, object)
  t:equal(select(2, rt.spawn(raiser("text")):join()), "text")
  t:equal(select("#", rt.spawn(function() end):join()), 1)
end)

rt.test("any number of tasks join one, as often as they like", function(t)
  local task = rt.spawn(function() rt.sleep(0.01) return "result" end)
  local joiners = {}
  for i = 1, 50 do joiners[i] = rt.spawn(function() return select(2, task:join()) end) end
  for i = 1, 50 do t:equal(joiners[i]:await(), "result") end
  t:equal(task:await(), "result")
  t:equal(select(2, task:join()), "result")
end)

rt.test("join with a timeout", function(t)
  local task = rt.spawn(function() rt.sleep(60) end)
  failure("timeout", "ETIMEDOUT", task:join(0.01))
  failure("timeout", "ETIMEDOUT", task:join(0))
  failure("timeout", "ETIMEDOUT", task:join(-1))
  task:cancel()
  local ok, err = task:join(60)
  t:equal(ok, false)
  t:equal(err, rt.cancelled)
  t:equal(task:join(0), false)
end)

rt.test("join with an enormous timeout waits", function(t)
  local task = rt.spawn(function() rt.yield() return 7 end)
  t:equal(select(2, task:join(math.huge)), 7)
  t:equal(select(2, rt.spawn(function() rt.yield() return 8 end):join(1e300)), 8)
end)

rt.test("a task cannot join itself", function(t)
  t:error(function() rt.task.current():join() end, "cannot join itself")
  t:error(function() rt.task.current():await() end, "task_test.lua:%d+: a task cannot join itself")
end)

rt.test("tasks cannot join each other", function(t)
  local second
  local first = rt.spawn(function() return second:join() end)
  second = rt.spawn(function() return first:join() end)
  t:error(function() second:await() end, "a task cannot join one that waits for it")
  t:equal(first:join(), true)
end)

rt.test("cancel raises rt.cancelled at the wait", function(t)
  local seen
  local task = rt.spawn(function()
    local ok, err = pcall(rt.sleep, 60)
    seen = {ok, err}
    error(err, 0)
  end)
  rt.yield()
  t:equal(task:status(), "waiting")
  task:cancel()
  task:cancel()
  local ok, err = task:join()
  t:equal(ok, false)
  t:equal(err, rt.cancelled)
  t:equal(seen[1], false)
  t:equal(seen[2], rt.cancelled)
  t:equal(task:status(), "cancelled")
  t:equal(tostring(rt.cancelled), "cancelled")
  t:equal(t:error(function() task:await() end), rt.cancelled)
end)

rt.test("a cancellation that is swallowed is raised again at the next wait", function(t)
  local count = 0
  local task = rt.spawn(function()
    for _ = 1, 3 do
      local ok, err = pcall(rt.sleep, 60)
      if not ok and err == rt.cancelled then count = count + 1 end
    end
    if not pcall(rt.yield) then count = count + 1 end
    if not pcall(rt.sleep, 0) then count = count + 1 end
    return "cleaned up"
  end)
  rt.yield()
  task:cancel()
  local ok, value = task:join()
  t:equal(ok, true)
  t:equal(value, "cleaned up")
  t:equal(count, 5)
  t:equal(task:status(), "done")
end)

rt.test("a task that is cancelled before its first turn runs up to its first wait", function(t)
  local reached
  local task = rt.spawn(function()
    reached = true
    rt.sleep(60)
    reached = "too far"
  end)
  task:cancel()
  t:equal(select(2, task:join()), rt.cancelled)
  t:equal(reached, true)
end)

rt.test("cancelling itself, and cancelling one that has ended", function(t)
  local task = rt.spawn(function()
    rt.task.current():cancel()
    return pcall(rt.sleep, 60)
  end)
  local ok, err = task:await()
  t:equal(ok, false)
  t:equal(err, rt.cancelled)
  task:cancel()
  t:equal(task:status(), "done")
  t:equal(task:await(), false)
end)

rt.test("every kind of wait is a cancellation point", function(t)
  local listener = assert(rt.net.tcp.listen("127.0.0.1:0"))
  local socket = assert(rt.net.udp.bind("127.0.0.1:0"))
  local sleeper = rt.spawn(function() rt.sleep(60) end)
  local waits = {
    sleep = function() rt.sleep(60) end,
    sleep_until = function() rt.sleep_until(rt.now() + 60) end,
    interval = function() for _ in rt.interval(60) do break end end,
    join = function() sleeper:join() end,
    await = function() sleeper:await() end,
    accept = function() listener:accept() end,
    recv_from = function() socket:recv_from() end,
    wait_fd = function() rt.wait_fd(socket:fd(), "r") end,
    timeout = function() rt.timeout(60, rt.sleep, 60) end,
    resolve = function() rt.net.resolve("localhost") end,
    sort = function() table.sort({1, 2}, function() rt.sleep(60) end) end,
    coroutine = function() coroutine.wrap(function() rt.sleep(60) end)() end,
  }
  for name, wait in pairs(waits) do
    local task = rt.spawn(wait)
    rt.yield()
    rt.yield()
    if name == "resolve" then
      task:join(30)
      task = rt.spawn(wait)
      task:cancel()
    else
      t:equal(task:status(), "waiting")
    end
    task:cancel()
    local ok, err = task:join(30)
    -- With several threads the answer may be there before the wait begins: it beats the cancellation.
    local answered = name == "resolve" and ok
    if not answered and (ok ~= false or err ~= rt.cancelled) then error(("%s: %s, %s"):format(name, ok, err)) end
  end
  sleeper:cancel()
  sleeper:join()
  listener:close()
  socket:close()
end)

rt.test("a result that has arrived already beats a cancellation", function(t)
  local task = rt.spawn(function() return "result" end)
  local joiner = rt.spawn(function() return task:await() end)
  task:await()
  joiner:cancel()
  t:equal(joiner:await(), "result")
end)

rt.test("cancelling a joiner leaves the joined task alone", function(t)
  local task = rt.spawn(function() rt.sleep(0.02) return 5 end)
  local joiner = rt.spawn(function() task:await() end)
  rt.yield()
  joiner:cancel()
  t:equal(select(2, joiner:join()), rt.cancelled)
  t:equal(task:await(), 5)
end)

rt.test("status says where a task is", function(t)
  local me
  local go = rt.sync.event()
  local task = rt.spawn(function()
    me = rt.task.current()
    t:equal(me:status(), "running")
    go:wait()
  end)
  t:equal(task:status(), "runnable")
  rt.yield()
  t:equal(me, task)
  t:equal(task:status(), "waiting")
  go:set()
  task:await()
  t:equal(task:status(), "done")
  local failed = rt.spawn(raiser("x"))
  failed:join()
  t:equal(failed:status(), "failed")
end)

rt.test("a name and the place of the spawn are in tostring", function(t)
  local line = debug.getinfo(1, "l").currentline + 1
  local task = rt.spawn(function() end)
  t:equal(task.name, nil)
  t:ok(tostring(task):find("task_test.lua:" .. line, 1, true), tostring(task))
  task.name = "worker"
  t:equal(task.name, "worker")
  t:ok(tostring(task):find("worker", 1, true))
  t:ok(tostring(task):find("task_test.lua:" .. line, 1, true))
  task.name = nil
  t:equal(task.name, nil)
  t:error(function() task.name = 5 end, "task_test.lua:%d+: .*string")
  t:error(function() task.nonsense = 5 end, "task_test.lua:%d+: .*nonsense")
  t:equal(task.nonsense, nil)
  t:equal(getmetatable(task), "task")
  task:await()
end)

rt.test("current and list", function(t)
  local function has(wanted)
    for _, task in ipairs(rt.task.list()) do
      if task.name == wanted then return true end
    end
    return false
  end
  local task = rt.spawn(function() rt.sleep(60) end)
  task.name = "sleeper"
  t:equal(has("sleeper"), true)
  t:equal(has("main"), true)
  local count = #rt.task.list()
  task:cancel()
  task:join()
  t:equal(has("sleeper"), false)
  t:equal(#rt.task.list(), count - 1)
  t:equal(rt.spawn(function() return rt.task.current() end):await() ~= rt.task.current(), true)
end)

rt.test("current is the task inside of a coroutine too", function(t)
  local me = rt.task.current()
  t:equal(coroutine.wrap(function() return rt.task.current() end)(), me)
end)

rt.test("coroutine.yield reaches the resumer, waits in between or not", function(t)
  local generator = coroutine.wrap(function()
    for i = 1, 3 do
      rt.yield()
      coroutine.yield(i)
      rt.sleep(0.001)
    end
  end)
  t:equal(generator(), 1)
  rt.yield()
  t:equal(generator(), 2)
  t:equal(generator(), 3)
end)

rt.test("coroutine.yield outside of a coroutine fails the task", function(t)
  local task = rt.spawn(function()
    coroutine.yield(1)
    return "resumed"
  end)
  local ok, err = task:join()
  t:equal(ok, false)
  t:ok(tostring(err):find("attempt to yield", 1, true), err)
  t:equal(rt.spawn(function() return "the next one is fine" end):await(), "the next one is fine")
end)

rt.test("a handle that nobody keeps does not end its task", function(t)
  local ended = false
  rt.spawn(function()
    rt.sleep(0.02)
    ended = true
  end)
  collectgarbage()
  collectgarbage()
  local limit = rt.now() + 30
  while not ended and rt.now() < limit do rt.sleep(0.005) end
  t:ok(ended)
end)

rt.test("wrong arguments raise, naming function and argument", function(t)
  t:error(function() rt.spawn(5) end, "task_test.lua:%d+: bad argument #1 to 'spawn' %(function expected, got number%)")
  t:error(function() rt.spawn() end, "bad argument #1 to 'spawn' (function expected, got no value)")
  t:error(function() rt.spawn({}) end, "bad argument #1 to 'spawn' (function expected, got table)")
  local task = rt.spawn(function() end)
  t:error(function() task:join("soon") end, "task_test.lua:%d+: bad argument #1 to 'join' %(number expected")
  t:error(function() task:join(0 / 0) end, "bad argument #1 to 'join' (number expected, got NaN)")
  t:error(function() task:join({}) end, "bad argument #1 to 'join' (number expected, got table)")
  for _, method in ipairs {"await", "join", "cancel", "status"} do
    t:error(function() task[method](5) end, "task_test.lua:%d+: ")
    t:error(function() task[method](5) end, "task expected, got number")
    t:error(function() task[method](io.stdout) end, "task expected, got userdata")
  end
  task:await()
end)

rt.test("spawn is there for a hundred thousand tasks", function(t)
  local count = 0
  for _ = 1, 100 do
    local tasks = {}
    for i = 1, 1000 do tasks[i] = rt.spawn(function() rt.yield() count = count + 1 end) end
    for i = 1, 1000 do tasks[i]:await() end
  end
  t:equal(count, 100000)
end)

rt.test("a finalizer cannot wait, and says so", function(t)
  local message
  local function make()
    getmetatable(newproxy(true)).__gc = function() message = select(2, pcall(rt.sleep, 0.001)) end
  end
  local other = rt.spawn(function() rt.yield() return "fine" end)
  make()
  collectgarbage()
  collectgarbage()
  t:ok(message:find("sleep: a finalizer or the handler of a VM event cannot wait", 1, true), message)
  t:equal(other:await(), "fine")
  rt.sleep(0.001)
end)

rt.test("tasks that end, wait in the middle of C and collect follow each other", function(t)
  local order = {}
  local function note(what) order[#order + 1] = what end
  for _ = 1, 3 do
    rt.task.spawn(function() note "ends" end) -- nobody has its handle
    rt.task.spawn(function()
      collectgarbage()
      collectgarbage()
      note "collects"
    end)
    local kept = rt.task.spawn(function()
      table.sort({2, 1}, function(a, b)
        rt.yield() -- its carrier stays with it
        note "sorts"
        return a < b
      end)
      rt.yield()
      note "yields"
    end)
    local last = rt.task.spawn(function() note "last" return 7 end)
    t:equal(last:await(), 7)
    t:ok(kept:join())
  end
  t:equal(table.concat(order, " "), ("ends collects last sorts yields "):rep(3):sub(1, -2))
end)

rt.test("a job that is started between two tasks that yield", function(t)
  local turns = {}
  local function work(name)
    for _ = 1, 3 do
      turns[#turns + 1] = name
      rt.yield()
    end
  end
  local a = rt.task.spawn(work, "a")
  local b = rt.task.spawn(function()
    work "b"
    return rt.parallel(function(x) return x + 1 end, 41):await()
  end)
  local c = rt.task.spawn(work, "c")
  a:await()
  c:await()
  t:equal(b:await(), 42)
  t:equal(table.concat(turns), "abcabcabc")
end)
