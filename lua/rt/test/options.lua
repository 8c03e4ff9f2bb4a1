-- SPDX-License-Identifier: MIT
-- The command line of rtlua test.

local core = require "rt.core"
local collect = require "rt.test.collect"

local options = {}

options.help = [[
usage: rtlua test [options] [paths]
Runs the tests in the files *_test.lua below the paths (default: the current folder), or in the
files given. Each file has a process of its own, each test a runtime of its own.

  --filter=TEXT       only tests that have TEXT in their name
  --fail-fast         stop after the first failure
  --jobs=N            how many files at once (default: as many as there are processors, at most 4)
  --timeout=S         how many seconds a test may take that does not say so itself (10)
  --runtime=NAME|all  on which runtime the tests run that do not name one (native)
  --workers=N         how many threads each runtime has (1)
  --repeat=N          run each test N times
  --seed=N            the order in which ready tasks run is a function of the seed
  --explore=N         run each test with N seeds, and give the first one with which it fails
  --jit=on|off        whether LuaJIT compiles (on)
  --format=FORMAT     pretty, tap or junit (pretty)
  --verbose           what tests print that do not fail, too
  --help              this text

The last line is "N passed, N failed[, N skipped]"; with --format=junit it goes to stderr. The exit
code is 0, 1 if a test has failed, 2 if a file or an option was no good, 130 after an interrupt.
]]

local function whole(low)
  return function(text)
    local number = text:find("^%d+$") and tonumber(text)
    if not number or number < low or number >= 2 ^ 53 then
      return nil, low > 0 and "takes a positive whole number" or "takes a whole number that is not negative"
    end
    return number
  end
end

local function duration(text)
  local seconds = tonumber(text)
  if not collect.is_duration(seconds) then return nil, "takes a positive number of seconds" end
  return seconds
end

local function runtime(name)
  local unknown = name ~= "all" and core.check_runtime(name)
  if unknown then return nil, "takes all or a name; " .. unknown end
  return name
end

local function workers(text)
  local number = text:find("^%d+$") and tonumber(text)
  if not number or number < 1 or number > core.workers_max then
    return nil, ("takes a number from 1 to %d"):format(core.workers_max)
  end
  return number
end

local function format(name)
  if name ~= "pretty" and name ~= "tap" and name ~= "junit" then return nil, "takes pretty, tap or junit" end
  return name
end

local function on_or_off(value)
  if value ~= "on" and value ~= "off" then return nil, "takes on or off" end
  return value
end

local function text(value)
  return value
end

local readers = {
  filter = text, jobs = whole(1), timeout = duration, runtime = runtime, workers = workers, ["repeat"] = whole(1),
  seed = whole(0), explore = whole(1), jit = on_or_off, format = format,
}
local flags = {["fail-fast"] = true, verbose = true, help = true}

local function read_value(settings, name, value)
  if value == nil then return ("--%s: argument missing"):format(name) end
  local result, wrong = readers[name](value)
  if result == nil then return ("--%s %s: '%s'"):format(name, wrong, value) end
  settings[name] = result
end

-- The options after the one at index; gives the index of the next one, or nil and what is wrong.
local function read_option(settings, arguments, index)
  local argument = arguments[index]
  local name, value = argument:match("^%-%-([%w-]+)=?(.*)$")
  local has_value = argument:find("=", 1, true) ~= nil
  if name and flags[name] and not has_value then
    settings[name] = true
    return index + 1
  end
  if not name or not readers[name] then return nil, ("unknown option '%s'"):format(argument) end
  local wrong = read_value(settings, name, has_value and value or arguments[index + 1])
  if wrong then return nil, wrong end
  return index + (has_value and 1 or 2)
end

-- parse(arguments) -> {paths = {...}, timeout=, ...}, or nil and a message
function options.parse(arguments)
  local settings = {paths = {}, timeout = 10, runtime = "native", workers = 1, ["repeat"] = 1, format = "pretty"}
  local index = 1
  while index <= #arguments do
    local argument, wrong = arguments[index], nil
    if argument == "--" then
      for i = index + 1, #arguments do table.insert(settings.paths, arguments[i]) end
      break
    elseif argument:sub(1, 1) == "-" then
      index, wrong = read_option(settings, arguments, index)
      if wrong then return nil, wrong end
    else
      table.insert(settings.paths, argument)
      index = index + 1
    end
  end
  if #settings.paths == 0 then settings.paths[1] = "." end
  return settings
end

return options
