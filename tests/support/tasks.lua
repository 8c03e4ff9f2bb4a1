-- SPDX-License-Identifier: MIT
-- What the tests of tasks share.

local rt = require "rt"

local M = {}

local function count_tasks() return #rt.task.list() end

-- A test that must leave no task behind.
function M.test(name, fn)
  rt.test(name, function(t)
    local before = count_tasks()
    fn(t)
    t:equal(count_tasks(), before)
  end)
end

-- The line of the caller.
function M.line() return debug.getinfo(2, "l").currentline end

function M.yield_times(count)
  for _ = 1, count do rt.yield() end
end

-- Lets all that can run do so until they wait.
function M.settle() M.yield_times(5) end

function M.spawn_all(count, fn)
  local tasks = {}
  for i = 1, count do tasks[i] = rt.spawn(fn, i) end
  return tasks
end

function M.await_all(tasks)
  for _, task in ipairs(tasks) do task:await() end
end

-- As many tasks as a test takes that shows what happens with many; fewer under a sanitizer.
local sanitizer = os.getenv("RT_SANITIZER") or "none"
M.many = (sanitizer == "none" or sanitizer == "") and 10000 or 1000

-- A function that fails after some turns, 1 unless told.
function M.raiser(err, turns)
  return function()
    M.yield_times(turns or 1)
    error(err, 0)
  end
end

function M.collect()
  collectgarbage()
  collectgarbage()
end

return M
