-- SPDX-License-Identifier: MIT
-- What a test leaves behind: tasks with what they wait for, handles, descriptors.

local core = require "rt.core"
local rt = require "rt"
local engine = require "rt.test.engine"
local handles = require "rt.test.handles"

local leaks = {}

-- How often what is about to end is waited for, and for how long each time: a task whose peer is another
-- process, a lookup that nobody waits for any more, on a thread of its own.
local ROUNDS, PAUSE = 200, 0.005
local YIELDS = 64

-- ---- Tasks ----

local function other_tasks()
  local list = {}
  for _, record in ipairs(core.list()) do
    if record.status ~= "running" then list[#list + 1] = record end
  end
  return list
end

-- Tasks that have been cancelled, or whose peer has closed, need a few turns to end. Under a virtual
-- clock sleeping would let time pass for them as well. Waits.
local function settle(virtual)
  local list = other_tasks()
  for _ = 1, virtual and YIELDS or ROUNDS do
    if #list == 0 then break end
    if virtual then rt.yield() else rt.sleep(PAUSE) end
    list = other_tasks()
  end
  return list
end

local function describe_task(record)
  local waits = record.waits_for and (", waiting for " .. record.waits_for) or ""
  return ("task%s spawned at %s%s"):format(record.name and " '" .. record.name .. "'" or "", record.site or "?", waits)
end

-- ---- Handles ----

-- Twice: what only a finalizer refers to goes with the second one.
local function collect_garbage()
  collectgarbage()
  collectgarbage()
end

local function open_handles()
  if #handles.open() > 0 then collect_garbage() end
  if #handles.open() > 0 and jit then
    jit.flush() -- compiled code keeps constants
    collect_garbage()
  end
  return handles.open()
end

-- in_runtime(found, virtual): adds the tasks that are left to found, then ends them; then the handles,
-- and closes them. In the main task, when all that belongs to the test has ended. Waits.
function leaks.in_runtime(found, virtual)
  for _, record in ipairs(settle(virtual)) do found[#found + 1] = describe_task(record) end
  for _, open in ipairs(open_handles()) do
    found[#found + 1] = ("%s made at %s"):format(open.text, open.site)
    open.handle:close()
  end
end

-- ---- Descriptors ----

-- The descriptors at this time, for after().
function leaks.before()
  return core.fd_list()
end

local function kind_of(target)
  local kind = target:match("^(%a+):%[") or target:match("^anon_inode:%[?([^%]]*)")
  return kind or target
end

local function new_descriptors(before)
  local list, targets = {}, core.fd_list()
  for fd, target in pairs(targets) do
    if before[fd] ~= target then list[#list + 1] = fd end
  end
  table.sort(list)
  return list, targets
end

-- after(found, descriptors): adds those that were not there before. Runs a runtime of its own to wait.
function leaks.after(found, descriptors)
  collect_garbage()
  local left, targets = new_descriptors(descriptors)
  for _ = 1, ROUNDS do
    if #left == 0 then break end
    engine({}, function() rt.sleep(PAUSE) end)
    left, targets = new_descriptors(descriptors)
  end
  for _, fd in ipairs(left) do found[#found + 1] = ("descriptor %d (%s)"):format(fd, kind_of(targets[fd])) end
end

return leaks
