-- SPDX-License-Identifier: MIT
-- Time: the clock, sleeping, intervals, timeouts. Seconds, as floats, of the monotonic clock.
-- Negative durations are over at once, enormous ones never; NaN raises.

local core = require "rt.core"
local keep_traceback = require "rt.traceback"

local CANCELLED, cancelled = core.CANCELLED, core.cancelled
local now = core.now
local error, floor = error, math.floor

local time = {}

-- now() -> seconds of the monotonic clock
time.now = now

-- sleep(seconds) -> now. Waits.
function time.sleep(seconds)
  local _, reason = core.sleep(seconds)
  if reason == CANCELLED then error(cancelled, 0) end
  return now()
end

-- sleep_until(time) -> now. Waits.
function time.sleep_until(deadline)
  local _, reason = core.sleep_until(deadline)
  if reason == CANCELLED then error(cancelled, 0) end
  return now()
end

-- advance(seconds) -> now: moves a virtual clock on by hand, from deadline to deadline, and lets run
-- what has become due at each, until nothing is left to do. Raises where the clock is not virtual. Waits.
function time.advance(seconds)
  local _, reason = core.advance(seconds)
  if reason then error(cancelled, 0) end
  return now()
end

-- for now in interval(seconds) do: the first tick after seconds, then one each seconds, without
-- drift. Ticks that were missed are skipped. The iterator waits.
function time.interval(seconds)
  if type(seconds) ~= "number" then
    error(("bad argument #1 to 'interval' (number expected, got %s)"):format(type(seconds)), 2)
  end
  if not (seconds > 0) then error("bad argument #1 to 'interval' (positive number expected)", 2) end
  local next_tick = now() + seconds
  return function()
    local time_now = time.sleep_until(next_tick)
    local ticks = floor((time_now - next_tick) / seconds) + 1
    next_tick = next_tick + (ticks > 1 and ticks or 1) * seconds
    return time_now
  end
end

-- Timeouts that have been left, for reuse: they have finalizers, which make garbage of them expensive.
local IDLE_KEPT = 256
local idle, idle_count = {}, 0

local function enter(seconds)
  if idle_count == 0 then return core.timeout_enter(seconds) end
  local timeout = core.timeout_enter(seconds, idle[idle_count])
  idle[idle_count] = nil
  idle_count = idle_count - 1
  return timeout
end

local function leave(timeout)
  if idle_count < IDLE_KEPT then
    idle_count = idle_count + 1
    idle[idle_count] = timeout
  end
  return core.timeout_leave(timeout)
end

local function finish(timeout, ok, ...)
  local expired = leave(timeout)
  if ok then return ... end
  local err = ...
  if expired and err == cancelled then return nil, "timeout", "ETIMEDOUT" end
  error(err, 0)
end

-- timeout(seconds, fn, ...) -> the results of fn(...), or nil, "timeout", code when it was still
-- waiting after that time: its wait then raises rt.cancelled, and so do all others until it has
-- returned. A result that is there beats the deadline. Timeouts nest, the nearest counts. Waits.
function time.timeout(seconds, fn, ...)
  if type(fn) ~= "function" then
    error(("bad argument #2 to 'timeout' (function expected, got %s)"):format(type(fn)), 2)
  end
  return finish(enter(seconds), xpcall(fn, keep_traceback, ...))
end

return time
