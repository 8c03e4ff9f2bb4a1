-- SPDX-License-Identifier: MIT
-- A million tasks that come and go: memory stays what it is.

local rt = require "rt"
local soak = require "soak"

local COUNT, LOTS = soak.size(1000000, 20000), 10

-- What a lot of tasks does, again and again.
local function churn(t, count, lot)
  soak.settles(t, LOTS / 2, function() lot(count / LOTS) end)
end

rt.test("tasks one after the other", function(t)
  churn(t, COUNT, function(count)
    for i = 1, count do
      if rt.spawn(function(a) return a end, i):await() ~= i then error("wrong result") end
    end
  end)
end)

rt.test("tasks by the thousand", function(t)
  churn(t, COUNT, function(count)
    for _ = 1, count / 1000 do
      local tasks = {}
      for i = 1, 1000 do tasks[i] = rt.spawn(rt.yield) end
      for i = 1, 1000 do tasks[i]:await() end
    end
  end)
end)

rt.test("tasks that nobody joins", function(t)
  churn(t, COUNT, function(count)
    local left = count
    for i = 1, count do
      rt.spawn(function() left = left - 1 end)
      if i % 1000 == 0 then rt.yield() end
    end
    while left > 0 do rt.yield() end
  end)
end)

rt.test("tasks that fail, and are cancelled", function(t)
  churn(t, COUNT / 5, function(count)
    for i = 1, count do
      local task = rt.spawn(function()
        if i % 2 == 0 then error({}) end
        rt.sleep(1e6)
      end)
      if i % 3 == 0 then rt.yield() end
      task:cancel()
      local ok = task:join()
      if ok ~= false then error("a task has not failed") end
    end
  end)
end)

rt.test("timeouts that expire and that do not", function(t)
  local function race(i)
    local value = rt.timeout(i % 2 == 0 and 1e-4 or 60, rt.sleep, i % 2 == 0 and 60 or 1e-4)
    if (i % 2 == 0) ~= (value == nil) then error("the wrong one has won") end
  end
  churn(t, COUNT / 10, function(count)
    for _ = 1, count / 500 do
      local tasks = {}
      for i = 1, 500 do tasks[i] = rt.spawn(race, i) end
      for i = 1, 500 do tasks[i]:await() end
    end
  end)
end)

rt.test("coroutines that wait, and are dropped", function(t)
  churn(t, COUNT / 10, function(count)
    for _ = 1, count / 10 do
      local tasks = {}
      for i = 1, 10 do
        tasks[i] = rt.spawn(function()
          local co = coroutine.wrap(function()
            rt.yield()
            coroutine.yield(i)
            rt.yield()
          end)
          return co()
        end)
      end
      for i = 1, 10 do if tasks[i]:await() ~= i then error("wrong result") end end
    end
  end)
end)
