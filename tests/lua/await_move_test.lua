-- SPDX-License-Identifier: MIT
-- Await anywhere, while the VM moves: tasks wait in every place of await_places, and jobs in other VMs keep
-- all threads busy, so that after a wait it is often another thread that goes on.

local ffi = require "ffi"
local rt = require "rt"
local all = require "await_places"
local ways = require "await_ways"

ffi.cdef "unsigned long pthread_self(void);"

local ON = {runtime = "stealing", timeout = 100}
local SEVERAL = tonumber(os.getenv("RT_TEST_WORKERS") or 1) > 1
local JOBS, ROUNDS = 8, 1

local function thread() return tonumber(ffi.C.pthread_self()) end

-- Keeps all threads busy; gives a function that stops them.
local function busy()
  local stop, jobs = rt.sync.channel(), {}
  for i = 1, JOBS do
    jobs[i] = rt.parallel(function(stop)
      local sum = 0
      repeat
        for n = 1, 2e3 do sum = sum + n % 7 end
        rt.yield()
        local _, reason = stop:try_recv()
      until reason == "closed"
      return sum
    end, stop)
  end
  return function()
    stop:close()
    for i = 1, JOBS do jobs[i]:await() end
  end
end

-- What the waits have seen: the threads that they went on on, and how often it was another one.
local function record()
  return {threads = {}, count = 0, moves = 0}
end

local function note(seen, before)
  local after = thread()
  if not seen.threads[after] then
    seen.threads[after] = true
    seen.count = seen.count + 1
  end
  if after ~= before then seen.moves = seen.moves + 1 end
end

-- All tasks in one place; gives the first thing that was wrong.
local function run_place(seen, name, expected)
  local fn, wrong = all.places[name], nil
  local function work(id)
    local turn = id
    local function wait(x)
      local before = thread()
      turn = turn + 1
      local y = ways.order[turn % #ways.order + 1](x, id)
      note(seen, before)
      return y
    end
    for round = 1, ROUNDS do
      local x = (id + round) % 16 + 1
      local got = fn(wait, x)
      if got ~= expected[x] then
        wrong = wrong or ("%s: %s instead of %s"):format(name, tostring(got), tostring(expected[x]))
      end
    end
    return id
  end
  local tasks, sum = {}, 0
  for id = 1, ways.TASKS do tasks[id] = rt.spawn(work, id) end
  for id = 1, ways.TASKS do sum = sum + tasks[id]:await() end
  return wrong or (sum ~= ways.TASKS * (ways.TASKS + 1) / 2 and name .. ": a task is missing")
end

local function expected_of(name)
  local expected = {}
  for x = 1, 16 do expected[x] = all.places[name](function(y) return y end, x) end
  return expected
end

ways.each_mode(function()
  rt.test("results: every place, on many threads", ON, function(t)
    if not SEVERAL then t:skip("needs several workers") end
    local stop_server = ways.serve()
    local stop_jobs = busy()
    local stop_collector = ways.collector(0.05)
    local seen = record()
    for _, name in ipairs(all.names) do t:equal(run_place(seen, name, expected_of(name)), false) end
    stop_collector()
    stop_jobs()
    stop_server()
    print(("%d waits ended on another thread than they had begun on, of %d threads"):format(seen.moves, seen.count))
    t:ok(seen.count > 1, "the VM has stayed on one thread")
    t:ok(seen.moves > #all.names, "the VM has hardly moved")
    ways.settle()
    t:ok(ways.carriers() <= 1)
  end)

  -- An error, a cancellation and a timeout each unwind what was begun on another thread.
  rt.test("errors, cancellation, timeouts: many places, on many threads", ON, function(t)
    if not SEVERAL then t:skip("needs several workers") end
    local stop_jobs = busy()
    local seen, tag = record(), {}
    local function move(x)
      local before = thread()
      rt.sleep(1e-5)
      note(seen, before)
      return x
    end
    local function in_place(fn, last)
      local left = 2
      return pcall(fn, function(x)
        move(x)
        left = left - 1
        if left <= 0 then last() end
        return x
      end, 3)
    end
    for i = 1, #all.names, 3 do
      local fn, tasks = all.places[all.names[i]], {}
      local ok = in_place(fn, function() error(tag, 0) end)
      for id = 1, 10 do tasks[id] = rt.spawn(in_place, fn, function() error(tag, 0) end) end
      for id = 1, 10 do t:equal((tasks[id]:await()), ok) end
      for id = 1, 10 do
        tasks[id] = rt.spawn(function()
          pcall(in_place, fn, function() rt.sleep(1e6) end)
          rt.sleep(1e6)
        end)
      end
      rt.sleep(0.002)
      for id = 1, 10 do tasks[id]:cancel() end
      for id = 1, 10 do
        tasks[id]:join()
        t:equal(tasks[id]:status(), "cancelled")
      end
      t:equal(select("#", rt.timeout(0.002, in_place, fn, function() rt.sleep(1e6) end)) > 0, true)
    end
    stop_jobs()
    t:ok(seen.count > 1 and seen.moves > 0, "the VM has stayed on one thread")
    ways.settle()
    t:ok(ways.carriers() <= 1)
  end)
end)
