-- SPDX-License-Identifier: MIT
-- Many tasks that wait at once: 100,000 with their carriers given back, 10,000 that keep them.

local rt = require "rt"
local core = require "rt.core"
local soak = require "soak"

local function carriers_in_use()
  local existing, idle = core.carriers()
  return existing - idle, existing
end

local function settle()
  for _ = 1, 10 do rt.yield() end
end

-- Spawns count tasks of fn, gives what they cost once all of them wait, cancels and joins them.
local function park(t, count, fn)
  local parked, tasks = 0, {}
  for i = 1, count do tasks[i] = false end
  local before, tables = soak.memory(), soak.kilobytes("VmPTE") * 1024
  for i = 1, count do
    tasks[i] = rt.spawn(function()
      parked = parked + 1
      return fn(i)
    end)
  end
  while parked < count do rt.yield() end
  local cost = (soak.memory() - before) / count
  local table_cost = (soak.kilobytes("VmPTE") * 1024 - tables) / count
  local used = carriers_in_use()
  t:equal(#rt.task.list() >= count, true)
  for i = 1, count do tasks[i]:cancel() end
  for i = 1, count do
    local ok, err = tasks[i]:join()
    if ok or err ~= rt.cancelled then t:equal(err, rt.cancelled) end
  end
  return cost, table_cost, used
end

rt.test("100,000 tasks wait at once", function(t)
  local count = soak.size(100000, 5000)
  local function wait() rt.sleep(1e6) end
  local cost, tables, used = park(t, count, wait)
  print(("%d tasks parked: %.0f bytes each, and %.1f of page tables"):format(count, cost, tables))
  t:equal(used, 1)
  soak.settles(t, 5, function()
    park(t, count, wait)
    settle()
  end)
end)

rt.test("100,000 tasks wait with results of their own", function(t)
  local count = soak.size(100000, 5000)
  local tasks, sum = {}, 0
  for i = 1, count do
    tasks[i] = rt.spawn(function()
      rt.sleep(0.01)
      return i
    end)
  end
  for i = 1, count do sum = sum + tasks[i]:await() end
  t:equal(sum, count * (count + 1) / 2)
end)

rt.test("10,000 tasks wait in their carriers", function(t)
  local count = soak.size(10000, 300)
  local function wait()
    table.sort({2, 1}, function(a, b)
      rt.sleep(1e6)
      return a < b
    end)
  end
  local cost, tables, used = park(t, count, wait)
  print(("%d carriers kept: %.0f bytes each, and %.1f of page tables"):format(count, cost, tables))
  t:equal(used, count + 1)
  soak.settles(t, 2, function()
    park(t, count, wait)
    settle()
  end)
  local still, existing = carriers_in_use()
  t:equal(still, 1)
  t:ok(existing <= 6, ("%d carriers are left"):format(existing))
end)

rt.test("10,000 tasks wait in their carriers and finish", function(t)
  local count = soak.size(10000, 300)
  local tasks, sum = {}, 0
  for i = 1, count do
    tasks[i] = rt.spawn(function()
      local list = {3, i % 3, 1, 2}
      table.sort(list, function(a, b)
        rt.yield()
        return a < b
      end)
      return list[1] + list[4]
    end)
  end
  for i = 1, count do sum = sum + tasks[i]:await() end
  local expected = 0
  for i = 1, count do expected = expected + math.min(i % 3, 1) + 3 end
  t:equal(sum, expected)
  settle()
  t:equal(carriers_in_use(), 1)
end)
