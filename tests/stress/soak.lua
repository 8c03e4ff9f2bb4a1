-- SPDX-License-Identifier: MIT
-- What the soak tests share: sizes and what the process uses.

local ffi = require "ffi"

local soak = {}

ffi.cdef "int fcntl(int fd, int command, ...);"

local function named(variable)
  local value = os.getenv(variable)
  return value and value ~= "" and value ~= "none"
end

-- Under a sanitizer or valgrind the same at a smaller size, and memory is not judged.
soak.slow = named("RT_SANITIZER") or named("RTLUA_WRAPPER")

function soak.size(full, reduced) return soak.slow and reduced or full end

function soak.kilobytes(key)
  local file = assert(io.open("/proc/self/status"))
  local text = file:read("*a")
  file:close()
  return tonumber(text:match("\n" .. key .. ":%s*(%d+)"))
end

-- Bytes of resident memory after a full collection.
function soak.memory()
  collectgarbage()
  collectgarbage()
  return soak.kilobytes("VmRSS") * 1024
end

-- Asked of the kernel one by one: listing them takes descriptors too.
function soak.descriptors()
  local F_GETFD, count = 1, 0
  for fd = 0, soak.limit() - 1 do
    if ffi.C.fcntl(fd, F_GETFD) >= 0 then count = count + 1 end
  end
  return count
end

local limit
-- How many descriptors the process may have.
function soak.limit()
  if not limit then
    local pipe = io.popen("ulimit -n")
    limit = tonumber(pipe:read("*l")) or 65536
    pipe:close()
  end
  return limit
end

-- Bytes on the Lua heap after a full collection.
function soak.heap()
  collectgarbage()
  collectgarbage()
  return collectgarbage("count") * 1024
end

local WINDOWS = 8

-- Runs run() until memory has settled: in one of WINDOWS windows of `rounds` runs each, resident memory
-- grows by less than 5 % and the Lua heap hardly at all. LuaJIT's allocator takes memory in steps and its
-- fragments take some rounds to find their size; what is lost in every round never settles.
-- Gives the resident bytes before and after that window.
function soak.settles(t, rounds, run)
  if soak.slow then run() return 0, 0 end
  local heap, more, before, after
  for _ = 1, WINDOWS do
    heap, before = soak.heap(), soak.memory()
    for _ = 1, rounds do run() end
    more, after = soak.heap() - heap, soak.memory()
    if more < 256 * 1024 and after <= before * 1.05 + 512 * 1024 then return before, after end
  end
  t:ok(false, ("memory does not settle: from %d to %d KiB, the Lua heap by %d bytes"):format(before / 1024,
    after / 1024, more))
end

return soak
