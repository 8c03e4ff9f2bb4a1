-- SPDX-License-Identifier: MIT
-- Many Lua tasks that wait at once: what one costs. rtlua park.lua [TASKS]; see run-park.sh.
local rt = require "rt"

local count = tonumber(arg[1]) or 100000
local parked = 0

local function park()
  parked = parked + 1
  rt.sleep(1e6)
end

local function kilobytes(key)
  for line in io.lines("/proc/self/status") do
    local kb = line:match("^" .. key .. ":%s*(%d+)")
    if kb then return tonumber(kb) end
  end
end

local function show(key, value) print(("%s=%.1f"):format(key, value)) end

local tasks = {}
for i = 1, count do tasks[i] = false end -- its pages are not the tasks'
collectgarbage()
local rss, tables = kilobytes("VmRSS"), kilobytes("VmPTE")

local began = rt.now()
for i = 1, count do tasks[i] = rt.spawn(park) end
local spawned = rt.now()
while parked < count do rt.yield() end
show("spawn_ns", (spawned - began) * 1e9 / count)
show("start_ns", (rt.now() - spawned) * 1e9 / count)

collectgarbage()
show("tasks", count)
show("bytes", (kilobytes("VmRSS") - rss) * 1024 / count)
show("page_table_bytes", (kilobytes("VmPTE") - tables) * 1024 / count)

began = rt.now()
for i = 1, count do tasks[i]:cancel() end
for i = 1, count do tasks[i]:join() end
show("cancel_join_ns", (rt.now() - began) * 1e9 / count)
