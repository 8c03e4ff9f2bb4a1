-- SPDX-License-Identifier: MIT
-- Tests in Lua: check.test(name, fn) runs at once, check.finish() prints "N passed, N failed" and
-- exits. fn gets t: t:ok(value[, message]), t:equal(actual, expected), t:near(actual, expected
-- [, tolerance]), t:error(fn[, pattern]) -> the error, t:failure(pattern, code, fn or results...).

local check = {}
local passed, failed = 0, 0

local T = {}
T.__index = T

local function show(value)
  if type(value) == "string" then return ("%q"):format(value) end
  return tostring(value)
end

local function fail(message, level)
  error(message, (level or 1) + 2)
end

function T:ok(value, message)
  if not value then fail(message or ("expected a true value, got " .. show(value))) end
  return value
end

function T:equal(actual, expected)
  if actual ~= expected then fail(("expected %s, got %s"):format(show(expected), show(actual))) end
end

function T:near(actual, expected, tolerance)
  if not (math.abs(actual - expected) <= (tolerance or 1e-3)) then
    fail(("expected about %s, got %s"):format(show(expected), show(actual)))
  end
end

-- The error that fn raises; pattern is a plain text or a pattern that it must contain.
function T:error(fn, pattern)
  local ok, err = pcall(fn)
  if ok then fail("expected an error") end
  local text = tostring(err)
  if pattern and not text:find(pattern, 1, true) and not text:find(pattern) then
    fail(("expected an error with %s, got %s"):format(show(pattern), show(text)))
  end
  return err
end

-- Results of a function that fails in an expected way: nil, message, code.
function T:failure(pattern, code, ...)
  local value, message, name = ...
  if value ~= nil then fail("expected a failure, got " .. show(value)) end
  if name ~= code then fail(("expected %s, got %s (%s)"):format(show(code), show(name), show(message))) end
  if not (message == pattern or message:find(pattern, 1, true) or message:find(pattern)) then
    fail(("expected a message with %s, got %s"):format(show(pattern), show(message)))
  end
end

function check.test(name, fn)
  local ok, err = xpcall(fn, debug.traceback, setmetatable({}, T))
  if ok then
    passed = passed + 1
  else
    failed = failed + 1
    io.stderr:write(("FAILED: %s\n%s\n"):format(name, tostring(err)))
  end
end

function check.finish()
  print(("%d passed, %d failed"):format(passed, failed))
  if failed > 0 then os.exit(1, true) end
end

return check
