-- SPDX-License-Identifier: MIT
-- require() that several tasks are in at once, of modules that wait, fail, loop, or give nothing.

local rt = require "rt"
local failure = require "failure"

local folder = require("folder")()
package.path = folder .. "/?.lua;" .. package.path

local function module(name, code)
  local path = ("%s/%s.lua"):format(folder, name)
  local file = assert(io.open(path, "w"))
  file:write(code)
  file:close()
  return name
end

loads = {} -- luacheck: ignore: how often each module ran

-- The tests run once on each runtime, in one process: each time as if for the first.
local own = {}
for name in pairs(package.loaded) do own[name] = true end
rt.before_each(function()
  loads = {}
  for name in pairs(package.loaded) do
    if not own[name] then package.loaded[name] = nil end
  end
end)

rt.test("a module that waits at its top level", function(t)
  local name = module("waits", [[
    local rt = require "rt"
    loads[...] = (loads[...] or 0) + 1
    rt.sleep(0.01)
    return {name = ...}
  ]])
  t:equal(require(name).name, "waits")
  t:equal(require(name), package.loaded.waits)
  t:equal(loads.waits, 1)
end)

rt.test("tasks that require it at once all get the one finished module", function(t)
  local name = module("shared", [[
    loads[...] = (loads[...] or 0) + 1
    local rt = require "rt"
    local M = {}
    for i = 1, 3 do rt.sleep(0.003) M[i] = i end
    return M
  ]])
  local tasks = {}
  for i = 1, 20 do tasks[i] = rt.spawn(function() return require(name) end) end
  local first = tasks[1]:await()
  t:equal(#first, 3)
  for i = 2, 20 do t:equal(tasks[i]:await(), first) end
  t:equal(loads.shared, 1)
end)

rt.test("a module that fails, for two tasks", function(t)
  local name = module("fails", [[
    loads[...] = (loads[...] or 0) + 1
    require "rt".sleep(0.005)
    error("no luck")
  ]])
  local tasks = {}
  for i = 1, 3 do tasks[i] = rt.spawn(function() return require(name) end) end
  local ok, err = tasks[1]:join()
  t:equal(ok, false)
  t:ok(err:find("fails.lua:3: no luck", 1, true), err)
  for i = 2, 3 do
    ok, err = tasks[i]:join()
    t:equal(ok, false)
    t:ok(tostring(err):find("no luck", 1, true) or tostring(err):find("previous error loading module 'fails'", 1, true),
      err)
  end
  t:error(function() require(name) end, "loop or previous error loading module 'fails'")
  package.loaded[name] = nil
  t:error(function() require(name) end, "no luck")
end)

rt.test("a module that raises something else", function(t)
  local name = module("raises", "error({code = 7})")
  t:equal(t:error(function() require(name) end).code, 7)
end)

rt.test("a module that was cancelled can be loaded again", function(t)
  local name = module("slow", [[
    loads[...] = (loads[...] or 0) + 1
    if loads[...] == 1 then require "rt".sleep(60) end
    return "loaded"
  ]])
  local first = rt.spawn(function() return require(name) end)
  local second = rt.spawn(function() return require(name) end)
  rt.yield()
  rt.yield()
  t:equal(second:status(), "waiting")
  second:cancel()
  t:equal(select(2, second:join()), rt.cancelled)
  t:equal(first:status(), "waiting")
  first:cancel()
  t:equal(select(2, first:join()), rt.cancelled)
  package.loaded[name] = nil
  t:equal(require(name), "loaded")
end)

rt.test("require inside of a timeout", function(t)
  local name = module("slower", "require 'rt'.sleep(60)")
  failure("timeout", "ETIMEDOUT", rt.timeout(0.01, require, name))
end)

rt.test("a loop is an error", function(t)
  module("loop_a", "return {b = require 'loop_b'}")
  module("loop_b", "return {a = require 'loop_a'}")
  t:error(function() require "loop_a" end, "loop or previous error loading module 'loop_a'")
  module("loop_self", "return require 'loop_self'")
  t:error(function() require "loop_self" end, "loop or previous error loading module 'loop_self'")
end)

rt.test("a loop of modules that two tasks load is an error, not a deadlock", function(t)
  module("ring_a", "require 'rt'.sleep(0.005) return {b = require 'ring_b'}")
  module("ring_b", "require 'rt'.sleep(0.005) return {a = require 'ring_a'}")
  local a = rt.spawn(function() return require "ring_a" end)
  local b = rt.spawn(function() return require "ring_b" end)
  local _, first = a:join(30)
  local _, second = b:join(30)
  local text = tostring(first) .. tostring(second)
  t:ok(text:find("loop or previous error", 1, true), text)
end)

rt.test("two tasks, two modules that need a third", function(t)
  module("third", "loads[...] = (loads[...] or 0) + 1 require 'rt'.sleep(0.005) return {}")
  module("user_a", "return {third = require 'third'}")
  module("user_b", "return {third = require 'third'}")
  local a = rt.spawn(function() return require "user_a" end)
  local b = rt.spawn(function() return require "user_b" end)
  t:equal(a:await().third, b:await().third)
  t:equal(loads.third, 1)
end)

rt.test("modules that return false, nil or nothing", function(t)
  module("gives_false", "loads[...] = (loads[...] or 0) + 1 return false")
  module("gives_nil", "loads[...] = (loads[...] or 0) + 1 return nil")
  module("gives_nothing", "loads[...] = (loads[...] or 0) + 1")
  -- As the stock one: false is loaded each time.
  t:equal(require "gives_false", false)
  t:equal(require "gives_false", false)
  t:equal(loads.gives_false, 2)
  for _, name in ipairs {"gives_nil", "gives_nothing"} do
    t:equal(require(name), true)
    t:equal(require(name), true)
    t:equal(loads[name], 1)
  end
end)

rt.test("a module that puts itself into package.loaded", function(t)
  module("registers", "package.loaded[...] = 'registered'")
  t:equal(require "registers", "registered")
  t:equal(require "registers", "registered")
end)

rt.test("package.preload", function(t)
  package.preload.preloaded = function(name) rt.sleep(0.001) return "preloaded " .. name end
  t:equal(require "preloaded", "preloaded preloaded")
end)

rt.test("a module that there is not, and one with an error in it", function(t)
  local err = t:error(function() require "no.such.module" end, "module 'no.such.module' not found:")
  t:ok(err:find("^[^\n]*require_test.lua:%d+: module"), err)
  module("broken", "x = = 1")
  t:error(function() require "broken" end, "error loading module 'broken' from file")
end)

rt.test("wrong arguments", function(t)
  t:error(function() require() end, "bad argument #1 to 'require'")
  t:error(function() require({}) end, "bad argument #1 to 'require'")
  t:error(function() require(5) end, "module '5' not found")
end)

rt.test("require in a coroutine", function(t)
  local name = module("in_coroutine", "require 'rt'.sleep(0.002) return 'here'")
  t:equal(coroutine.wrap(function() return require(name) end)(), "here")
end)

rt.test("a module that spawns tasks which require it", function(t)
  local name = module("spawns", [[
    local rt = require "rt"
    local M = {}
    M.task = rt.spawn(function() return require "spawns" end)
    rt.sleep(0.005)
    return M
  ]])
  local M = require(name)
  t:equal(M.task:await(), M)
end)

rt.test("the other modules of rt are there", function(t)
  for _, name in ipairs {"rt", "rt.task", "rt.time", "rt.sync", "rt.net"} do t:equal(type(require(name)), "table") end
end)
