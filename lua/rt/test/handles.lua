-- SPDX-License-Identifier: MIT
-- The handles that are open, and where each was made. Watching costs every handle a look at the stack,
-- so only test runs do.

local core = require "rt.core"
local place = require "rt.test.place"

local handles = {}
local sites = setmetatable({}, {__mode = "k"})

local function note(handle, ...)
  if type(handle) == "userdata" then sites[handle] = place.here() end
  return handle, ...
end

local function watch(holder, name)
  local make = holder[name]
  holder[name] = function(...) return note(make(...)) end
end

-- Watches everything that makes handles from now on; before the modules that keep these functions are loaded.
function handles.watch()
  for _, name in ipairs {"accept", "listen", "conn_connect_begin", "udp_bind"} do watch(core, name) end
  for _, name in ipairs {"open", "popen", "tmpfile"} do watch(io, name) end
end

-- The descriptor of a handle, or nil if it is closed.
local function descriptor(handle)
  if io.type(handle) then return core.fd_of(handle) end
  return handle:fd()
end

-- tostring() of a file is its address.
local function describe(handle)
  return io.type(handle) and "file" or tostring(handle)
end

-- Forgets those that are open, such as what a file of tests has opened for all of them.
function handles.forget()
  for handle in pairs(sites) do sites[handle] = nil end
end

-- open() -> an array of {handle=, fd=, text=, site=}, in the order of the descriptors. Closed and
-- collected handles are not in it.
function handles.open()
  local list = {}
  for handle, site in pairs(sites) do
    local fd = descriptor(handle)
    if fd then list[#list + 1] = {handle = handle, fd = fd, text = describe(handle), site = site} end
  end
  table.sort(list, function(a, b) return a.fd < b.fd end)
  return list
end

return handles
