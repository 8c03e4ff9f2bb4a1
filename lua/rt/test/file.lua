-- SPDX-License-Identifier: MIT
-- The tests of one file: starts workers until every test has had its turn, and keeps what they say.

local core = require "rt.core"
local rt = require "rt"
local wire = require "rt.test.wire"

local File = {}
File.__index = File

local GRACE = 2 -- seconds that a worker has beyond a test's own timeout
local OUTPUT = 16384 -- bytes that are shown of what a test has printed
local EXIT_POLL = 0.02

local signals = {
  [4] = "SIGILL", [6] = "SIGABRT", [7] = "SIGBUS", [8] = "SIGFPE", [9] = "SIGKILL", [11] = "SIGSEGV", [15] = "SIGTERM",
}

-- new(path, settings, on_change) -> {path=, tests = {{name=, status=, seconds=, message=, traceback=,
-- reason=, seed=, output=, file=, line=}, ...}, error=, output=, total=, running=}. on_change() is
-- called after each step.
local function new(path, settings, on_change)
  return setmetatable({path = path, tests = {}, settings = settings, on_change = on_change, from = 1}, File)
end

-- What was printed between two offsets, at most the last OUTPUT bytes of it; nil if nothing.
function File:printed(first, last)
  local skipped = last - first > OUTPUT
  if skipped then first = last - OUTPUT end
  local text = core.fd_part(self.output_fd, first, last - first)
  if text == "" then return nil end
  return skipped and "...\n" .. text:gsub("^[^\n]*\n", "", 1) or text
end

-- ---- A worker's events ----

local on = {}

-- The worker has to show the next sign of life within that time.
function File:allow(seconds)
  self.limit = rt.now() + seconds + GRACE
end

function on.start(self, message)
  self.running = {
    name = message.name:gsub("%c", " "), index = message.index, file = message.file, line = message.line,
    since = rt.now(), timeout = message.timeout, offset = message.offset,
  }
  self:allow(message.timeout)
end

function on.alive(self)
  if self.running then self:allow(self.running.timeout) end
end

function File:add_result(result)
  self.running = nil
  self.tests[#self.tests + 1] = result
  self.from = result.index + 1
end

on["end"] = function(self, message)
  local running = self.running
  if not running or running.index ~= message.index then return end
  self:add_result {
    index = message.index, name = running.name, status = message.status, message = message.message,
    traceback = message.traceback, seconds = message.seconds, seed = message.seed, file = running.file,
    line = running.line, output = self:printed(running.offset, message.offset),
  }
  self:allow(self.settings.timeout)
end

function on.error(self, message)
  self.error = message.message
  self.output = self:printed(0, message.offset)
  self.done = true
end

function on.done(self, message)
  self.total = message.total
  self.done = true
end

function File:take(line)
  local message = wire.decode(line)
  local handler = on[message.event]
  if handler then
    handler(self, message)
    self.on_change(self)
  end
end

-- ---- A worker's life ----

function File:config()
  local s = self.settings
  return wire.encode {
    file = self.path, from = self.from, filter = s.filter, fail_fast = s["fail-fast"], runtime = s.runtime,
    ["repeat"] = s["repeat"], explore = s.explore, seed = s.seed, timeout = s.timeout, jit = s.jit,
    workers = s.workers,
  }
end

-- Reads events until the worker has closed their pipe, or its time is over. Waits.
function File:follow(events)
  local rest = ""
  while true do
    local data = core.fd_read(events)
    if data == "" then return end
    rest = rest .. (data or "")
    for line in rest:gmatch("([^\n]*)\n") do
      if self.stopped then return end
      self:take(line)
    end
    rest = rest:match("[^\n]*$")
    if not data and not rt.wait_fd(events, "r", self.limit - rt.now()) and rt.now() >= self.limit then return end
  end
end

-- Gives how it ended, its exit code if it has one, and whether it had to be killed. Waits.
function File:await_exit(pid)
  local kind, code = core.worker_wait(pid)
  local killed = false
  while not kind do
    if rt.now() >= self.limit then
      core.worker_kill(pid)
      killed = true
    end
    rt.sleep(EXIT_POLL / 20)
    kind, code = core.worker_wait(pid)
  end
  -- What its tests have started.
  core.worker_kill(pid)
  if kind == "signal" then return "was killed by " .. (signals[code] or "signal " .. code), nil, killed end
  return "exited with code " .. code, code, killed
end

-- Runs one worker. Gives what await_exit() gives. Waits.
function File:run_worker()
  local pid, events = core.worker_spawn({"test", "--worker", self:config()}, self.output_fd)
  if not pid then error(events, 0) end
  self.pid, self.worker_offset = pid, core.fd_size(self.output_fd)
  self:allow(self.settings.timeout)
  self:follow(events)
  core.fd_close(events)
  local how, code, hung = self:await_exit(pid)
  self.pid = nil
  return how, code, hung
end

-- What a test has done to its worker.
function File:add_casualty(how, hung)
  local running = self.running
  local message = "crash: the process " .. how
  if hung then message = ("timeout: has not ended in %g s, and was killed"):format(running.timeout) end
  self:add_result {
    index = running.index, name = running.name, status = "fail", message = message, file = running.file,
    line = running.line, seconds = rt.now() - running.since,
    output = self:printed(running.offset, core.fd_size(self.output_fd)),
  }
end

function File:fail_outside(how, hung)
  local what = hung and ("has not ended in %g s, and was killed"):format(self.settings.timeout) or how
  self.error = ("the process %s outside of a test"):format(what)
  self.output = self:printed(self.worker_offset, core.fd_size(self.output_fd))
  self.done = true
end

-- Runs all of its tests. Waits.
function File:run()
  local fd, message = core.fd_memory()
  if not fd then error(message, 0) end
  self.output_fd, self.since = fd, rt.now()
  while not self.done and not self.stopped do
    local how, code, hung = self:run_worker()
    if self.stopped then break end
    if self.running then
      self:add_casualty(how, hung)
    elseif not self.done or code ~= 0 then
      self:fail_outside(how, hung)
    end
    self.on_change(self)
  end
  self.seconds = rt.now() - self.since
  core.fd_close(fd)
end

-- Does not wait.
function File:stop()
  self.stopped = true
  if self.pid then core.worker_kill(self.pid) end
end

return new
