-- SPDX-License-Identifier: MIT
-- rt.task.variable: task-local values and who inherits them.

local rt = require "rt"
local program = require "program"

local variable = rt.task.variable
local test = rt.test

test("before any is set: the default, or nil", function(t)
  t:equal(variable():get(), nil)
  t:equal(variable("default"):get(), "default")
  t:equal(rt.spawn(function() return variable(5):get() end):await(), 5)
end)

test("set and get, nil is none", function(t)
  local a, b = variable("a0"), variable()
  a:set("a1")
  b:set(false)
  t:equal(a:get(), "a1")
  t:equal(b:get(), false)
  a:set("a2")
  t:equal(a:get(), "a2")
  a:set(nil)
  t:equal(a:get(), "a0")
  t:equal(b:get(), false)
  b:set(nil)
end)

test("a task inherits what its parent had at the spawn, and both go their own way", function(t)
  local request = variable()
  request:set(1)
  local seen = {}
  local task = rt.spawn(function()
    seen[1] = request:get()
    request:set(3)
    rt.yield()
    seen[2] = request:get()
    return rt.spawn(function() return request:get() end):await()
  end)
  request:set(2)
  rt.yield()
  t:equal(request:get(), 2)
  t:equal(task:await(), 3)
  t:equal(seen[1], 1)
  t:equal(seen[2], 3)
  t:equal(request:get(), 2)
  request:set(nil)
end)

test("another task does not see it", function(t)
  local request = variable("none")
  local go
  local stranger = rt.spawn(function()
    while not go do rt.yield() end
    return request:get()
  end)
  request:set("mine")
  go = true
  t:equal(stranger:await(), "none")
  request:set(nil)
end)

test("tasks of scopes inherit from the one that spawns them", function(t)
  local request = variable()
  request:with("outer", function()
    rt.scope(function(s)
      t:equal(s:spawn(function() return request:get() end):await(), "outer")
      request:with("inner", function()
        t:equal(s:spawn(function() return request:get() end):await(), "inner")
      end)
    end)
  end)
  t:equal(request:get(), nil)
end)

test("with gives the results and restores the value, after an error too", function(t)
  local request = variable("default")
  t:equal(select("#", request:with(1, function(...) return ... end, nil, nil)), 2)
  t:equal(request:get(), "default")
  request:set("set")
  t:equal(request:with("with", function() rt.yield() return request:get() end), "with")
  t:equal(request:get(), "set")
  t:equal(request:with(nil, request.get, request), "default")
  local object = {}
  t:equal(t:error(function() request:with("with", error, object) end), object)
  t:error(function() request:with("with", function() error("boom") end) end, "local_test.lua:%d+: boom")
  t:equal(request:get(), "set")
  request:set(nil)
end)

test("what is set inside of with, of another variable, stays", function(t)
  local a, b = variable(), variable()
  a:with(1, function()
    b:set(2)
    a:set(3)
  end)
  t:equal(a:get(), nil)
  t:equal(b:get(), 2)
  b:set(nil)
end)

test("many variables, set in any order, are independent", function(t)
  local all = {}
  for i = 1, 50 do all[i] = variable(-i) end
  for round = 1, 3 do
    for i = 1, 50 do all[(i * 7) % 50 + 1]:set(round * 1000 + (i * 7) % 50 + 1) end
    for i = 1, 50 do t:equal(all[i]:get(), round * 1000 + i) end
  end
  for i = 2, 50, 2 do all[i]:set(nil) end
  for i = 1, 50 do t:equal(all[i]:get(), i % 2 == 0 and -i or 3000 + i) end
  for i = 1, 50 do all[i]:set(nil) end
end)

test("coroutines have the values of the task that runs them", function(t)
  local request = variable()
  request:with(7, function()
    t:equal(coroutine.wrap(function() return request:get() end)(), 7)
    coroutine.wrap(function() request:set(8) end)()
    t:equal(request:get(), 8)
    table.sort({1, 2}, function(a, b)
      t:equal(rt.spawn(function() return request:get() end):await(), 8)
      return a < b
    end)
  end)
end)

test("a task in the place of one that has ended has none of its values", function(t)
  local request = variable("none")
  for _ = 1, 20 do
    rt.spawn(function() request:set("old") end):await()
    t:equal(rt.spawn(function() return request:get() end):await(), "none")
  end
end)

test("a value goes with the last task that has it, even if it holds that task", function(t)
  local request = variable()
  local held = setmetatable({}, {__mode = "v"})
  local task = rt.spawn(function()
    local value = {task = rt.task.current()}
    held[1] = value
    request:set(value)
    rt.spawn(rt.yield)
  end)
  task:await()
  t:ok(held[1], "its child still has it")
  task = nil -- luacheck: ignore
  for _ = 1, 3 do rt.yield() end
  collectgarbage()
  collectgarbage()
  t:equal(held[1], nil)
end)

test("setting again and again does not pile up", function(t)
  local request, other = variable(), variable()
  other:set(1)
  request:set(0)
  collectgarbage()
  local before = collectgarbage("count")
  for i = 1, 20000 do request:set(i) end
  collectgarbage()
  t:ok(collectgarbage("count") - before < 100, collectgarbage("count") - before)
  t:equal(other:get(), 1)
  request:set(nil)
  other:set(nil)
end)

test("misuse", function(t)
  local request = variable()
  t:error(function() request:with(1) end, "local_test.lua:%d+: bad argument #2 to 'with' %(function expected, got nil%)")
  t:error(function() request.set(1) end, "local_test.lua:%d+: calling 'set' on bad self %(variable expected, got number%)")
  t:error(function() request.with({}, 1) end, "calling 'with' on bad self (variable expected, got table)")
end)

-- The stock luajit cannot load a module with a sanitizer in it.
if program.sanitizer == "none" then test("outside of a task", function(t)
  local result = program.luajit [[
    local rt = require "rt"
    local request = rt.task.variable("default")
    print(request:get(), pcall(request.set, request, 1))
    rt.main(function() request:set(2) print(request:get()) end)
  ]]
  t:ok(result.stdout:find("default\tfalse\t.*only a task has local values\n2\n$"), result.stdout .. result.stderr)
end) end
