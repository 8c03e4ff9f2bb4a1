-- SPDX-License-Identifier: MIT
-- rt.scope: who is waited for, which error comes out, misuse. The others are scope_end_test and
-- scope_deadline_test.

local rt = require "rt"
local program = require "program"
local tasks = require "tasks"

local scope, shield = rt.scope, rt.task.shield
local test, line, yield_times, raiser = tasks.test, tasks.line, tasks.yield_times, tasks.raiser
local HERE = "scope_test.lua:"

test("rt.scope is rt.task.scope", function(t) t:equal(rt.scope, rt.task.scope) end)

test("it gives the function's results, nils among them", function(t)
  t:equal(select("#", scope(function() return nil, 2, nil end)), 3)
  t:equal(select("#", scope(function() end)), 0)
  t:equal(select(2, scope(function() rt.yield() return 1, 2 end)), 2)
end)

test("it waits for its tasks", function(t)
  local ended = 0
  scope(function(s)
    for i = 1, 10 do
      s:spawn(function()
        yield_times(i)
        ended = ended + 1
      end)
    end
    t:equal(ended, 0)
  end)
  t:equal(ended, 10)
end)

test("it gives the results when the tasks that ran on have ended", function(t)
  local log = {}
  local result = scope(function(s)
    s:spawn(function() rt.sleep(0.005) log[#log + 1] = "task" end)
    log[#log + 1] = "function"
    return "result"
  end)
  log[#log + 1] = result
  t:equal(table.concat(log, " "), "function task result")
end)

test("its tasks are ordinary ones: arguments, results, joins by anybody", function(t)
  local outside
  scope(function(s)
    local task = s:spawn(function(...) rt.yield() return select("#", ...), ... end, 1, nil)
    outside = rt.spawn(function() return task:await() end)
    local ok, count, first = task:join()
    t:equal(ok, true)
    t:equal(count, 2)
    t:equal(first, 1)
  end)
  t:equal(outside:await(), 2)
end)

test("tostring of its task names the line of the spawn", function(t)
  scope(function(s)
    local task, number = s:spawn(function() end), line()
    t:ok(tostring(task):find(HERE .. number, 1, true), tostring(task))
  end)
end)

test("a task of it spawns into it, and so does one from outside", function(t)
  local log = {}
  local feeder
  scope(function(s)
    feeder = rt.spawn(function() s:spawn(function() yield_times(5) log[#log + 1] = "fed" end) end)
    s:spawn(function()
      rt.yield()
      s:spawn(function() yield_times(10) log[#log + 1] = "grandchild" end)
    end)
  end)
  feeder:await()
  t:equal(table.concat(log, " "), "fed grandchild")
end)

test("of 1,000 tasks one fails: the others clean up, one error comes out, nothing is left", function(t)
  local before, cleaned, reached = #rt.task.list(), 0, 0
  local seen
  local err = t:error(function()
    scope(function(s)
      seen = s
      for i = 1, 1000 do
        s:spawn(function()
          if i == 500 then
            rt.yield()
            error("number 500", 0)
          end
          local ok, reason = pcall(rt.sleep, 60)
          if not ok and reason == rt.cancelled then
            shield(function()
              rt.sleep(0.001)
              rt.yield()
            end)
            cleaned = cleaned + 1
          end
          rt.yield()
          reached = reached + 1
        end)
      end
      rt.sleep(60)
    end)
  end, "number 500")
  t:equal(#rt.task.list(), before)
  t:equal(cleaned, 999)
  t:equal(reached, 0)
  t:equal(err:find("more failed", 1, true), nil)
  t:equal(#seen.errors, 1)
  t:equal(seen.errors[1], "number 500")
end)

test("the error has the message, the task's traceback and its spawn", function(t)
  local spawned, raised
  local err = t:error(function()
    scope(function(s)
      s:spawn(function() raised = line() error("boom") end) spawned = line()
    end)
  end, "boom")
  t:ok(err:find(HERE .. raised .. ": boom", 1, true), err)
  t:ok(err:find("task spawned at [^\n]*" .. HERE .. spawned .. ", stack traceback:"), err)
end)

test("the first error in time is raised, the others are attached", function(t)
  local lines, kept = {}, nil
  local err = t:error(function()
    scope(function(s)
      kept = s
      s:spawn(function() shield(yield_times, 10) error("third", 0) end) lines.third = line()
      s:spawn(raiser("first\nand its second line")) lines.first = line()
      s:spawn(function() shield(yield_times, 5) error({}) end) lines.second = line()
    end)
  end, "^first\n")
  t:ok(err:find("\nand 2 more failed:\n", 1, true), err)
  t:ok(err:find("\n\ttask spawned at [^\n]*" .. HERE .. lines.second .. ": table:"), err)
  t:ok(err:find("\n\ttask spawned at [^\n]*" .. HERE .. lines.third .. ": third$"), err)
  t:equal(#kept.errors, 3)
  t:equal(kept.errors[1], "first\nand its second line")
  t:equal(type(kept.errors[2]), "table")
  t:equal(kept.errors[3], "third")
end)

test("the others may be of any kind, and have bad texts", function(t)
  local err = t:error(function()
    scope(function(s)
      s:spawn(error, "first")
      for _, text in ipairs{function() return 42 end, function() error "worse" end, function() return {} end} do
        s:spawn(function()
          pcall(rt.sleep, 60)
          error(setmetatable({}, {__tostring = text}))
        end)
      end
      rt.sleep(60)
    end)
  end, "^first")
  t:equal(select(2, err:gsub("error object is a table value", "")), 3)
end)

test("of very many errors some are shown", function(t)
  local err = t:error(function()
    scope(function(s)
      for _ = 1, 200 do s:spawn(error, "same", 0) end
    end)
  end, "and 199 more failed:")
  t:equal(select(2, err:gsub("\n\ttask spawned at [^\n]*: same", "")), 10)
  t:ok(err:find("\n\t...", 1, true))
end)

test("an error that is no string is raised as it is", function(t)
  local object = {}
  t:equal(t:error(function() scope(function(s) s:spawn(raiser(object)) s:spawn(raiser("other", 3)) end) end), object)
  for _, value in ipairs {false, 42} do
    local err = t:error(function() scope(function(s) s:spawn(raiser(value)) end) end)
    if value == 42 then t:ok(err:find("^42\n")) else t:equal(err, value) end
  end
  local ok, err = pcall(scope, function(s) s:spawn(raiser(nil)) end)
  t:equal(ok, false)
  t:equal(err, nil)
end)

test("a failing task cancels the function's waits and the scope's other tasks", function(t)
  local body, sibling
  t:error(function()
    scope(function(s)
      s:spawn(raiser("boom"))
      s:spawn(function() sibling = {pcall(rt.sleep, 60)} end)
      body = {pcall(rt.sleep, 60)}
    end)
  end, "boom")
  t:equal(body[2], rt.cancelled)
  t:equal(sibling[2], rt.cancelled)
  t:ok(rt.sleep(0), "the owner itself is not cancelled")
end)

test("the function awaits the one that fails: its error comes out once, with the await", function(t)
  local awaited, kept
  local err = t:error(function()
    scope(function(s)
      kept = s
      local task = s:spawn(raiser("boom"))
      awaited = line() + 1
      task:await()
    end)
  end, "boom")
  t:equal(select(2, err:gsub("boom", "")), 1)
  t:ok(err:find(HERE .. awaited, 1, true), err)
  t:equal(#kept.errors, 1)
end)

test("the function fails: the tasks are cancelled and waited for, its error goes on", function(t)
  local cleaned, kept, number
  local err = t:error(function()
    scope(function(s)
      kept = s
      s:spawn(function()
        pcall(rt.sleep, 60)
        shield(rt.sleep, 0.002)
        cleaned = true
      end)
      rt.yield()
      number = line() + 1
      error("body")
    end)
  end, "body")
  t:equal(cleaned, true)
  t:ok(err:find(HERE .. number .. ": body\nstack traceback:"), err)
  t:equal(#kept.errors, 1)
  local object = {}
  t:equal(t:error(function() scope(function() error(object) end) end), object)
end)

test("the function fails first, a task in its cleanup: both are told", function(t)
  local err = t:error(function()
    scope(function(s)
      s:spawn(function()
        pcall(rt.sleep, 60)
        error("cleanup", 0)
      end)
      rt.yield()
      error("body", 0)
    end)
  end, "^body\n")
  t:ok(err:find("and 1 more failed:\n\ttask spawned at [^\n]*: cleanup"), err)
end)

test("a task fails first, then the function: both are told", function(t)
  local err = t:error(function()
    scope(function(s)
      s:spawn(raiser("task"))
      pcall(rt.sleep, 60)
      error("body", 0)
    end)
  end, "^task\n")
  t:ok(err:find("and 1 more failed:\n\tthe scope's function: body"), err)
end)

test("cancelling one task does not concern the scope", function(t)
  t:equal(scope(function(s)
    local task = s:spawn(rt.sleep, 60)
    local other = s:spawn(function() yield_times(5) return "other" end)
    rt.yield()
    t:equal(task:cancel(), true)
    t:equal(select(2, task:join()), rt.cancelled)
    return other:await()
  end), "other")
end)

test("a task that nobody has cancelled ends with rt.cancelled: that is a failure", function(t)
  t:equal(t:error(function()
    scope(function(s)
      local victim = s:spawn(rt.sleep, 60)
      s:spawn(function() victim:await() end)
      rt.yield()
      victim:cancel()
      rt.sleep(60)
    end)
  end), rt.cancelled)
  t:ok(rt.sleep(0))
end)

test("the function raises rt.cancelled by itself", function(t)
  t:equal(t:error(function() scope(function() error(rt.cancelled) end) end), rt.cancelled)
end)

test("scope:cancel() ends the tasks and the function's waits", function(t)
  local sibling, after
  local value, message, code = scope(function(s)
    s:spawn(function() sibling = {pcall(rt.sleep, 60)} error(sibling[2], 0) end)
    rt.yield()
    s:cancel()
    s:cancel()
    rt.sleep(60)
    after = true
  end)
  t:equal(value, nil)
  t:equal(message, "cancelled")
  t:equal(code, "ECANCELED")
  t:equal(sibling[2], rt.cancelled)
  t:equal(after, nil)
  t:equal(scope(function(s) s:spawn(rt.sleep, 60) s:cancel() return "result" end), "result")
  t:ok(rt.sleep(0))
end)

test("scope:cancel() by one of its tasks", function(t)
  t:equal(select(3, scope(function(s)
    s:spawn(function() s:cancel() end)
    rt.sleep(60)
  end)), "ECANCELED")
end)

test("a task spawned into a cancelled scope is so from the start", function(t)
  local reached
  scope(function(s)
    s:cancel()
    s:spawn(function()
      reached = "first wait"
      rt.yield()
      reached = "too far"
    end)
  end)
  t:equal(reached, "first wait")
end)

-- ---- Nested ----

test("scopes in each other: the inner error passes both, and names both spawns", function(t)
  local outer_task
  local err = t:error(function()
    scope(function(outer)
      outer:spawn(function() outer_task = {pcall(rt.sleep, 60)} end)
      rt.yield()
      scope(function(inner)
        inner:spawn(raiser("deep"))
      end)
    end)
  end, "deep")
  t:equal(outer_task[2], rt.cancelled)
  t:ok(err:find("task spawned at", 1, true), err)
end)

test("the inner scope's cancel leaves the outer one alone", function(t)
  t:equal(scope(function(outer)
    local task = outer:spawn(function() yield_times(10) return "outer" end)
    t:equal(select(3, scope(function(inner)
      inner:spawn(rt.sleep, 60)
      inner:cancel()
      rt.sleep(60)
    end)), "ECANCELED")
    return task:await()
  end), "outer")
end)

test("a scope in a scope's task in a scope's task: cancellation reaches the deepest", function(t)
  local deepest
  local function nest(depth)
    scope(function(s)
      if depth == 0 then
        s:spawn(function()
          deepest = {pcall(rt.sleep, 60)}
          error(deepest[2], 0)
        end)
      else
        s:spawn(nest, depth - 1)
      end
    end)
  end
  local task = rt.spawn(nest, 20)
  yield_times(50)
  task:cancel()
  t:equal(select(2, task:join()), rt.cancelled)
  t:equal(deepest[2], rt.cancelled)
end)

test("an error three tasks deep shows every await and every spawn", function(t)
  local spawns, awaits, raised = {}, {}, nil
  local function inner() raised = line() error("deep") end
  local function middle()
    scope(function(s)
      local task = s:spawn(inner) spawns[#spawns + 1] = line()
      awaits[#awaits + 1] = line() task:await()
    end)
  end
  local function outer()
    scope(function(s)
      local task = s:spawn(middle) spawns[#spawns + 1] = line()
      awaits[#awaits + 1] = line() task:await()
    end)
  end
  local task = rt.spawn(outer) spawns[#spawns + 1] = line()
  awaits[#awaits + 1] = line() + 1
  local ok, err = xpcall(function() task:await() end, debug.traceback)
  t:equal(ok, false)
  t:ok(err:find(HERE .. raised .. ": deep", 1, true), err)
  t:equal(#spawns, 3)
  t:equal(#awaits, 3)
  for _, number in ipairs(spawns) do t:ok(err:find("task spawned at [^\n]*" .. HERE .. number), number .. " in " .. err) end
  for _, number in ipairs(awaits) do t:ok(err:find(HERE .. number .. ":", 1, true), number .. " in " .. err) end
  t:equal(err:find("more failed", 1, true), nil)
end)

test("100 scopes in each other, one task each", function(t)
  local ended = 0
  local function nest(depth)
    if depth == 0 then return "bottom" end
    return scope(function(s)
      s:spawn(function() yield_times(depth % 7) ended = ended + 1 end)
      return nest(depth - 1)
    end)
  end
  t:equal(nest(100), "bottom")
  t:equal(ended, 100)
end)

-- ---- Misuse ----

test("bad arguments are named, at the line of the call", function(t)
  local fn = function() end
  t:error(function() scope() end, HERE .. "%d+: bad argument #1 to 'scope' %(function expected, got nil%)")
  t:error(function() scope(fn, 5) end, HERE .. "%d+: bad argument #2 to 'scope' %(table expected, got number%)")
  t:error(function() scope(fn, {timeout = "1"}) end, "bad option 'timeout' to 'scope' (number expected, got string)")
  t:error(function() scope(fn, {deadline = 0 / 0}) end, "bad option 'deadline' to 'scope' (number expected, got NaN)")
  t:error(function() scope(fn, {time = 1}) end, "bad option 'time' to 'scope'")
  scope(function(s)
    t:error(function() s:spawn(5) end, HERE .. "%d+: bad argument #1 to 'spawn' %(function expected, got number%)")
    t:error(function() s.spawn(fn) end, "scope expected, got function")
    t:error(function() s.cancel(rt.task.current()) end, "scope expected, got userdata")
    t:error(function() s.field = 1 end, HERE .. "%d+: a scope has no field 'field' that can be set")
    t:equal(s.field, nil)
    t:equal(#s.errors, 0)
  end)
end)

test("a closed scope cannot be used", function(t)
  local kept
  scope(function(s) kept = s end)
  t:error(function() kept:spawn(function() end) end, HERE .. "%d+: the scope is closed")
  t:error(function() kept:cancel() end, HERE .. "%d+: the scope is closed")
  t:equal(#kept.errors, 0)
end)

-- ---- Reports, and the end of the program ----

test("failures of a scope's tasks are not reported, those that nobody sees are", function(t)
  local result = program.eval [[
    local rt = require "rt"
    pcall(rt.scope, function(s)
      s:spawn(error, "seen")
      s:spawn(function() pcall(rt.sleep, 60) error("seen as well") end)
    end)
    collectgarbage() collectgarbage()
    print "end"
  ]]
  t:equal(result.code, 0)
  t:equal(result.stderr, "")
  t:equal(result.stdout, "end\n")
  result = program.eval [[
    local rt = require "rt"
    rt.scope(function(s) s:spawn(error, "nobody catches") end)
  ]]
  t:equal(result.code, 1)
  t:ok(result.stderr:find("nobody catches", 1, true), result.stderr)
end)

test("a scope whose tasks cannot be woken is reported as a deadlock", function(t)
  local result = program.eval [[
    local rt = require "rt"
    rt.scope(function(s)
      s:spawn(rt.sleep, math.huge)
    end)
  ]]
  t:equal(result.code, 1)
  t:ok(result.stderr:find("deadlock", 1, true), result.stderr)
  t:ok(result.stderr:find("waits for: scope", 1, true), result.stderr)
end)

test("a scope is abandoned at the end of the program, with a task that ignores its cancellation", function(t)
  local result = program.eval [[
    local rt = require "rt"
    for _, wrap in ipairs {function(fn) fn() end, function(fn) table.sort({1, 2}, fn) end} do
      rt.spawn(wrap, function()
        rt.scope(function(s)
          for _ = 1, 3 do s:spawn(rt.task.shield, rt.sleep, 60) end
        end)
      end)
    end
    rt.yield() rt.yield()
    print "end"
  ]]
  t:equal(result.stdout, "end\n")
  t:ok(result.stderr:find("is abandoned", 1, true), result.stderr)
end)

test("os.exit() in a scope", function(t)
  local result = program.eval [[
    local rt = require "rt"
    rt.scope(function(s) s:spawn(rt.sleep, 60) s:spawn(function() os.exit(3, true) end) end)
  ]]
  t:equal(result.code, 3)
  t:equal(result.stderr, "")
end)

test("a finalizer can open no scope", function(t)
  local err
  local proxy = newproxy(true)
  getmetatable(proxy).__gc = function() err = select(2, pcall(scope, function() end)) end
  proxy = nil -- luacheck: ignore
  tasks.collect()
  t:ok(tostring(err):find("scope: a finalizer or the handler of a VM event cannot wait", 1, true), err)
end)

test("many scopes with tasks, while garbage is collected", function(t)
  local ended = 0
  for round = 1, 300 do
    scope(function(s)
      for i = 1, 40 do s:spawn(function() if i % 3 == 0 then rt.yield() end ended = ended + 1 end) end
    end)
    if round % 50 == 0 then collectgarbage() end
  end
  t:equal(ended, 300 * 40)
end)
