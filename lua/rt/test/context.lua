-- SPDX-License-Identifier: MIT
-- What a test gets, t: its assertions and its tasks. And behind it, where tests that put fields of their
-- own into t do not reach, the run: {t=, body=, children=, failure=, skipped=, cancelled_at=}.

local core = require "rt.core"
local rt = require "rt"
local diff = require "rt.test.diff"
local place = require "rt.test.place"

local context = {}
local T = {}
T.__index = T

local runs = setmetatable({}, {__mode = "k"}) -- t -> its run

local POLL_MIN, POLL_MAX = 0.001, 0.05 -- seconds between two looks of t:eventually()

-- Raised by t:skip().
local Skip = {}

local function fail(message)
  error(place.here() .. ": " .. message, 0)
end

-- ok(value[, message]) -> value
function T:ok(value, message)
  if not value then fail(message or "expected a true value, got " .. diff.show(value)) end
  return value
end

-- equal(actual, expected): tables field by field. The failure says where they differ.
function T:equal(actual, expected)
  if not diff.equal(actual, expected) then fail(diff.differences(actual, expected)) end
end

-- near(actual, expected[, tolerance = 0.001])
function T:near(actual, expected, tolerance)
  if type(actual) ~= "number" or not (math.abs(actual - expected) <= (tolerance or 1e-3)) then
    fail(("expected about %s, got %s"):format(diff.show(expected), diff.show(actual)))
  end
end

-- error(fn[, pattern]) -> the error that fn raises; pattern is a text or a pattern that it must have.
function T:error(fn, pattern)
  local ok, err = pcall(fn)
  if ok then fail("expected an error") end
  local text = type(err) == "string" and err or diff.show(err)
  if pattern and not text:find(pattern, 1, true) and not text:find(pattern) then
    fail(("expected an error with %s, got %s"):format(diff.show(pattern), diff.show(text)))
  end
  return err
end

-- eventually(fn[, timeout = 2]) -> the first value of fn() that is true. Asks again and again. Waits.
function T:eventually(fn, timeout)
  local limit, pause = rt.now() + (timeout or 2), POLL_MIN
  while true do
    local late = rt.now() >= limit -- asked before: fn() is the later one to look
    local value = fn()
    if value then return value end
    if late then fail(("not true within %g s"):format(timeout or 2)) end
    rt.sleep(pause)
    pause = math.min(2 * pause, POLL_MAX)
  end
end

-- fail([message])
function T:fail(message)
  fail(message or "failed")
end

-- skip([reason]): ends the test, which then has neither passed nor failed.
function T:skip(reason)
  error(setmetatable({reason = reason or ""}, Skip), 0)
end

-- ---- What has gone wrong ----

-- For xpcall: what ended the function, and from where.
local function catch(err)
  return {value = err, traceback = place.trim(debug.traceback("stack traceback:", 2):gsub("^[^\n]*\n", "", 1))}
end

local function text_of(err)
  if type(err) == "string" or type(err) == "number" then return place.clean(tostring(err)) end
  return "error object: " .. diff.show(err)
end

-- The first thing counts.
function context.note(run, message, traceback)
  run.failure = run.failure or {message = message, traceback = traceback}
end

function context.note_error(run, caught)
  if getmetatable(caught.value) == Skip then
    run.skipped = run.skipped or caught.value.reason
  elseif caught.value == core.cancelled then
    run.cancelled_at = caught.traceback or "?"
  else
    context.note(run, text_of(caught.value), caught.traceback)
  end
end

-- protect(run, seconds, fn, ...) -> whether fn(...) has returned, in that time if it is not nil. Waits if fn does.
function context.protect(run, seconds, fn, ...)
  local timeout = seconds and core.timeout_enter(seconds)
  local ok, caught = xpcall(fn, catch, ...)
  local expired = timeout and core.timeout_leave(timeout)
  if ok then return true end
  if expired and caught.value == core.cancelled then
    context.note(run, ("timeout: still waiting after %g s"):format(seconds), caught.traceback)
  elseif not ((run.failure or run.skipped) and caught.value == core.cancelled) then
    context.note_error(run, caught)
  end
  return false
end

-- ---- Tasks of the test ----

local function finish_child(run, ok, ...)
  if ok then return ... end
  local caught = ...
  if caught.value ~= core.cancelled then
    context.note_error(run, caught)
    run.body:cancel()
  end
  error(caught.value, 0)
end

local function run_child(run, fn, ...)
  return finish_child(run, xpcall(fn, catch, ...))
end

-- spawn(fn, ...) -> task: one that lasts no longer than the test's function: it is cancelled and
-- waited for then. If it fails, so does the test. Does not wait.
function T:spawn(fn, ...)
  if type(fn) ~= "function" then
    error(("bad argument #1 to 'spawn' (function expected, got %s)"):format(type(fn)), 2)
  end
  local run = runs[self]
  local task = core.spawn(run_child, run, fn, ...)
  run.children[#run.children + 1] = task
  return task
end

-- Ends the tasks of the test. Waits.
function context.end_children(run)
  local i = 1
  while run.children[i] do
    run.children[i]:cancel()
    run.children[i]:join()
    run.children[i] = nil
    i = i + 1
  end
end

-- new(name) -> a run
function context.new(name)
  local t = setmetatable({name = name}, T)
  runs[t] = {t = t, children = {}}
  return runs[t]
end

return context
