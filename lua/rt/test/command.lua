-- SPDX-License-Identifier: MIT
-- rtlua test: finds the files, runs each in a process of its own, several at once, and reports.

local core = require "rt.core"
local rt = require "rt"
local find = require "rt.test.find"
local new_file = require "rt.test.file"
local options = require "rt.test.options"

local FAILED, BAD, INTERRUPTED = 1, 2, 130
local JOBS_MAX = 4

local formats = {
  pretty = require "rt.test.pretty",
  tap = require "rt.test.tap",
  junit = require "rt.test.junit",
}

local Session = {}
Session.__index = Session

local function complain(message)
  io.stdout:flush()
  io.stderr:write("rtlua test: ", message, "\n")
end

-- ---- Running ----

function Session:running()
  local list = {}
  for _, file in ipairs(self.files) do
    if file.pid then list[#list + 1] = file end
  end
  return list
end

function Session:stop()
  self.stopped = true
  for _, file in ipairs(self.files) do file:stop() end
end

-- A step of a file has happened: counts the tests that have ended since.
function Session:update(file)
  for i = (file.counted or 0) + 1, #file.tests do
    local status = file.tests[i].status
    self.counts[status] = self.counts[status] + 1
    file.counted = i
    if status == "fail" and self.settings["fail-fast"] then self:stop() end
  end
  self.report:progress(self.counts, self:running())
end

-- Reports the files that have ended, in the order of the command line.
function Session:flush(to_the_end)
  while self.reported < #self.files do
    local file = self.files[self.reported + 1]
    if not file.ended and not to_the_end then return end
    self.report:file(file)
    self.reported = self.reported + 1
  end
end

-- Takes files until there are none left. Waits.
function Session:work()
  while not self.stopped and self.taken < #self.files do
    self.taken = self.taken + 1
    local file = self.files[self.taken]
    file:run()
    file.ended = true
    self:flush()
  end
end

function Session:run_all()
  local tasks = {}
  for i = 1, math.min(self.settings.jobs, #self.files) do tasks[i] = rt.spawn(self.work, self) end
  for _, task in ipairs(tasks) do task:await() end
end

-- ---- The end ----

-- What keeps the run from being a good one though no test has failed.
function Session:problems()
  local count, total, known = 0, 0, true
  for _, file in ipairs(self.files) do
    if file.error then count = count + 1 end
    if not file.total then known = false end
    total = total + (file.total or 0)
  end
  if count > 0 then
    complain(("%d file%s could not be run"):format(count, count == 1 and "" or "s"))
    return true
  end
  if self.settings.filter and known and total == 0 then
    complain(("no test has '%s' in its name"):format(self.settings.filter))
    return true
  end
  return false
end

function Session:finish()
  self:flush(true)
  local bad = self:problems()
  self.report:finish(self.counts)
  if bad or self.bad then return BAD end
  return self.counts.fail > 0 and FAILED or 0
end

function Session:interrupt()
  local running = self:running()
  self:stop()
  self:flush(true)
  self.report:interrupted(running)
  self.report:finish(self.counts)
  return INTERRUPTED
end

-- ---- The beginning ----

local function processors()
  local file, count = io.open("/proc/cpuinfo"), 0
  for line in file and file:lines() or function() end do
    if line:find("^processor%s") then count = count + 1 end
  end
  if file then file:close() end
  return math.max(count, 1)
end

local function new_session(settings)
  settings.jobs = settings.jobs or math.min(processors(), JOBS_MAX)
  local paths, problems = find(settings.paths)
  local self = setmetatable({
    settings = settings, files = {}, counts = {pass = 0, fail = 0, skip = 0}, taken = 0, reported = 0,
    bad = #problems > 0 or #paths == 0,
  }, Session)
  for _, message in ipairs(problems) do complain(message) end
  if #paths == 0 and #problems == 0 then complain("no file *_test.lua in " .. table.concat(settings.paths, ", ")) end
  for i, path in ipairs(paths) do
    self.files[i] = new_file(path, settings, function(file) self:update(file) end)
  end
  self.report = formats[settings.format](settings)
  return self
end

local function run(settings)
  local session = new_session(settings)
  local ok, err = pcall(session.run_all, session)
  if ok then return session:finish() end
  if err == rt.cancelled then return session:interrupt() end
  session:stop()
  error(err, 0)
end

-- Runs the command with the arguments behind "test" and exits. Waits.
return function(...)
  local settings, wrong = options.parse({...})
  if not settings then
    complain(wrong .. "\ntry 'rtlua test --help'")
    os.exit(BAD)
  end
  if settings.help then
    io.write(options.help)
    os.exit(0)
  end
  os.exit(run(settings))
end
