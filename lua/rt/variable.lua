-- SPDX-License-Identifier: MIT
-- Task-local values: what a task and those that it spawns know without being told.
--
--   local request = rt.task.variable("none")
--   request:with("42", function()
--     rt.spawn(function() print(request:get()) end):await()   --> 42
--   end)
--
-- A task starts with the values that the one that spawned it had then; what either of them sets later
-- the other does not see. Coroutines have the values of the task that runs them.

local core = require "rt.core"
local keep_traceback = require "rt.traceback"

local locals, set_locals = core.locals, core.set_locals

local Variable = {}
Variable.__index = Variable
Variable.__metatable = "variable"

-- The bindings of a task: {variable=, value=, next=}, one for each variable at most, and never changed:
-- tasks share them.
local function find(bindings, variable)
  while bindings and bindings.variable ~= variable do bindings = bindings.next end
  return bindings
end

local function bind(variable, value, next_one)
  return {variable = variable, value = value, next = next_one}
end

-- Those before it are made anew.
local function without(bindings, variable)
  if not find(bindings, variable) then return bindings end
  if bindings.variable == variable then return bindings.next end
  return bind(bindings.variable, bindings.value, without(bindings.next, variable))
end

local function check(self, name)
  if getmetatable(self) ~= "variable" then
    error(("calling '%s' on bad self (variable expected, got %s)"):format(name, type(self)), 3)
  end
end

-- The running task's value, or else the default. Does not wait.
function Variable:get()
  local binding = find(locals(), self)
  if binding then return binding.value end
  return self.default
end

local function set(variable, value)
  local bindings = without(locals(), variable)
  if value ~= nil then bindings = bind(variable, value, bindings) end
  set_locals(bindings)
end

-- Sets the running task's value; nil: the default counts again. Costs more the more variables the
-- task has. Raises outside of a task. Does not wait.
function Variable:set(value)
  check(self, "set")
  set(self, value)
end

local function restore(variable, old, ok, ...)
  set(variable, old)
  if ok then return ... end
  error((...), 0)
end

-- with(value, fn, ...) -> the results of fn(...), during which the variable has that value.
-- Waits if fn does.
function Variable:with(value, fn, ...)
  check(self, "with")
  if type(fn) ~= "function" then
    error(("bad argument #2 to 'with' (function expected, got %s)"):format(type(fn)), 2)
  end
  local binding = find(locals(), self)
  set(self, value)
  return restore(self, binding and binding.value, xpcall(fn, keep_traceback, ...))
end

-- variable([default]) -> variable
return function(default)
  return setmetatable({default = default}, Variable)
end
