-- SPDX-License-Identifier: MIT
-- The end of scopes: cancelled from outside, in places where no coroutine can yield, dropped.

local rt = require "rt"
local tasks = require "tasks"

local scope, shield = rt.scope, rt.task.shield
local test, yield_times, raiser, collect = tasks.test, tasks.yield_times, tasks.raiser, tasks.collect

-- ---- From outside ----

test("cancelled in the function: rt.cancelled after all tasks have ended", function(t)
  local cleaned
  local task = rt.spawn(function()
    return scope(function(s)
      s:spawn(function()
        pcall(rt.sleep, 60)
        shield(rt.sleep, 0.002)
        cleaned = true
      end)
      rt.sleep(60)
    end)
  end)
  yield_times(3)
  task:cancel()
  t:equal(select(2, task:join()), rt.cancelled)
  t:equal(task:status(), "cancelled")
  t:equal(cleaned, true)
end)

test("cancelled while it waits for its tasks", function(t)
  local cleaned, left
  local task = rt.spawn(function()
    scope(function(s)
      s:spawn(function()
        pcall(rt.sleep, 60)
        shield(rt.sleep, 0.002)
        cleaned = true
      end)
    end)
    left = true
  end)
  yield_times(3)
  t:equal(task:status(), "waiting")
  task:cancel()
  t:equal(select(2, task:join()), rt.cancelled)
  t:equal(cleaned, true)
  t:equal(left, nil)
end)

test("swallowed in the function, it is raised at the scope's end and at the next wait", function(t)
  local results = {}
  local task = rt.spawn(function()
    results[1] = {pcall(scope, function()
      for i = 1, 3 do results[1 + i] = {pcall(rt.sleep, 60)} end
      return "swallowed"
    end)}
    results[5] = {pcall(rt.yield)}
    return "end"
  end)
  rt.yield()
  task:cancel()
  t:equal(task:await(), "end")
  for i = 1, 5 do
    t:equal(results[i][1], false)
    t:equal(results[i][2], rt.cancelled)
  end
end)

test("a scope in a cancelled task is cancelled from the start", function(t)
  local inner
  local task = rt.spawn(function()
    pcall(rt.sleep, 60)
    scope(function(s)
      s:spawn(function() inner = {pcall(rt.sleep, 60)} end)
    end)
  end)
  rt.yield()
  task:cancel()
  t:equal(select(2, task:join()), rt.cancelled)
  t:equal(inner[2], rt.cancelled)
end)

test("an error beats a cancellation from outside", function(t)
  local task = rt.spawn(function()
    scope(function(s)
      s:spawn(function()
        pcall(rt.sleep, 60)
        error("in cleanup", 0)
      end)
    end)
  end)
  yield_times(3)
  task:cancel()
  local _, err = task:join()
  t:ok(err:find("in cleanup", 1, true), err)
  t:equal(task:status(), "failed")
end)

-- ---- Anywhere ----

local places = {}

function places.sort(work)
  local list = {3, 1, 2}
  table.sort(list, function(a, b) work() return a < b end)
end

function places.gsub(work) ("ab"):gsub(".", work) end

places["a coroutine"] = function(work)
  local co = coroutine.wrap(function()
    work()
    coroutine.yield()
    work()
    return "end"
  end)
  co()
  assert(co() == "end")
end

places["a metamethod"] = function(work)
  local _ = setmetatable({}, {__index = work}).field
end

for place, run in pairs(places) do
  test("a scope in " .. place, function(t)
    local ended = 0
    run(function()
      scope(function(s)
        for i = 1, 3 do s:spawn(function() yield_times(i) ended = ended + 1 end) end
      end)
      t:equal(ended % 3, 0)
    end)
    t:ok(ended >= 3)
    t:error(function() run(function() scope(function(s) s:spawn(raiser("boom")) end) end) end, "boom")
  end)

  test("cancelled while it waits for its tasks in " .. place, function(t)
    local cleaned
    local task = rt.spawn(run, function()
      scope(function(s)
        s:spawn(function()
          pcall(rt.sleep, 60)
          shield(rt.sleep, 0.002)
          cleaned = true
        end)
      end)
    end)
    yield_times(4)
    t:equal(task:status(), "waiting")
    task:cancel()
    t:equal(select(2, task:join()), rt.cancelled)
    t:equal(cleaned, true)
  end)
end

-- A coroutine that is in a scope with a task, and is dropped.
local function drop_in_scope(work)
  coroutine.wrap(function()
    scope(function(s)
      s:spawn(work)
      coroutine.yield()
    end)
  end)()
end

local function collect()
  collectgarbage()
  collectgarbage()
end

test("the tasks of a dropped coroutine's scope are cancelled", function(t)
  local seen
  drop_in_scope(function() seen = {pcall(rt.sleep, 60)} end)
  rt.yield()
  collect()
  yield_times(3)
  t:equal(seen[2], rt.cancelled)
  t:ok(rt.sleep(0), "its owner is not")
end)

test("a scope of a dropped coroutine ends with the one around it", function(t)
  local seen
  t:equal(scope(function()
    drop_in_scope(function() seen = {pcall(rt.sleep, 60)} end)
    rt.yield()
    return "outer"
  end), "outer")
  yield_times(3)
  t:equal(seen[2], rt.cancelled)
  collect()
  t:ok(rt.sleep(0))
end)

test("a scope of a dropped coroutine ends with its task", function(t)
  local seen
  rt.spawn(function()
    drop_in_scope(function() seen = {pcall(rt.sleep, 60)} end)
    rt.yield()
  end):await()
  yield_times(3)
  t:equal(seen[2], rt.cancelled)
  collect()
end)

test("a scope is left by another task than the one that has opened it", function(t)
  local seen
  local co = coroutine.create(function()
    scope(function(s)
      s:spawn(function() seen = {pcall(rt.sleep, 60)} end)
      coroutine.yield()
    end)
  end)
  local opener = rt.spawn(function()
    coroutine.resume(co)
    rt.sleep(0.002)
  end)
  yield_times(2)
  local ok, err = coroutine.resume(co)
  t:equal(ok, false)
  t:ok(err:find("a scope must be left by the task that has opened it", 1, true), err)
  opener:await()
  yield_times(2)
  t:equal(seen[2], rt.cancelled)
end)
