-- SPDX-License-Identifier: MIT
-- rt.parallel(): jobs in other VMs, their results, errors, cancellation and end.
local program = require "program"
local rt = require "rt"

-- Runs a script, with a limit for the memory of each job VM, and options of rtlua.
local function run(code, memory, options)
  local path = program.file(code, ".lua")
  local limit = memory and ("RT_JOB_MEMORY=%d "):format(memory) or ""
  local result = program.run(limit .. program.quote(program.rtlua) .. " " .. (options or "") .. " " .. path)
  os.remove(path)
  return result
end

rt.test("results", function(t)
  local a, b, c = rt.parallel(function(x, y) return x + y, nil, "three" end, 1, 2):await()
  t:ok(a == 3 and b == nil and c == "three")
  t:equal(select("#", rt.parallel(function() end):await()), 0)
end)

rt.test("it is a task like others", function(t)
  local task = rt.parallel(function() return 1 end)
  task.name = "worker"
  t:equal(task.name, "worker")
  t:ok(tostring(task):find("task 'worker' (", 1, true))
  t:ok(tostring(task):find("parallel_test.lua:", 1, true))
  local ok, value = task:join()
  t:ok(ok == true and value == 1)
  t:equal(task:await(), 1)
  t:equal(task:status(), "done")
  t:equal(select(2, rt.select {rt.parallel(function() return "selected" end)}), "selected")
end)

rt.test("many at once", function(t)
  local tasks, sum = {}, 0
  for i = 1, 500 do tasks[i] = rt.parallel(function(n) return n * 2 end, i) end
  for i = 1, 500 do sum = sum + tasks[i]:await() end
  t:equal(sum, 500 * 501)
end)

for _, runtime in ipairs {"native", "stealing"} do
  rt.test("two jobs are in two VMs, also right after two others have ended: " .. runtime, function(t)
    local result = run([[
      local rt = require "rt"
      local function job(gate)
        gate:recv()
        identity = identity or tostring({})
        return identity
      end
      for i = 1, 300 do
        local gate = rt.sync.channel()
        local one, other = rt.parallel(job, gate), rt.parallel(job, gate)
        gate:send(1)
        gate:send(2)
        assert(one:await() ~= other:await(), i)
      end]], nil, "--workers=2 --runtime=" .. runtime)
    t:equal(result.stderr, "")
    t:equal(result.code, 0)
  end)
end

rt.test("jobs of one VM wait at the same time", function(t)
  local arrived, go, tasks = rt.sync.channel(), rt.sync.channel(), {}
  for i = 1, 20 do
    tasks[i] = rt.parallel(function(arrived, go) -- luacheck: ignore
      arrived:send(true)
      return go:recv()
    end, arrived, go)
  end
  for _ = 1, 20 do arrived:recv() end
  go:close()
  for i = 1, 20 do t:equal(tasks[i]:await(), nil) end
end)

rt.test("a job VM keeps its globals and modules", function(t)
  local function count()
    parallel_test_count = (parallel_test_count or 0) + 1 -- luacheck: ignore
    package.loaded.parallel_test_module = true
    return parallel_test_count, package.loaded.parallel_test_module -- luacheck: ignore
  end
  local most = 0
  for _ = 1, 100 do most = math.max(most, (rt.parallel(count):await())) end
  t:ok(most >= 100 / 8, most) -- on the 8 VMs that there are at most
  t:equal(parallel_test_count, nil) -- luacheck: ignore
  t:equal(package.loaded.parallel_test_module, nil)
end)

rt.test("the search path goes along", function(t)
  local path = package.path
  package.path = "./no/such/?.lua;" .. path
  t:equal(rt.parallel(function() return package.path end):await(), package.path)
  package.path = path
  t:equal(rt.parallel(function() return package.path end):await(), path)
end)

rt.test("jobs in jobs", function(t)
  local function sum(n)
    if n == 0 then return 0 end
    return n + rt.parallel(sum, n - 1):await()
  end
  t:equal(rt.parallel(sum, 10):await(), 55)
end)

