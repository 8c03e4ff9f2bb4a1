-- SPDX-License-Identifier: MIT
-- Values as text, deep equality, and in what two values differ.

local diff = {}

local LINES = 20 -- differences that are listed
local WIDTH = 72 -- of a table that is shown in one line

-- ---- Keys, in an order of their own ----

local ranks = {number = 1, string = 2, boolean = 3}

local function before(a, b)
  local rank_a, rank_b = ranks[type(a)] or 4, ranks[type(b)] or 4
  if rank_a ~= rank_b then return rank_a < rank_b end
  if rank_a <= 2 then return a < b end
  return tostring(a) < tostring(b)
end

local function sorted_keys(...)
  local seen, keys = {}, {}
  for i = 1, select("#", ...) do
    for key in next, (select(i, ...)) do
      if not seen[key] then
        seen[key] = true
        keys[#keys + 1] = key
      end
    end
  end
  table.sort(keys, before)
  return keys
end

-- ---- Values as text ----

local function quote(text)
  return '"' .. text:gsub('[%c"\\\127]', function(char)
    local names = {["\n"] = "\\n", ["\t"] = "\\t", ["\r"] = "\\r", ['"'] = '\\"', ["\\"] = "\\\\"}
    return names[char] or ("\\%03d"):format(char:byte())
  end) .. '"'
end

local function number_text(number)
  local text = ("%.14g"):format(number)
  return tonumber(text) == number and text or ("%.17g"):format(number)
end

local function has_tostring(value)
  local meta = debug.getmetatable(value)
  return type(meta) == "table" and rawget(meta, "__tostring") ~= nil
end

local show

local function show_key(key)
  if type(key) == "string" and key:find("^[%a_][%w_]*$") then return key end
  return "[" .. show(key, {}, "") .. "]"
end

local function show_table(value, inside, indent)
  if inside[value] then return "<cycle>" end
  inside[value] = true
  local parts, length, deeper = {}, 0, indent .. "  "
  for _, key in ipairs(sorted_keys(value)) do
    local text = show(rawget(value, key), inside, deeper)
    if key ~= #parts + 1 then text = show_key(key) .. " = " .. text end
    parts[#parts + 1] = text
    length = length + #text + 2
  end
  inside[value] = nil
  if length <= WIDTH then return "{" .. table.concat(parts, ", ") .. "}" end
  return "{\n" .. deeper .. table.concat(parts, ",\n" .. deeper) .. "\n" .. indent .. "}"
end

function show(value, inside, indent)
  if type(value) == "string" then return quote(value) end
  if type(value) == "number" then return number_text(value) end
  if type(value) == "table" and not has_tostring(value) then return show_table(value, inside, indent) end
  local ok, text = pcall(tostring, value)
  return ok and text or ("<%s>"):format(type(value))
end

-- show(value) -> its text: strings quoted, tables with their fields in a fixed order
function diff.show(value)
  return show(value, {}, "")
end

-- ---- Equality ----

local function equal(a, b, compared)
  if a == b or (a ~= a and b ~= b) then return true end
  if type(a) ~= "table" or type(b) ~= "table" then return false end
  if compared[a] and compared[a][b] then return true end
  compared[a] = compared[a] or {}
  compared[a][b] = true
  for key, value in next, a do
    if not equal(value, rawget(b, key), compared) then return false end
  end
  for key in next, b do
    if rawget(a, key) == nil then return false end
  end
  return true
end

-- equal(a, b) -> whether they are equal, tables field by field; NaN equals NaN
function diff.equal(a, b)
  return equal(a, b, {})
end

-- ---- Differences ----

local function path_to(path, key)
  if type(key) == "string" and key:find("^[%a_][%w_]*$") then return path .. "." .. key end
  return path .. "[" .. show(key, {}, "") .. "]"
end

local function first_lines(a, b)
  local rest_a, rest_b, number = a .. "\n", b .. "\n", 0
  while true do
    number = number + 1
    local line_a, next_a = rest_a:match("^([^\n]*)\n()")
    local line_b, next_b = rest_b:match("^([^\n]*)\n()")
    if line_a ~= line_b then return number, line_a, line_b end
    if not line_a then return nil end
    rest_a, rest_b = rest_a:sub(next_a), rest_b:sub(next_b)
  end
end

local function describe_strings(path, actual, expected)
  local number, got, wanted = first_lines(actual, expected)
  local function line(text) return text and quote(text) or "the end" end
  return ("%s: line %d: expected %s\n%sgot %s"):format(path, number, line(wanted),
    (" "):rep(#path + #tostring(number) + 14), line(got))
end

local collect

local function describe(path, actual, expected)
  if actual == nil then return ("%s: missing, expected %s"):format(path, diff.show(expected)) end
  if expected == nil then return ("%s: not expected, got %s"):format(path, diff.show(actual)) end
  if type(actual) == "string" and type(expected) == "string" and (actual .. expected):find("\n", 1, true) then
    return describe_strings(path, actual, expected)
  end
  return ("%s: expected %s, got %s"):format(path, diff.show(expected), diff.show(actual))
end

function collect(path, actual, expected, list, inside)
  if equal(actual, expected, {}) then return end
  if type(actual) ~= "table" or type(expected) ~= "table" or inside[actual] then
    list[#list + 1] = describe(path, actual, expected)
    return
  end
  inside[actual] = true
  for _, key in ipairs(sorted_keys(actual, expected)) do
    collect(path_to(path, key), rawget(actual, key), rawget(expected, key), list, inside)
  end
  inside[actual] = nil
end

-- differences(actual, expected) -> a text that says in what they differ, a line for each place
function diff.differences(actual, expected)
  if type(actual) ~= "table" or type(expected) ~= "table" then
    return (describe("", actual, expected):gsub("^: ", ""))
  end
  local list = {}
  collect("", actual, expected, list, {})
  local count = #list
  for i = count, LINES + 1, -1 do list[i] = nil end
  if count > LINES then list[#list + 1] = ("and %d more"):format(count - LINES) end
  return "the tables differ:\n  " .. table.concat(list, "\n  ")
end

return diff
