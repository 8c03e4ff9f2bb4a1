-- SPDX-License-Identifier: MIT
-- The report in JUnit's XML, as both Jenkins' and Ant's schema have it: a test suite for each file.

local text = require "rt.test.text"

local Junit = {}
Junit.__index = Junit

local entities = {["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;", ['"'] = "&quot;", ["\n"] = "&#10;", ["\t"] = "&#9;"}

-- The length of the UTF-8 character at position, if it is one that XML may have, or nil.
local function character(words, position)
  local byte = words:byte(position)
  if byte < 0x80 then return (byte >= 0x20 or byte == 9 or byte == 10) and byte ~= 0x7f and 1 or nil end
  local size = byte >= 0xc2 and byte <= 0xdf and 2 or byte >= 0xe0 and byte <= 0xef and 3 or byte >= 0xf0 and byte <= 0xf4 and 4
  if not size or not words:find("^" .. ("[\128-\191]"):rep(size - 1), position + 1) then return nil end
  local second = words:byte(position + 1)
  local overlong = byte == 0xe0 and second < 0xa0 or byte == 0xf0 and second < 0x90
  local outside = byte == 0xed and second >= 0xa0 or byte == 0xf4 and second >= 0x90
  local nonchar = byte == 0xef and second == 0xbf and words:byte(position + 2) >= 0xbe
  return not (overlong or outside or nonchar) and size or nil
end

local function valid(words)
  if not words:find("[^\9\10\32-\126]") then return words end
  local parts, position = {}, 1
  while position <= #words do
    local size = character(words, position)
    parts[#parts + 1] = size and words:sub(position, position + size - 1) or "?"
    position = position + (size or 1)
  end
  return table.concat(parts)
end

local function escape(words)
  return (valid(words):gsub('[&<>"\n\t]', entities))
end

local function content(lines)
  return (valid(table.concat(lines, "\n")):gsub("[&<>]", entities))
end

local function first_line(message)
  return escape(message:match("^[^\n]*"))
end

local function case(file, name, seconds, inner)
  local tag = ('    <testcase name="%s" classname="%s" time="%.3f"'):format(escape(name), escape(file.path), seconds)
  if not inner then return tag .. "/>" end
  return tag .. ">" .. inner .. "</testcase>"
end

local function problem(element, message, kind, lines)
  return ('<%s message="%s" type="%s">%s</%s>'):format(element, first_line(message), kind, content(lines), element)
end

local function test_case(file, test)
  local inner
  if test.status == "fail" then
    inner = problem("failure", test.message, test.message:match("^(%a+): ") or "failure", text.failure(test))
  elseif test.status == "skip" then
    inner = ('<skipped message="%s"/>'):format(escape(test.message))
  end
  return case(file, test.name, test.seconds, inner)
end

local function count(file, status)
  local number = 0
  for _, test in ipairs(file.tests) do
    if test.status == status then number = number + 1 end
  end
  return number
end

function Junit:file(file)
  local tests, errors = #file.tests, file.error and 1 or 0
  self:add('  <testsuite name="%s" package="" id="%d" timestamp="%s" hostname="localhost" tests="%d" failures="%d" ' ..
    'errors="%d" skipped="%d" time="%.3f">', escape(file.path), self.suites, os.date("!%Y-%m-%dT%H:%M:%S"), tests + errors,
    count(file, "fail"), errors, count(file, "skip"), file.seconds or 0)
  self.suites = self.suites + 1
  self:add("    <properties/>")
  for _, test in ipairs(file.tests) do self:add("%s", test_case(file, test)) end
  if file.error then
    local inner = problem("error", file.error, "error", {file.error, file.output})
    self:add("%s", case(file, file.path, 0, inner))
  end
  self:add("    <system-out/>\n    <system-err/>\n  </testsuite>")
end

function Junit:add(format, ...)
  self.lines[#self.lines + 1] = format:format(...)
end

function Junit:progress() end

function Junit:interrupted(running)
  for _, file in ipairs(running) do
    local name = file.running and file.running.name or "(loading)"
    io.stderr:write(("interrupted while running %s: %s\n"):format(file.path, name))
  end
end

function Junit:finish(counts)
  print('<?xml version="1.0" encoding="UTF-8"?>\n<testsuites>\n' .. table.concat(self.lines, "\n") .. "\n</testsuites>")
  io.stdout:flush()
  io.stderr:write(text.summary(counts), "\n")
end

return function()
  return setmetatable({lines = {}, suites = 0}, Junit)
end
