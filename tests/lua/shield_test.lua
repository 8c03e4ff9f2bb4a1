-- SPDX-License-Identifier: MIT
-- rt.task.shield: cleanup that waits in spite of cancellation and deadlines from outside.

local rt = require "rt"
local failure = require "failure"

local shield = rt.task.shield
local test = rt.test

-- Runs fn in a task that is cancelled at its first wait; gives what fn gives.
local function in_cancelled_task(fn)
  local task = rt.spawn(function()
    assert(select(2, pcall(rt.sleep, 60)) == rt.cancelled)
    return fn()
  end)
  rt.yield()
  task:cancel()
  return task:await()
end

test("it gives the results, nils among them", function(t)
  t:equal(select("#", shield(function(...) return ... end, nil, 2, nil)), 3)
  t:equal(select("#", shield(function() end)), 0)
end)

test("errors pass through, messages with their traceback", function(t)
  local object = {}
  t:equal(t:error(function() shield(error, object) end), object)
  local err = t:error(function() shield(function() error("boom") end) end, "shield_test.lua:%d+: boom")
  t:ok(err:find("stack traceback:", 1, true), err)
  t:ok(select(2, pcall(shield, error, nil)) == nil)
  t:error(function() shield(5) end, "shield_test.lua:%d+: bad argument #1 to 'shield' %(function expected, got number%)")
end)

test("a cancelled task waits behind it, and not after it", function(t)
  local inside, after = in_cancelled_task(function()
    local inside = shield(function()
      rt.sleep(0.001)
      rt.yield()
      return rt.spawn(function() rt.yield() return "waited" end):await()
    end)
    return inside, select(2, pcall(rt.yield))
  end)
  t:equal(inside, "waited")
  t:equal(after, rt.cancelled)
end)

test("a cancellation that comes meanwhile is raised after it", function(t)
  local after
  local go = rt.sync.event()
  local task = rt.spawn(function()
    shield(go.wait, go)
    after = {pcall(rt.sleep, 60)}
    return "end"
  end)
  rt.yield()
  task:cancel()
  rt.yield()
  t:equal(task:status(), "waiting")
  go:set()
  t:equal(task:await(), "end")
  t:equal(after[2], rt.cancelled)
end)

test("a timeout around it does not end it, one inside does", function(t)
  local inner
  failure("timeout", "ETIMEDOUT", rt.timeout(0.001, function()
    shield(function()
      rt.sleep(0.003)
      inner = {rt.timeout(0.001, rt.sleep, 60)}
    end)
    rt.sleep(60)
  end))
  t:equal(inner[3], "ETIMEDOUT")
end)

test("a scope behind it is shielded, and so are its tasks", function(t)
  t:equal(in_cancelled_task(function()
    return shield(function()
      return rt.scope(function(s)
        return s:spawn(function() rt.sleep(0.001) return "from the scope" end):await()
      end)
    end)
  end), "from the scope")
end)

test("a scope around it is cancelled: it waits on", function(t)
  local cleaned
  rt.scope(function(s)
    s:spawn(function()
      shield(function()
        rt.sleep(0.002)
        cleaned = true
      end)
    end)
    rt.yield()
    s:cancel()
  end)
  t:equal(cleaned, true)
end)

test("thousands at once are garbage afterwards", function(t)
  local function many(fn)
    local tasks = {}
    for i = 1, 20000 do tasks[i] = rt.spawn(fn) end
    for i = 1, #tasks do tasks[i]:await() end
    tasks = nil
    collectgarbage()
    collectgarbage()
    return collectgarbage("count")
  end
  local before = many(function() pcall(rt.yield) end)
  local kept = many(function() shield(rt.yield) end) - before
  t:ok(kept < 500, ("%d KiB are kept"):format(kept))
end)

test("shields in each other", function(t)
  local after
  t:equal(in_cancelled_task(function()
    local value = shield(function()
      shield(rt.yield)
      rt.yield()
      return "outer still holds"
    end)
    after = select(2, pcall(rt.yield))
    return value
  end), "outer still holds")
  t:equal(after, rt.cancelled)
end)

test("it is left by an error too", function(t)
  t:equal(in_cancelled_task(function()
    pcall(shield, error, "boom")
    return select(2, pcall(rt.yield))
  end), rt.cancelled)
end)

test("where the carrier is kept", function(t)
  t:equal(in_cancelled_task(function()
    local count = 0
    table.sort({1, 2}, function(a, b)
      shield(rt.sleep, 0.001)
      count = count + 1
      return a < b
    end)
    return coroutine.wrap(function() return shield(function() rt.yield() return count end) end)()
  end), 1)
end)

test("of a dropped coroutine it ends when that is collected", function(t)
  t:equal(in_cancelled_task(function()
    coroutine.wrap(function() shield(coroutine.yield) end)()
    collectgarbage()
    collectgarbage()
    return select(2, pcall(rt.yield))
  end), rt.cancelled)
end)

test("finalizers have none", function(t)
  local err
  local proxy = newproxy(true)
  getmetatable(proxy).__gc = function() err = select(2, pcall(shield, function() end)) end
  proxy = nil -- luacheck: ignore
  collectgarbage()
  collectgarbage()
  t:ok(tostring(err):find("shield: a finalizer", 1, true), err)
end)
