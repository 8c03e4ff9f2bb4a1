-- SPDX-License-Identifier: MIT
-- What the command and its workers tell each other: flat tables of strings, numbers and booleans,
-- each as one line.

local wire = {}

local escapes = {["\\"] = "\\\\", ["\n"] = "\\n", ["\t"] = "\\t", ["\0"] = "\\0"}
local plain = {["\\"] = "\\", n = "\n", t = "\t", ["0"] = "\0"}

-- encode(message) -> its line, without the line's end
function wire.encode(message)
  local fields = {}
  for key, value in pairs(message) do
    local text = type(value) == "number" and ("%.17g"):format(value) or tostring(value)
    fields[#fields + 1] = key .. "\t" .. type(value):sub(1, 1) .. text:gsub("[\\\n\t%z]", escapes)
  end
  return table.concat(fields, "\t")
end

local function value_of(kind, text)
  if kind == "n" then return tonumber(text) end
  if kind == "b" then return text == "true" end
  return (text:gsub("\\(.)", plain))
end

-- decode(line) -> the message; of a line that is none, what can be read
function wire.decode(line)
  local message = {}
  for key, kind, text in line:gmatch("([^\t]+)\t([snb])([^\t]*)") do message[key] = value_of(kind, text) end
  return message
end

return wire
