-- SPDX-License-Identifier: MIT
-- Await anywhere: every place where Lua calls Lua waits, in many tasks at once, with full
-- collections between, compiled and not. See also await_c_test.lua and stress/.

local rt = require "rt"
local all = require "await_places"
local ways = require "await_ways"

local places, names = all.places, all.names
local TASKS, ROUNDS = ways.TASKS, ways.ROUNDS

local function same(x) return x end

-- TASKS tasks that go through a place ROUNDS times; the sum of what was wrong.
local function run_place(t, name)
  local fn = places[name]
  local expected = {}
  for x = 1, 16 do expected[x] = fn(same, x) end
  local wrong, first_wrong = 0, nil
  local function work(id)
    local turn = id
    local function wait(x)
      turn = turn + 1
      return ways.order[turn % #ways.order + 1](x, id)
    end
    for round = 1, ROUNDS do
      local x = (id + round) % 16 + 1
      local got = fn(wait, x)
      if got ~= expected[x] then
        wrong = wrong + 1
        first_wrong = first_wrong or ("%s: %s instead of %s"):format(name, tostring(got), tostring(expected[x]))
      end
    end
    return id
  end
  local tasks, sum = {}, 0
  for id = 1, TASKS do tasks[id] = rt.spawn(work, id) end
  for id = 1, TASKS do sum = sum + tasks[id]:await() end
  t:equal(first_wrong, nil)
  t:equal(wrong, 0)
  t:equal(sum, TASKS * (TASKS + 1) / 2)
end

local function matrix()
  rt.test("results: every place", function(t)
    local stop_server = ways.serve()
    local stop_collector = ways.collector(0.002)
    for _, name in ipairs(names) do run_place(t, name) end
    stop_collector()
    stop_server()
    ways.settle()
    local used, existing = ways.carriers()
    t:ok(used <= 1, ("%d carriers are still in use"):format(used))
    t:ok(existing <= 6, ("%d carriers are left"):format(existing))
  end)

  -- An error after the wait comes out of the place exactly as it does without the wait.
  rt.test("errors: every place", function(t)
    local stop_collector = ways.collector(0.001)
    for _, name in ipairs(names) do
      local fn, tag = places[name], setmetatable({}, {__tostring = function() return "tag" end})
      local function outcome(waits)
        local left = 2
        local ok, value = pcall(fn, function(x)
          if waits then waits(x) end
          left = left - 1
          if left <= 0 then error(tag, 0) end
          return x
        end, 3)
        return ok, value
      end
      local ok, value = outcome(nil)
      local tasks = {}
      for id = 1, TASKS do
        tasks[id] = rt.spawn(function() return outcome(id % 2 == 0 and ways.yield or ways.sleep) end)
      end
      for id = 1, TASKS do
        local got, what = tasks[id]:await()
        if got ~= ok or (what ~= value and value == value) then
          t:equal(("%s: %s %s"):format(name, tostring(got), tostring(what)),
            ("%s: %s %s"):format(name, tostring(ok), tostring(value)))
        end
      end
    end
    stop_collector()
    ways.settle()
    t:ok(ways.carriers() <= 1)
  end)

  -- Cancelled in the place: raised at the wait, and again at the next one.
  rt.test("cancellation: every place", function(t)
    local count = math.min(TASKS, 50)
    for _, name in ipairs(names) do
      local fn = places[name]
      local entered, left, again, tasks = 0, 0, 0, {}
      local function work()
        local function wait(x)
          -- Without a pcall, which makes LuaJIT forget that it is in a message handler.
          entered = entered + 1
          rt.sleep(1e6)
          left = left + 1
          return x
        end
        local ok, err = pcall(fn, wait, 3)
        if not ok and err ~= rt.cancelled then error(name .. ": " .. tostring(err), 0) end
        ok, err = pcall(rt.yield)
        if not ok and err == rt.cancelled then again = again + 1 end
        error(err, 0)
      end
      for id = 1, count do tasks[id] = rt.spawn(work) end
      rt.yield()
      rt.yield()
      for id = 1, count do tasks[id]:cancel() end
      for id = 1, count do
        local ok, err = tasks[id]:join()
        t:equal(ok, false)
        t:equal(tostring(err), "cancelled")
        t:equal(tasks[id]:status(), "cancelled")
      end
      t:ok(entered >= count, name)
      t:equal(left, 0)
      t:equal(again, count)
    end
    ways.settle()
    t:ok(ways.carriers() <= 1)
  end)

  -- rt.timeout around the place; after it the task waits as before.
  rt.test("timeouts: every place", function(t)
    local count = math.min(TASKS, 20)
    for _, name in ipairs(names) do
      local fn, tasks = places[name], {}
      local swallows = pcall(fn, function() error(rt.cancelled, 0) end, 3)
      local function work()
        local began = rt.now()
        local ok, value, message, code = pcall(rt.timeout, 0.003, fn, function(x)
          rt.sleep(1e6)
          return x
        end, 3)
        if not swallows then
          t:equal(name .. tostring(ok), name .. "true")
          t:equal(value, nil)
          t:equal(message, "timeout")
          t:equal(code, "ETIMEDOUT")
        end
        t:ok(rt.now() - began >= 0.0029, name)
        rt.sleep(1e-4)
        return rt.timeout(60, fn, ways.yield, 3)
      end
      local expected = fn(same, 3)
      for id = 1, count do tasks[id] = rt.spawn(work) end
      for id = 1, count do t:equal(tasks[id]:await(), expected) end
    end
    ways.settle()
    t:ok(ways.carriers() <= 1)
  end)
end

ways.each_mode(matrix)

if jit.status() then
  rt.test("traces are stitched around waits", function(t)
    local stop_server = ways.serve()
    for i = 1, #names, 4 do run_place(t, names[i]) end
    stop_server()
    local stitched, util = 0, require "jit.util"
    for trace = 1, 4000 do
      local info = util.traceinfo(trace)
      if info and info.linktype == "stitch" then stitched = stitched + 1 end
    end
    t:ok(stitched > 10, ("only %d"):format(stitched))
  end)

  rt.test("results: while another task flushes all traces", function(t)
    local stop_server = ways.serve()
    local stop = false
    local flusher = rt.spawn(function()
      while not stop do
        jit.flush()
        rt.sleep(0.001)
      end
    end)
    for _, name in ipairs(names) do run_place(t, name) end
    stop = true
    flusher:await()
    stop_server()
  end)
end
