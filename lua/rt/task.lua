-- SPDX-License-Identifier: MIT
-- Tasks: spawn, await, join, cancel.
--
--   local task = rt.spawn(function(a, b) return a + b end, 1, 2)
--   print(task:await())                --> 3
--
-- A task that fails and that nobody joins is reported on stderr.

local core = require "rt.core"
local failure = require "rt.failure"
local scope = require "rt.scope"

local wait_task, results, outcome = core.wait_task, core.results, core.outcome
local CANCELLED, cancelled = core.CANCELLED, core.cancelled
local error = error

local task = {}

-- spawn(fn, ...) -> task: starts fn(...) as a task. Does not wait: it runs when the caller does.
task.spawn = core.spawn

-- The running task, or nil outside of one.
task.current = core.current

-- list([{traceback = true}]) -> an array of what the tasks of the runtime, in Lua and in C, are doing
-- that have not ended, each after the one that has spawned it: {id=, parent=, name=, site=, status=,
-- waits_for=, detail=, traceback=}. Numbers and strings only, to be written as JSON; what there is not
-- is absent. status is "runnable", "running" or "waiting". Does not wait.
function task.list(options)
  if options ~= nil and type(options) ~= "table" then
    error(("bad argument #1 to 'list' (table expected, got %s)"):format(type(options)), 2)
  end
  return core.list(options and options.traceback)
end

-- dump([file]): prints the same as a tree, with what is on each stack, to a file or stderr. Does not wait.
task.dump = core.dump

-- scope(fn[, options]): see rt/scope.lua, as for shield(fn, ...).
task.scope, task.shield = scope.scope, scope.shield

-- variable([default]): a task-local value, see rt/variable.lua.
task.variable = require "rt.variable"

-- Lets the other tasks run. Waits.
function task.yield()
  local _, reason = core.yield()
  if reason then error(cancelled, 0) end
end

local Task = {}

-- Waits for the end of the task; gives its values, or raises its error. A message gets the
-- task's traceback added; another error object is raised as it is. Waits; when cancelled, the
-- task it waited for goes on.
function Task:await()
  local _, reason = wait_task(self)
  if reason then error(cancelled, 0) end
  return results(self)
end

-- join([timeout]) -> true, values... | false, error | nil, "timeout", code. Any number of tasks may
-- join the same one, as often as they like. Waits.
function Task:join(timeout)
  local _, code = wait_task(self, timeout)
  if code then return failure(code) end
  return outcome(self)
end

-- Asks the task to end: its current wait and all that follow raise rt.cancelled. A result that has
-- arrived already is not lost. Gives true, or nil, message, "ESRCH" for a task that has ended, which
-- is left alone. Does not wait.
Task.cancel = core.cancel

-- "runnable", "running", "waiting", "done", "failed" or "cancelled".
Task.status = core.status

-- task.name may be set.
local title, set_title = core.title, core.set_title
local meta = core.Task
local NAME = "name"

function meta.__index(self, key)
  local method = Task[key]
  if method then return method end
  if key == NAME then return title(self) end
end

function meta.__newindex(self, key, value)
  if key ~= NAME then error(("a task has no field '%s'"):format(tostring(key)), 2) end
  if value ~= nil and type(value) ~= "string" then error("the name of a task is a string", 2) end
  set_title(self, value)
end

function meta.__tostring(self)
  local name = title(self)
  if name then return ("task '%s' (%s)"):format(name, core.site(self)) end
  return ("task (%s)"):format(core.site(self))
end

meta.__metatable = "task"

return task
