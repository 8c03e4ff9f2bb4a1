-- SPDX-License-Identifier: MIT
-- What the end of a wait means, when it is not the event that was waited for.

local core = require "rt.core"

local CANCELLED, cancelled, describe = core.CANCELLED, core.cancelled, core.failure
local error = error

-- Raises rt.cancelled, or gives nil, message, code. code is a negative errno.
return function(code, what, subject)
  if code == CANCELLED then error(cancelled, 0) end
  return describe(code, what, subject)
end
