-- SPDX-License-Identifier: MIT
-- One run of one test, in a runtime of its own.

local core = require "rt.core"
local context = require "rt.test.context"
local engine = require "rt.test.engine"
local handles = require "rt.test.handles"
local leaks = require "rt.test.leaks"

-- The functions of a suite and those around it, outermost first.
local function gather(suite, kind)
  local list = suite.parent and gather(suite.parent, kind) or {}
  for _, fn in ipairs(suite[kind]) do list[#list + 1] = fn end
  return list
end

local function body(t, test)
  for _, fn in ipairs(gather(test.suite, "before")) do fn(t, test.parameter) end
  test.fn(t, test.parameter)
end

-- Innermost first; one that fails does not keep the others from running.
local function clean_up(run, test, settings, seconds)
  local list = gather(test.suite, "after")
  if #list > 0 then settings.alive() end
  for i = #list, 1, -1 do context.protect(run, seconds, list[i], run.t, test.parameter) end
end

-- In the main task of the test's runtime.
local function main(run, test, settings, found)
  local virtual = settings.clock == "virtual"
  -- Virtual time is no measure for a test that hangs: the command watches the real one.
  local seconds = not virtual and settings.timeout or nil
  run.body = core.spawn(context.protect, run, seconds, body, run.t, test)
  run.body.name = test.name
  run.body:join()
  context.end_children(run)
  clean_up(run, test, settings, seconds)
  context.end_children(run)
  run.body = nil
  settings.alive() -- what is left has time of its own
  leaks.in_runtime(found, virtual)
end

-- At a deadlock the runtime cancels what waits.
local function note_end(run, ok, err, traceback)
  if not ok and err == "deadlock" then
    context.note(run, "deadlock: every task waits for something that nothing can bring about", run.cancelled_at)
  elseif not ok then
    context.note(run, tostring(err), traceback)
  elseif run.cancelled_at then
    context.note(run, "the test was cancelled", run.cancelled_at)
  end
end

local function plural(count, what)
  return ("%d %s%s"):format(count, what, count == 1 and "" or "s")
end

-- run(test, {runtime=, workers=, clock=, seed=, timeout=, alive=}) -> "pass" | "skip", its reason | "fail", message, traceback
return function(test, settings)
  local run, found = context.new(test.name), {}
  handles.forget()
  local descriptors = leaks.before()
  note_end(run, engine(settings, function() main(run, test, settings, found) end))
  local failed = core.failed()
  settings.alive()
  leaks.after(found, descriptors)
  if failed > 0 then context.note(run, plural(failed, "task") .. " failed that nobody joined") end
  if #found > 0 then context.note(run, "left behind:\n  " .. table.concat(found, "\n  ")) end
  if run.failure then return "fail", run.failure.message, run.failure.traceback end
  if run.skipped then return "skip", run.skipped end
  return "pass"
end
