-- SPDX-License-Identifier: MIT
-- An async main that sleeps, and a task that it spawns and awaits.
--
-- Try it:  ./dev run examples/hello.lua
--          ./dev run examples/hello.lua "your name"
local rt = require "rt"

local function greet(name)
  rt.sleep(0.2)
  print("hello, " .. name)
  return 42
end

local task = rt.spawn(greet, arg[1] or "world")
rt.sleep(0.1) -- meanwhile, the task sleeps as well
print("waiting for the task")
local result = task:await()
print(("the task returned %d"):format(result))
