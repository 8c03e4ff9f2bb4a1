-- SPDX-License-Identifier: MIT
-- What the report formats share: the summary, and a failure in words.

local text = {}

-- "1 passed, 0 failed[, 2 skipped]"
function text.summary(counts)
  local line = ("%d passed, %d failed"):format(counts.pass, counts.fail)
  return counts.skip > 0 and ("%s, %d skipped"):format(line, counts.skip) or line
end

local sources = {}

local function source_line(path, number)
  if not sources[path] then
    local lines, file = {}, io.open(path)
    for line in file and file:lines() or function() end do lines[#lines + 1] = line end
    if file then file:close() end
    sources[path] = lines
  end
  return sources[path][number]
end

-- The place that a message begins with, or the innermost of the traceback that is in the test's file,
-- or else the test.
local function place_of(test)
  local path, number = test.message:match("^([^\n]-):(%d+):")
  if path and source_line(path, tonumber(number)) then return path, tonumber(number) end
  for line in (test.traceback or ""):gmatch("\t([^\n]*)") do
    path, number = line:match("^([^\n]-):(%d+):")
    if path == test.file and source_line(path, tonumber(number)) then return path, tonumber(number) end
  end
  return test.file, test.line
end

local function seed_text(test)
  return test.seed and ("seed %d: --seed=%d runs it again like this"):format(test.seed, test.seed)
end

-- failure(test) -> lines: message, source line, traceback, seed, what it has printed
function text.failure(test)
  local lines = {}
  local function add(block)
    for line in (block or ""):gmatch("[^\n]+") do lines[#lines + 1] = line end
  end
  add(test.message)
  local path, number = place_of(test)
  local source = path and source_line(path, number)
  if source then
    if not test.message:find(path, 1, true) then add(("at %s:%d"):format(path, number)) end
    add(("%6d | %s"):format(number, source))
  end
  add(test.traceback)
  add(seed_text(test))
  if test.output then
    add("it has printed:")
    add((test.output:gsub("([^\n]+)", "  %1")))
  end
  return lines
end

-- "(3 ms)"
function text.duration(seconds)
  if seconds >= 1 then return ("(%.2f s)"):format(seconds) end
  return ("(%.0f ms)"):format(seconds * 1e3)
end

return text
