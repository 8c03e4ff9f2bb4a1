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