rt.test("waiting anywhere", function(t)
  t:equal(rt.parallel(function()
    local list = {3, 1, 2}
    table.sort(list, function(a, b)
      rt.sleep(0.001)
      return a < b
    end)
    return table.concat(list)
  end):await(), "123")
end)

-- ---- Errors ----

rt.test("an error comes with the traceback of the other VM", function(t)
  local function fail() error("broken") end
  local line = debug.getinfo(fail, "S").linedefined
  local task = rt.parallel(function()
    fail()
    return 1
  end)
  local ok, err = task:join()
  t:equal(ok, false)
  t:ok(err:find(("parallel_test.lua:%d: broken$"):format(line)), err)
  err = t:error(function() task:await() end, "broken\ntask spawned at ")
  t:ok(err:find(("parallel_test.lua:%d: in function"):format(line), 1, true), err)
  t:ok(err:find("in another VM", 1, true), err)
  t:equal(task:status(), "failed")
end)

rt.test("errors that are no messages", function(t)
  local _, err = rt.parallel(function() error({code = 7}) end):join()
  t:equal(err.code, 7)
  _, err = rt.parallel(function() error() end):join()
  t:equal(err, nil)
  _, err = rt.parallel(function() error(setmetatable({}, {__tostring = function() return "as text" end})) end):join()
  t:equal(err, "as text")
  _, err = rt.parallel(function() error(coroutine.create(print)) end):join()
  t:equal(err, "(error object is a thread value)")
end)

rt.test("rt.cancelled, raised by the job itself", function(t)
  local task = rt.parallel(function() error(rt.cancelled) end)
  local ok, err = task:join()
  t:ok(ok == false and err == rt.cancelled)
  t:equal(task:status(), "cancelled")
end)

rt.test("a failure that nobody joins is reported", function(t)
  local result = run [[
    local rt = require "rt"
    local begun = rt.sync.channel(1)
    rt.parallel(function(begun) begun:send(true) error("nobody looks") end, begun)
    begun:recv()
  ]]
  t:ok(result.stderr:find("failed: .-nobody looks\nstack traceback:"), result.stderr)
  t:equal(result.code, 1)
end)

rt.test("a task that a job has left behind fails", function(t)
  local result = run [[
    local rt = require "rt"
    rt.parallel(function() rt.spawn(function() error("left alone") end) end):await()
    rt.sleep(0.02)
  ]]
  t:ok(result.stderr:find("left alone", 1, true), result.stderr)
  t:equal(result.code, 1)
end)

-- ---- Cancellation ----

rt.test("cancelling cancels the job, which may clean up", function(t)
  local events = rt.sync.channel(10)
  local task = rt.parallel(function(out)
    out:send("begun")
    local ok, err = pcall(rt.sleep, 60)
    rt.task.shield(function()
      rt.sleep(0.01)
      out:send(not ok and err == rt.cancelled and "cleaned up")
    end)
    error(err, 0)
  end, events)
  t:equal(events:recv(), "begun")
  task:cancel()
  local ok, err = task:join()
  t:ok(ok == false and err == rt.cancelled)
  t:equal(events:try_recv(), "cleaned up") -- the end came after it
end)

rt.test("a job that has not begun is dropped", function(t)
  local started = rt.sync.channel(1)
  local task = rt.parallel(function(out) out:send(true) end, started)
  task:cancel()
  local ended = task:join() -- with several workers it may have begun
  rt.sleep(0.01)
  t:equal(started:count(), ended and 1 or 0)
end)

rt.test("a job that ends in spite of its cancellation has results", function(t)
  local begun = rt.sync.channel()
  local task = rt.parallel(function(out)
    out:send(true)
    pcall(rt.sleep, 60)
    return "done"
  end, begun)
  begun:recv()
  task:cancel()
  t:equal(task:await(), "done")
end)

rt.test("a timeout around await leaves the job alone", function(t)
  local go = rt.sync.channel()
  local task = rt.parallel(function(go) return go:recv() end, go) -- luacheck: ignore
  t:equal(rt.timeout(0.005, task.await, task), nil)
  go:send("late")
  t:equal(task:await(), "late")
end)

