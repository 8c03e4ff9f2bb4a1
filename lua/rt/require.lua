-- SPDX-License-Identifier: MIT
-- require() that several tasks may be in at once: takes the place of the global one.
--
-- The stock require marks a module as loading and takes a second entry for a loop. Where a module
-- waits at its top level, that may just be another task: it waits here until the first is done.

local core = require "rt.core"

local stock = require
local loaded = package.loaded
local current = core.current
local error, pcall = error, pcall

local owners = {} -- name -> the task that loads it
local gates = {} -- name -> where the others wait
local wanted = {} -- task -> the name that it waits for

-- Whether the owner of name waits, perhaps through others, for a module that me is loading.
local function is_loop(name, me)
  local owner = owners[name]
  while owner and owner ~= me do
    name = wanted[owner]
    owner = name and owners[name]
  end
  return owner == me
end

local function finish(name, ok, ...)
  local gate = gates[name]
  owners[name], gates[name] = nil, nil
  core.gate_open(gate)
  if ok then return ... end
  local err = ...
  -- The stock require says that at the line that called it.
  local at_caller = type(err) == "string" and err:find("module '" .. name .. "' not found:", 1, true) == 1
  error(err, at_caller and 2 or 0)
end

local function load(name, me)
  owners[name], gates[name] = me, core.gate()
  return finish(name, pcall(stock, name))
end

local function await(name, me)
  wanted[me] = name
  local _, reason = core.gate_wait(gates[name])
  wanted[me] = nil
  if reason then error(core.cancelled, 0) end
end

function require(name) -- luacheck: ignore
  local me = current()
  while me and gates[name] do
    if is_loop(name, me) then return stock(name) end
    await(name, me)
  end
  if not me or type(name) ~= "string" or loaded[name] then return stock(name) end
  return load(name, me)
end

return require
