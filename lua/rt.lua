-- SPDX-License-Identifier: MIT
-- The prelude: what most programs need, and the modules behind it.
--
--   local rt = require "rt"
--
-- Times are seconds, as floats. Functions that wait do so in a task, wherever in
-- its code that is. An expected failure is nil, message, code; misuse raises.

local core = require "rt.core"
local task = require "rt.task"
local time = require "rt.time"
local sync = require "rt.sync"
local net = require "rt.net"
require "rt.require"

local rt = {
  task = task,
  time = time,
  sync = sync,
  net = net,
  spawn = task.spawn,
  yield = task.yield,
  now = time.now,
  sleep = time.sleep,
  sleep_until = time.sleep_until,
  interval = time.interval,
  timeout = time.timeout,
  scope = task.scope,
  select = require "rt.select",
  parallel = require("rt.parallel").start,
  wait_fd = net.wait_fd,
  cancelled = core.cancelled,
  version = core.version,
}

-- The name of the runtime that runs this program; with a name, goes on on that one, as long as nothing has been
-- spawned, and not inside of a timeout. rtlua --runtime=NAME and rt.main(NAME, fn) choose it from the start. Waits.
function rt.runtime(name)
  local running = core.runtime()
  if name == nil or name == running then return running end
  local unknown = core.check_runtime(name)
  if unknown then error(unknown, 2) end
  local _, reason = core.switch_runtime(name)
  if reason then error(("cannot start the runtime '%s': %s"):format(name, select(2, core.failure(reason))), 2) end
  return name
end

local function finish(ok, ...)
  if not ok then
    local message, traceback = ...
    if type(message) == "string" and traceback then message = message .. "\n" .. traceback end
    error(message, 0)
  end
  local failed = core.failed()
  if failed > 0 then error(("%d failed task%s nobody joined"):format(failed, failed == 1 and "" or "s"), 0) end
  return ...
end

-- main([options,] fn, ...): runs fn(...) as the first task of a runtime on this thread, until it
-- and what it left behind have ended; tasks that are left over are cancelled. Gives fn's results.
-- options is the name of a runtime or {runtime=, clock=, seed=, watchdog=, workers=}: clock = "virtual" lets time
-- pass at once where there is nothing to do but wait; a seed other than 0 sets the order in which tasks run;
-- a task that has not given way for watchdog seconds is reported on stderr; workers is the number of threads.
-- For a stock luajit: programs that rtlua runs are in their main task from the first line.
function rt.main(options, fn, ...)
  if type(options) == "function" then return finish(core.main("native", options, fn, ...)) end
  if type(fn) ~= "function" then
    error(("bad argument #1 to 'main' (function expected, got %s)"):format(type(fn)), 2)
  end
  return finish(core.main(options, fn, ...))
end

-- bench(name, [options,] fn): declares a benchmark for rtlua bench; see rt/bench.lua.
function rt.bench(...) return require("rt.bench").declare(...) end

-- What declares tests: rtlua test puts the real ones here before it loads a file.
for _, name in ipairs {"test", "describe", "before_each", "after_each"} do
  rt[name] = function()
    error(("rt.%s outside of a test run: run the file with 'rtlua test'"):format(name), 2)
  end
end

return rt
