-- SPDX-License-Identifier: MIT
-- Functions that run in other VMs, on the other workers of the runtime.
--
--   local task = rt.parallel(function(from, to)
--     local sum = 0
--     for i = from, to do sum = sum + i end
--     return sum
--   end, 1, 1e9)
--   print(task:await())
--
-- The function, its upvalues and arguments are copied to a job VM, its results back. What goes: nil,
-- booleans, numbers (int64_t and uint64_t of the FFI too), strings, light userdata; tables without a
-- metatable, shared and cyclic ones too; Lua functions, which share upvalues there if they share them
-- here; channels, which both VMs have then (rt/sync.lua); conns, listeners and UDP sockets, which are
-- handed over: the sender's are closed; addresses. A module, and a function or userdata (io.stdout) that is a
-- field of one, goes by its name: the other VM requires the module. Anything else raises, named,
-- and then nothing has been handed over.
--
-- Globals are not copied: in the other VM a function has that VM's. There are as many job VMs as workers;
-- each runs several jobs at once, as tasks, and keeps its modules and globals for those that come later.

local core = require "rt.core"
local scope = require "rt.scope"

local begin, wait, cancel, results = core.job_begin, core.job_wait, core.job_cancel, core.job_results
local spawn, shield = core.spawn, scope.shield

local parallel = {}

-- finish(job) -> the results of a job, or its error; cancelled, the job's task is as well, and has its
-- time to end. Waits.
local function finish(job)
  local _, reason = wait(job)
  if reason then
    cancel(job)
    shield(wait, job)
  end
  return results(job)
end

-- run(fn, ...) -> the results of fn(...), run in another VM. Waits.
function parallel.run(fn, ...) return finish(begin(fn, ...)) end

-- start(fn, ...) -> a task that ends with what fn(...) gives or raises in another VM; an error comes
-- with the traceback from there. Cancelling it cancels the task there, and drops a job that has not begun. Does
-- not wait.
function parallel.start(fn, ...) return spawn(finish, begin(fn, ...)) end

-- scope:parallel(fn, ...) -> the same, as a task of the scope. Does not wait.
function scope.Scope:parallel(fn, ...) return self:spawn(finish, begin(fn, ...)) end

-- check(fn): raises if fn cannot be sent.
parallel.check = core.job_check

return parallel
