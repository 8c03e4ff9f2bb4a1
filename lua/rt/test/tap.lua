-- SPDX-License-Identifier: MIT
-- The report in the Test Anything Protocol, version 13 (https://testanything.org).

local text = require "rt.test.text"

local Tap = {}
Tap.__index = Tap

local function escape(words)
  return (words:gsub("[#\\]", "\\%0"):gsub("%c", " "))
end

function Tap:point(ok, name, directive)
  self.count = self.count + 1
  print(("%s %d - %s%s"):format(ok and "ok" or "not ok", self.count, escape(name), directive or ""))
end

-- A YAML block: everything as one literal, which needs no escapes.
local function diagnose(lines)
  print("  ---\n  message: |")
  for line in table.concat(lines, "\n"):gmatch("[^\n]+") do print("    " .. line:gsub("[%z\1-\8\11-\31\127]", "?")) end
  print("  ...")
end

function Tap:test(file, test)
  local skipped = test.status == "skip"
  local directive = skipped and (" # SKIP " .. escape(test.message)):gsub(" $", "") or nil
  self:point(test.status ~= "fail", file.path .. ": " .. test.name, directive)
  if test.status == "fail" then diagnose(text.failure(test)) end
end

function Tap:file(file)
  for _, test in ipairs(file.tests) do self:test(file, test) end
  if not file.error then return end
  self:point(false, file.path)
  diagnose({file.error, file.output})
end

function Tap:progress() end

function Tap:interrupted(running)
  for _, file in ipairs(running) do
    print(("# running: %s: %s"):format(file.path, file.running and file.running.name or "(loading)"))
  end
  print("Bail out! interrupted")
  self.bailed = true
end

function Tap:finish(counts)
  if not self.bailed then print("1.." .. self.count) end
  print(text.summary(counts))
end

return function()
  print("TAP version 13")
  return setmetatable({count = 0}, Tap)
end
