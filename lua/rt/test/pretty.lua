-- SPDX-License-Identifier: MIT
-- The report for people. Colours and the line that shows what is running: on a terminal only.

local core = require "rt.core"
local rt = require "rt"
local text = require "rt.test.text"

local Pretty = {}
Pretty.__index = Pretty

local CLEAR = "\r\27[K"
local RED, GREEN, YELLOW, BOLD = "31", "32", "33", "1"
local WIDTH = 78 -- of the live line

local function is_terminal()
  return core.fd_is_terminal(1) and os.getenv("TERM") ~= "dumb"
end

function Pretty:color(code, words)
  if not self.colors then return words end
  return ("\27[%sm%s\27[0m"):format(code, words)
end

function Pretty:print(line)
  if self.live then io.write(CLEAR) end
  io.write(line, "\n")
end

function Pretty:block(lines, code)
  for i, line in ipairs(lines) do self:print("        " .. (i == 1 and code and self:color(code, line) or line)) end
end

local function printed(output)
  local lines = {}
  for line in output:gmatch("[^\n]+") do lines[#lines + 1] = "| " .. line end
  return lines
end

function Pretty:test(test)
  if test.status == "fail" then
    self:print(("  %s  %s %s"):format(self:color(RED, "FAIL"), test.name, text.duration(test.seconds)))
    self:block(text.failure(test), RED)
    return
  end
  if test.status == "skip" then
    local reason = test.message ~= "" and ": " .. test.message or ""
    self:print(("  %s  %s%s"):format(self:color(YELLOW, "skip"), test.name, reason))
  else
    self:print(("  %s    %s %s"):format(self:color(GREEN, "ok"), test.name, text.duration(test.seconds)))
  end
  if self.verbose and test.output then self:block(printed(test.output)) end
end

-- file(file): one that has ended, in the order of the command line
function Pretty:file(file)
  if #file.tests == 0 and not file.error then return end
  self:print(self:color(BOLD, file.path))
  for _, test in ipairs(file.tests) do self:test(test) end
  if file.error then
    self:print(("  %s %s"):format(self:color(RED, "ERROR"), (file.error:gsub("\n", "\n        "))))
    if file.output then self:block(printed(file.output)) end
  end
  io.flush()
end

-- progress(counts, running): running is an array of files
function Pretty:progress(counts, running)
  if not self.live then return end
  local names = {}
  for _, file in ipairs(running) do names[#names + 1] = file.running and file.running.name or file.path end
  local line = ("%s; %s"):format(text.summary(counts), table.concat(names, ", ")):gsub("%c", " ")
  io.write(CLEAR, line:sub(1, WIDTH))
  io.flush()
end

-- interrupted(running): the files whose tests were running
function Pretty:interrupted(running)
  self:print(self:color(RED, "interrupted; running were:"))
  for _, file in ipairs(running) do
    local test = file.running
    local what = test and ("%s %s"):format(test.name, text.duration(rt.now() - test.since)) or "(loading)"
    self:print(("  %s: %s"):format(file.path, what))
  end
end

function Pretty:finish(counts)
  self:print(self:color(counts.fail > 0 and RED or GREEN, text.summary(counts)))
end

return function(settings)
  local terminal = is_terminal()
  local colors = terminal and (os.getenv("NO_COLOR") or "") == ""
  return setmetatable({live = terminal, colors = colors, verbose = settings.verbose}, Pretty)
end