rt.test("scope:parallel() is a task of the scope", function(t)
  local begun, ended = rt.sync.channel(), rt.sync.channel(1)
  local _, message = rt.scope(function(scope)
    scope:parallel(function(begun, out) -- luacheck: ignore
      begun:send(true)
      pcall(rt.sleep, 60)
      out:try_send(true)
    end, begun, ended)
    begun:recv()
    scope:cancel()
    rt.sleep(1)
  end)
  t:equal(message, "cancelled")
  t:equal(ended:try_recv(), true)
  t:error(function()
    rt.scope(function(scope) scope:parallel(function() error("in scope") end) end)
  end, "in scope")
end)

-- ---- Memory ----

rt.test("a VM that runs out of memory fails its job alone", function(t)
  local result = run([[
    local rt = require "rt"
    local others = rt.parallel(function() rt.sleep(0.05) return "the other" end)
    rt.sleep(0.01)
    local ok, err = rt.parallel(function()
      local list = {}
      for i = 1, 1e8 do list[i] = {i} end
    end):join()
    print(ok, err)
    print(others:await())
    print(rt.parallel(function() return ("x"):rep(1000):len() end):await())
    -- What stays used up takes a new VM.
    print(rt.parallel(function() kept = {} for i = 1, 1e8 do kept[i] = {i} end end):join())
    for i = 1, 3 do print(rt.parallel(function() return kept, #("y"):rep(4e6) end):await()) end
  ]], 16000000)
  t:equal(result.stdout, "false\tnot enough memory\nthe other\n1000\nfalse\tnot enough memory\n" ..
    ("nil\t4000000\n"):rep(3))
  t:equal(result.stderr, "")
  t:equal(result.code, 0)
end)

rt.test("a VM that cannot be made", function(t)
  local result = run([[
    local rt = require "rt"
    print(rt.parallel(function() return 1 end):join())
  ]], 1)
  t:ok(result.stdout:find("^false\t.*not enough memory"), result.stdout .. result.stderr)
  t:equal(result.code, 0)
end)

-- ---- The end of the program ----

rt.test("jobs that are left are cancelled", function(t)
  local result = run [[
    local rt = require "rt"
    local begun, ch = rt.sync.channel(), rt.sync.channel()
    for _ = 1, 3 do
      rt.parallel(function(begun, ch)
        begun:send(true)
        local ok, err = pcall(ch.recv, ch)
        io.stdout:write(tostring(err) .. "\n")
      end, begun, ch)
    end
    for _ = 1, 3 do begun:recv() end
  ]]
  t:equal(result.stdout, ("cancelled\n"):rep(3))
  t:equal(result.stderr, "")
  t:equal(result.code, 0)
end)

rt.test("a job that ignores its cancellation is named", function(t)
  local result = run [[
    local rt = require "rt"
    local begun = rt.sync.channel()
    rt.parallel(function(begun) begun:send(true) while true do pcall(rt.sleep, 0.01) end end, begun)
    begun:recv()
  ]]
  t:ok(result.stderr:find("spawned at .-:3 ignores its cancellation and is abandoned"), result.stderr)
end)

rt.test("what a channel holds at the end is freed", function(t)
  local result = run [[
    local rt = require "rt"
    local ch, circle = rt.sync.channel(10), rt.sync.channel(10)
    rt.parallel(function(ch, circle)
      ch:send({1, 2, 3})
      ch:send(ch)
      circle:send({circle, function() return circle end})
    end, ch, circle):await()
    circle = nil
  ]]
  t:equal(result.stderr, "")
  t:equal(result.code, 0)
end)

rt.test("a deadlock that goes through another VM", function(t)
  local result = run [[
    local rt = require "rt"
    local ch = rt.sync.channel()
    rt.parallel(function(ch) return ch:recv() end, ch):await()
  ]]
  t:ok(result.stderr:find("deadlock:", 1, true), result.stderr)
  t:ok(result.stderr:find("receive", 1, true), result.stderr)
  t:equal(result.code, 1)
end)
