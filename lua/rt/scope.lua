-- SPDX-License-Identifier: MIT
-- Scopes, which own tasks, and shields.
--
--   local sizes = rt.scope(function(scope)
--     local a = scope:spawn(fetch, "a")
--     local b = scope:spawn(fetch, "b")
--     return {#a:await(), #b:await()}
--   end, {timeout = 10})
--
-- Deadlines and cancellation pass from a scope down to its tasks, the first error passes up, and no
-- task outlives its scope.

local core = require "rt.core"
local failure = require "rt.failure"
local keep_traceback = require "rt.traceback"

local cancelled = core.cancelled
local wait, failures = core.scope_wait, core.scope_failures
local error, type = error, type

local OTHERS = 10 -- errors that are shown besides the first

local Scope = {}

-- scope:spawn(fn, ...) -> task: one like any other, which may be joined, awaited and cancelled. Any
-- task may spawn into the scope until it is closed. Does not wait.
Scope.spawn = core.scope_spawn

-- scope:parallel(fn, ...) -> task: the same in another VM, see rt/parallel.lua.

-- scope:cancel(): ends the waits of the scope's tasks, of all that they have spawned in scopes of
-- their own, and of its function, with rt.cancelled. Does not wait.
Scope.cancel = core.scope_cancel

-- ---- Errors: a failure is a task, or for the scope's function {its error} ----

local function error_of(failed)
  if type(failed) == "table" then return failed[1] end
  local _, err = core.outcome(failed)
  return err
end

local function error_with_traceback(failed)
  if type(failed) == "table" then return failed[1] end
  local _, err = pcall(core.results, failed)
  return err
end

local function first_line(err)
  local ok, text = pcall(tostring, err)
  return ok and type(text) == "string" and text:match("^[^\n]*") or ("(error object is a %s value)"):format(type(err))
end

local function describe(failed)
  local where = type(failed) == "table" and "the scope's function" or "task spawned at " .. core.site(failed)
  return ("\n\t%s: %s"):format(where, first_line(error_of(failed)))
end

local function others(failed)
  local count = #failed - 1
  if count <= 0 then return "" end
  local text = {("\nand %d more failed:"):format(count)}
  for i = 2, math.min(#failed, OTHERS + 1) do text[i] = describe(failed[i]) end
  if count > OTHERS then text[#text + 1] = "\n\t..." end
  return table.concat(text)
end

local function raise_first(failed, err)
  err = err or error_with_traceback(failed[1])
  if type(err) == "string" then err = err .. others(failed) end
  error(err, 0)
end

-- Whether err is that failure, awaited.
local function repeats(err, failed)
  local original = error_with_traceback(failed)
  if rawequal(err, original) then return true end
  return type(err) == "string" and type(original) == "string" and err:sub(1, #original) == original
end

-- scope.errors: the errors so far, in order, bare; an array of its own at each access.
local function errors(scope)
  local list = {}
  for i, failed in ipairs(failures(scope) or list) do list[i] = error_of(failed) end
  return list
end

local meta = core.Scope

function meta.__index(self, key)
  local method = Scope[key]
  if method then return method end
  if key == "errors" then return errors(self) end
end

function meta.__newindex(_, key)
  error(("a scope has no field '%s' that can be set"):format(tostring(key)), 2)
end

function meta.__tostring() return "scope" end

meta.__metatable = "scope"

-- ---- Leaving ----

-- Gives the reason why it could not wait to the end.
local function wait_for_tasks(scope)
  local left, reason
  repeat left, reason = wait(scope) until left == false or reason
  return reason
end

local function leave(scope)
  core.scope_leave(scope)
  local reason = wait_for_tasks(scope)
  if reason then
    core.scope_shield(scope)
    reason = wait_for_tasks(scope)
  end
  local code = core.scope_close(scope)
  return reason or code
end

-- The scope's function has failed, unless the scope has ended its wait, or it has awaited a task that
-- failed. Gives the error if that is the first one and says more than the task's own: where it was awaited.
local function note_error(scope, err)
  if rawequal(err, cancelled) and core.scope_cancelled(scope) then return end
  for i, failed in ipairs(failures(scope) or {}) do
    if repeats(err, failed) then return i == 1 and err or nil end
  end
  core.scope_fail(scope, {err})
end

local function finish(scope, ok, ...)
  local first
  if not ok then first = note_error(scope, (...)) end
  local code = leave(scope)
  local failed = failures(scope)
  if failed then raise_first(failed, first) end
  if code ~= 0 then return failure(code, "scope") end
  if ok then return ... end
  return nil, "cancelled", "ECANCELED"
end

-- ---- Options ----

local known = {timeout = true, deadline = true}

local function check_options(options)
  if type(options) ~= "table" then
    error(("bad argument #2 to 'scope' (table expected, got %s)"):format(type(options)), 3)
  end
  for name, value in pairs(options) do
    if not known[name] then error(("bad option '%s' to 'scope' (deadline or timeout expected)"):format(tostring(name)), 3) end
    if type(value) ~= "number" or value ~= value then
      local got = type(value) == "number" and "NaN" or type(value)
      error(("bad option '%s' to 'scope' (number expected, got %s)"):format(name, got), 3)
    end
  end
  return options.timeout, options.deadline
end

local M = {Scope = Scope}

-- scope(fn[, {timeout=, deadline=}]) -> the results of fn(scope), once all tasks of the scope have
-- ended; they are not waited for in vain, whatever happens:
--
--   a task fails             the others are cancelled, as are fn's own waits, and the error is raised:
--                            the first in time, with its traceback and the others attached if it is
--                            a message. It counts as seen. A task that ends with rt.cancelled has
--                            failed unless it was cancelled itself.
--   fn raises                the same, with fn's error
--   the deadline passes      a wait of fn or of a task that it ends: nil, "timeout", "ETIMEDOUT"
--   scope:cancel()           if it ended fn: nil, "cancelled", "ECANCELED"
--   cancelled from outside   rt.cancelled is raised
--
-- timeout is in seconds, deadline a time of rt.now(); the nearest of these and of those around counts,
-- for every wait of fn and of the tasks. Waits.
function M.scope(fn, options)
  if type(fn) ~= "function" then
    error(("bad argument #1 to 'scope' (function expected, got %s)"):format(type(fn)), 2)
  end
  local timeout, deadline
  if options ~= nil then timeout, deadline = check_options(options) end
  local scope = core.scope_enter(timeout, deadline)
  return finish(scope, xpcall(fn, keep_traceback, scope))
end

-- Shields that have been left, for reuse: they have finalizers, which make garbage of them expensive.
local IDLE_KEPT = 256
local idle, idle_count = {}, 0

local function enter_shield()
  if idle_count == 0 then return core.shield_enter() end
  local shield = core.shield_enter(idle[idle_count])
  idle[idle_count] = nil
  idle_count = idle_count - 1
  return shield
end

local function finish_shielded(shield, ok, ...)
  core.shield_leave(shield)
  if idle_count < IDLE_KEPT then
    idle_count = idle_count + 1
    idle[idle_count] = shield
  end
  if ok then return ... end
  error((...), 0)
end

-- shield(fn, ...) -> the results of fn(...), whose waits are ended neither by cancellation nor by a
-- deadline from outside; those inside still count. For cleaning up. At the end of the program a
-- shielded task has no more time than others: two seconds. Waits if fn does.
function M.shield(fn, ...)
  if type(fn) ~= "function" then
    error(("bad argument #1 to 'shield' (function expected, got %s)"):format(type(fn)), 2)
  end
  return finish_shielded(enter_shield(), xpcall(fn, keep_traceback, ...))
end

return M
