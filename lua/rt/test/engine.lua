-- SPDX-License-Identifier: MIT
-- How a test starts its runtime.

local core = require "rt.core"

-- run({runtime=, workers=, clock=, seed=, timeout=}, fn) -> true | false, error, traceback. A task that has not
-- given way for the timeout is reported on stderr, before the command kills the process.
return function(settings, fn)
  return core.main({
    runtime = settings.runtime, workers = settings.workers, clock = settings.clock, seed = settings.seed,
    watchdog = settings.timeout,
  }, fn)
end
