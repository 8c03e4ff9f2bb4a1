-- SPDX-License-Identifier: MIT
-- Select: waiting for one of several things.
--
--   local index, value = rt.select{inbox, {outbox, "ping"}, task, stop_event, timeout = 1}
--
-- Exactly one case happens, by chance where several can; the others lose nothing: nothing is received
-- from their channels, their values are not sent. A case is
--
--   channel           receives        index, value | index, nil, "closed", "EOF"
--   {channel, value}  sends           index, true | index, nil, "closed", "EPIPE"
--   task              until its end   index, what task:await() gives; or raises its error
--   event             until it is set index, true
--
-- With timeout, in seconds: nil, "timeout", "ETIMEDOUT" if nothing has happened until then. The table
-- is read before the wait and may be changed in the meantime. What has happened beats a
-- cancellation and a deadline that come after it: a value is never lost. Waits.

local core = require "rt.core"

local begin, wait, finish, results = core.select_begin, core.sync_wait, core.select_end, core.results

local function give(task, index, ...)
  if task then return index, results(task) end
  return index, ...
end

return function(cases)
  local handle, objects = begin(cases)
  return give(finish(objects, handle, wait(handle)))
end
