-- SPDX-License-Identifier: MIT
-- How a test starts its runtime.

local core = require "rt.core"

-- run({runtime=, clock=, seed=}, fn) -> true | false, error, traceback
return function(options, fn)
  return core.main(options.runtime, fn)
end
