-- SPDX-License-Identifier: MIT
-- The worker: loads one file, runs its tests one after the other, and tells the command what happens.
-- The command starts another one behind the test that a worker did not survive.
--
-- Events: {event = "load"}, {event = "start", index=, name=, timeout=, offset=}, {event = "end", index=,
-- status=, message=, traceback=, seconds=, seed=, offset=}, {event = "error", message=}, {event = "done",
-- total=}; in between {event = "alive"}: another part of the test begins, which has as much time again.
-- offset is how much has been printed so far.

local core = require "rt.core"
local handles = require "rt.test.handles"
local wire = require "rt.test.wire"
handles.watch()

local rt = require "rt"
local collect = require "rt.test.collect"
local diff = require "rt.test.diff"
local engine = require "rt.test.engine"
local place = require "rt.test.place"
local run = require "rt.test.run"

local events

local function tell(message)
  io.stdout:flush()
  message.offset = core.fd_size(1)
  core.fd_write(events, wire.encode(message) .. "\n")
end

-- ---- Loading ----

local function with_traceback(err)
  if type(err) ~= "string" then return "error object: " .. diff.show(err) end
  local traceback = place.trim(debug.traceback("stack traceback:", 2):gsub("^[^\n]*\n", "", 1))
  return traceback and err .. "\n" .. traceback or err
end

-- Gives the message of what is wrong with the file, or nil.
local function load_file(path)
  local chunk, message = loadfile(path)
  if not chunk then return message end
  arg = {[0] = path} -- luacheck: ignore
  local ok, err
  local ran, stopped = engine({}, function() ok, err = xpcall(chunk, with_traceback, path) end)
  if not ran then return tostring(stopped) end
  if not ok then return err end
end

-- ---- Which tests run, and how ----

local function runtimes_of(test, config)
  if test.options.runtime then return {test.options.runtime} end
  return config.runtime == "all" and core.runtimes() or {config.runtime}
end

local function add_runs(plan, test, config)
  local runtimes = runtimes_of(test, config)
  for _, runtime in ipairs(runtimes) do
    local name = #runtimes > 1 and ("%s (%s)"):format(test.name, runtime) or test.name
    for round = 1, config["repeat"] do
      local suffix = config["repeat"] > 1 and (" (run %d of %d)"):format(round, config["repeat"]) or ""
      plan[#plan + 1] = {test = test, runtime = runtime, name = name .. suffix}
    end
  end
end

local function plan_runs(tests, config)
  local plan = {}
  for _, test in ipairs(tests) do
    if not config.filter or test.name:find(config.filter, 1, true) then add_runs(plan, test, config) end
  end
  return plan
end

-- ---- Running ----

local function settings_of(item, config, seed)
  local options = item.test.options
  return {
    runtime = item.runtime,
    workers = config.workers,
    clock = options.clock or "real",
    timeout = options.timeout or config.timeout,
    seed = seed,
    alive = function() tell {event = "alive"} end,
  }
end

-- Gives what run() gives, and after it the seed, if there was one.
local function explore(item, config)
  local status, message, traceback
  for seed = config.seed or 1, (config.seed or 1) + config.explore - 1 do
    local settings = settings_of(item, config, seed)
    settings.alive()
    status, message, traceback = run(item.test, settings)
    if status ~= "pass" then return status, message, traceback, seed end
  end
  return status, message, traceback
end

local function run_item(item, config)
  local skip = item.test.options.skip
  if skip then return "skip", skip ~= true and skip or "" end
  if config.explore then return explore(item, config) end
  local seed = item.test.options.seed or config.seed
  local status, message, traceback = run(item.test, settings_of(item, config, seed))
  return status, message, traceback, seed
end

local function tell_run(index, item, config)
  local test = item.test
  local timeout = test.options.timeout or config.timeout
  tell {event = "start", index = index, name = item.name, timeout = timeout, file = test.file, line = test.line}
  local before = rt.now()
  local status, message, traceback, seed = run_item(item, config)
  tell {
    event = "end", index = index, status = status, message = message, traceback = traceback,
    seconds = rt.now() - before, seed = seed,
  }
  return status
end

-- worker(config): config is a line of {file=, from=, filter=, fail_fast=, runtime=, repeat=, explore=, seed=,
-- timeout=, jit=, workers=}.
return function(line)
  local config = wire.decode(line)
  events = core.worker_begin()
  io.stdout:setvbuf("line")
  if config.jit == "off" then jit.off() end
  local state = collect.install(rt)
  tell {event = "load"}
  local wrong = load_file(config.file)
  state.closed = true
  if wrong then return tell {event = "error", message = wrong} end
  local plan = plan_runs(state.tests, config)
  for index = config.from, #plan do
    local status = tell_run(index, plan[index], config)
    if status == "fail" and config.fail_fast then return end
  end
  tell {event = "done", total = #plan}
end
