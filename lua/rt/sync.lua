-- SPDX-License-Identifier: MIT
-- Synchronisation between tasks: channels, mutexes, semaphores, events, wait groups.
--
--   local jobs = rt.sync.channel(10)
--   rt.spawn(function() for job in jobs:iter() do work(job) end end)
--   jobs:send("one")
--   jobs:close()
--
-- Everything is fair: who waits is served in order of arrival. Timeouts are seconds; a wait that took
-- as long gives nil, "timeout", "ETIMEDOUT" and has changed nothing. What waits raises rt.cancelled
-- when its task is cancelled, and has then changed nothing either: a value has been received, a lock
-- taken, only by whoever was told so. What has happened beats a cancellation and a timeout that come
-- after it. What waits must be called from a task; the rest may be called anywhere.

local core = require "rt.core"

local wait, sync_end = core.sync_wait, core.sync_end
local error, pcall, type, xpcall = error, pcall, type, xpcall
local traceback = debug.traceback

local sync = {}

-- ---- Channels ----

-- channel([capacity]) -> a channel that holds up to capacity values; with 0, the default, a send waits
-- until a receiver takes the value. Does not wait.
sync.channel = core.channel

-- Besides the methods here a channel has these, which do not wait:
--   try_send(value), try_recv()  as send and recv, but nil, "would block", "EAGAIN" instead of waiting
--   close()                      -> true | nil, "closed", "EALREADY": nothing more will be sent. Those
--                                who wait to send give up; what is there can still be received
--   count(), capacity()          -> how many values it holds, and can hold
--
-- A channel that is sent to another VM (rt/parallel.lua) is the same one in both, with what it holds. From then on
-- values are copied: what cannot go to another VM raises at the send, named, and a socket is handed over; it
-- comes back if the send gives up.
local Channel = core.Channel
local send_begin, send_end = core.send_begin, core.send_end
local recv_begin, recv_end = core.recv_begin, core.recv_end

-- The object is an argument of what ends the wait so that the stack of the one who waits holds it:
-- compiled code forgets what is not used any more.

-- send(value[, timeout]) -> true | nil, "closed", "EPIPE": sends any value but nil, waiting for room.
-- In every other case, rt.cancelled too, the value has not been sent. Waits.
function Channel:send(value, timeout)
  local handle, sent, message, code = send_begin(self, value, timeout)
  if handle then return send_end(self, handle, wait(handle)) end
  if sent then return sent end
  return nil, message, code
end

-- recv([timeout]) -> value | nil, "closed", "EOF" when it is closed and empty. Waits.
local function recv(self, timeout)
  local handle, value, message, code = recv_begin(self, timeout)
  if handle then return recv_end(self, handle, wait(handle)) end
  if message then return nil, message, code end
  return value
end
Channel.recv = recv

-- for value in channel:iter() do: until it is closed and empty. The iterator waits.
function Channel:iter()
  Channel.count(self) -- which raises for what is no channel
  return function()
    local value, message, code = recv(self)
    if value ~= nil or code == "EOF" then return value end
    error(("%s (%s)"):format(message, code), 2)
  end
end

-- ---- What the others share ----

local function waiter(begin)
  return function(self, timeout)
    local handle, done, message, code = begin(self, timeout)
    if handle then return sync_end(self, handle, wait(handle)) end
    if done then return done end
    return nil, message, code
  end
end

local function keep_traceback(err)
  if type(err) == "string" then return traceback(err, 2) end
  return err
end

local function finish(release, self, ok, ...)
  if ok then
    release(self)
    return ...
  end
  pcall(release, self) -- fn may have done so itself before it failed: its error is the one to see
  error((...), 0)
end

local function guard(acquire, release)
  return function(self, fn, ...)
    if type(fn) ~= "function" then
      error(("bad argument #1 to 'with' (function expected, got %s)"):format(type(fn)), 2)
    end
    local acquired, message, code = acquire(self)
    if not acquired then return nil, message, code end
    return finish(release, self, xpcall(fn, keep_traceback, ...))
  end
end

-- ---- Mutexes ----

-- mutex() -> a mutex: one task at a time may hold it, also across waits. Does not wait.
sync.mutex = core.mutex

-- Besides: try_lock() -> true | nil, "would block", "EAGAIN", and unlock(), which raises when the calling
-- task does not hold it. Both do not wait.
local Mutex = core.Mutex

-- lock([timeout]) -> true. Raises when the task holds it already. A task that ends while it holds a
-- mutex leaves what it guards in doubt: lock gives nil, message, "EOWNERDEAD" from then on. Waits.
Mutex.lock = waiter(core.lock_begin)

-- with(fn, ...) -> the results of fn(...), which runs while the mutex is held. An error of fn is raised
-- once it is unlocked, with its traceback if it is a message. Waits.
Mutex.with = guard(Mutex.lock, Mutex.unlock)

-- ---- Semaphores ----

-- semaphore(n) -> a semaphore with n permits, at least 1. Does not wait.
sync.semaphore = core.semaphore

-- Besides, without waiting: try_acquire() -> true | nil, "would block", "EAGAIN"; release(), by any task,
-- which raises when no permit is acquired; permits() -> how many are free.
local Semaphore = core.Semaphore

-- acquire([timeout]) -> true: takes a permit. Waits.
Semaphore.acquire = waiter(core.acquire_begin)

-- with(fn, ...): as a mutex's, with a permit. Waits.
Semaphore.with = guard(Semaphore.acquire, Semaphore.release)

-- ---- Events ----

-- event() -> a flag to wait for, clear at first. Does not wait.
sync.event = core.event

-- Besides, without waiting: set(), which wakes all who wait, even if clear() follows at once; is_set().
local Event = core.Event

-- wait([timeout]) -> true as soon as it is set. Waits.
Event.wait = waiter(core.event_begin)

-- ---- Wait groups ----

-- wait_group() -> a count of what is under way, 0 at first. Does not wait.
sync.wait_group = core.wait_group

-- Besides, without waiting: add([n]), 1 by default, and done(), which is add(-1); they raise when the
-- count would be negative.
local WaitGroup = core.WaitGroup

-- wait([timeout]) -> true as soon as the count is 0. Waits.
WaitGroup.wait = waiter(core.wait_group_begin)

return sync
