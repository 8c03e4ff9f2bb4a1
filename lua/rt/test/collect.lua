-- SPDX-License-Identifier: MIT
-- What a test file says while it is loaded: rt.test, rt.describe, rt.before_each, rt.after_each.

local core = require "rt.core"
local place = require "rt.test.place"

local collect = {}

-- A number that may be a timeout, and what is said of one that may not.
function collect.is_duration(value)
  return type(value) == "number" and value > 0 and value < math.huge
end

local function is_seed(value)
  return type(value) == "number" and value >= 0 and value < 2 ^ 53 and value % 1 == 0
end

-- Misuse, told as the line of the file that did it.
local function misuse(format, ...)
  error(place.here() .. ": " .. format:format(...), 0)
end

local checks = {
  runtime = function(value)
    if type(value) ~= "string" then return "a name expected" end
    return core.check_runtime(value)
  end,
  clock = function(value)
    return value ~= "real" and value ~= "virtual" and '"real" or "virtual" expected' or nil
  end,
  seed = function(value) return not is_seed(value) and "a whole number that is not negative expected" or nil end,
  timeout = function(value)
    return not collect.is_duration(value) and "a positive number of seconds expected" or nil
  end,
  each = function(value) return type(value) ~= "table" and "an array of parameters expected" or nil end,
  skip = function(value)
    return type(value) ~= "string" and type(value) ~= "boolean" and "a reason or a boolean expected" or nil
  end,
}

local function check_options(name, options)
  for key, value in pairs(options) do
    local check = checks[key]
    if not check then misuse("test '%s': unknown option '%s'", name, tostring(key)) end
    local wrong = check(value)
    if wrong then misuse("test '%s': option '%s': %s", name, key, wrong) end
  end
end

-- Registers in these tests and suites, from outermost to innermost.
local function add(state, name, options, fn, parameter)
  local test = {name = name, options = options, fn = fn, parameter = parameter, suite = state.suite}
  test.site, test.file, test.line = place.here()
  local other = state.by_name[name]
  if other then misuse("two tests are called '%s': the other one is at %s", name, other.site) end
  state.by_name[name] = test
  state.tests[#state.tests + 1] = test
end

local function label(parameter, index)
  if type(parameter) == "table" then
    local name = rawget(parameter, "name")
    return name ~= nil and tostring(name) or "#" .. index
  end
  return tostring(parameter)
end

local function check_open(state, what)
  if state.closed then misuse("rt.%s inside of a test: tests are declared while their file is loaded", what) end
end

local function check_function(fn, index, what)
  if type(fn) ~= "function" then
    misuse("bad argument #%d to '%s' (function expected, got %s)", index, what, type(fn))
  end
end

local function check_name(name, what)
  if type(name) ~= "string" then
    misuse("bad argument #1 to '%s' (string expected, got %s)", what, type(name))
  end
end

local function full_name(suite, name)
  return suite.name and suite.name .. " / " .. name or name
end

local function new_suite(name, parent)
  return {name = name, parent = parent, before = {}, after = {}}
end

-- Puts the four functions, and an rt.bench that does nothing, into rt. Gives what they will have
-- collected: {tests = {{name=, options=, fn=, parameter=, suite=, site=, file=, line=}, ...}}.
function collect.install(rt)
  local state = {tests = {}, by_name = {}, suite = new_suite()}

  function rt.test(name, options, fn)
    check_open(state, "test")
    check_name(name, "test")
    if fn == nil and type(options) == "function" then options, fn = {}, options end
    if type(options) ~= "table" then
      misuse("bad argument #2 to 'test' (table or function expected, got %s)", type(options))
    end
    check_function(fn, 3, "test")
    name = full_name(state.suite, name)
    check_options(name, options)
    if not options.each then return add(state, name, options, fn) end
    for i, parameter in ipairs(options.each) do
      add(state, ("%s [%s]"):format(name, label(parameter, i)), options, fn, parameter)
    end
  end

  function rt.describe(name, fn)
    check_open(state, "describe")
    check_name(name, "describe")
    check_function(fn, 2, "describe")
    local outer = state.suite
    state.suite = new_suite(full_name(outer, name), outer)
    fn()
    state.suite = outer
  end

  function rt.before_each(fn)
    check_open(state, "before_each")
    check_function(fn, 1, "before_each")
    table.insert(state.suite.before, fn)
  end

  function rt.after_each(fn)
    check_open(state, "after_each")
    check_function(fn, 1, "after_each")
    table.insert(state.suite.after, fn)
  end

  function rt.bench() end

  return state
end

return collect
