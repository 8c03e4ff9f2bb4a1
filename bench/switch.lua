-- SPDX-License-Identifier: MIT
-- What a switch between Lua tasks and a short-lived one cost. rtlua switch.lua [SCALE]; see run-switch.sh.
local rt = require "rt"

local scale = tonumber(arg[1]) or 1

local function show(key, seconds, times) print(("%s=%.2f"):format(key, seconds * 1e9 / times)) end

local function measure_yields(key, count)
  local turns = math.floor(scale * 4e6 / count) + 1
  local tasks = {}
  for i = 1, count do
    tasks[i] = rt.spawn(function()
      for _ = 1, turns do rt.yield() end
    end)
  end
  rt.yield() -- they have all run once
  local began = rt.now()
  for i = 1, count do tasks[i]:await() end
  show(key, rt.now() - began, turns * count)
end

local function measure_spawns()
  local count = math.floor(scale * 1e6) + 1
  local function nothing() end
  local began = rt.now()
  for _ = 1, count do rt.spawn(nothing):await() end
  show("spawn_join_ns", rt.now() - began, count)
end

measure_yields("yield_2_ns", 2)
measure_yields("yield_10000_ns", 10000)
measure_spawns()
