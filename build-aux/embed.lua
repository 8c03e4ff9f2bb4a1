-- SPDX-License-Identifier: MIT
-- Compiles Lua files to bytecode and writes it as C arrays:
--   luajit embed.lua OUTPUT.c ROOT FILE...
-- FILE is relative to ROOT and stands below lua/: lua/rt/net.lua becomes module "rt.net", and
-- tracebacks show it as rt/net.lua. Debug information stays. The same input gives the same output.

-- Reads a dump of string.dump() field by field; the format is that of LuaJIT's lj_bcdump.h, version 2.
local Reader = {}
Reader.__index = Reader

function Reader.skip(self, count)
  self.pos = self.pos + count
end

function Reader.byte(self)
  self:skip(1)
  return self.dump:byte(self.pos - 1)
end

function Reader.uleb(self)
  local value, scale = 0, 1
  while true do
    local byte = self:byte()
    value = value + byte % 128 * scale
    if byte < 128 then return value end
    scale = scale * 128
  end
end

-- A key or a value of a constant table.
function Reader.skip_item(self)
  local kind = self:uleb()
  if kind >= 5 then self:skip(kind - 5) -- a string
  elseif kind == 4 then self:uleb() self:uleb() -- a number, in two words
  elseif kind == 3 then self:uleb() -- an integer
  end
end

-- LuaJIT dumps the hash part of a constant table in the order of its memory, which differs from
-- run to run. Sorts the entries; the dump keeps its length.
function Reader.sort_table(self)
  local array, hash = self:uleb(), self:uleb()
  for _ = 1, array do self:skip_item() end
  local first, entries = self.pos, {}
  for i = 1, hash do
    local start = self.pos
    self:skip_item()
    self:skip_item()
    entries[i] = self.dump:sub(start, self.pos - 1)
  end
  table.sort(entries)
  self.dump = self.dump:sub(1, first - 1) .. table.concat(entries) .. self.dump:sub(self.pos)
end

function Reader.sort_constant(self)
  local kind = self:uleb()
  if kind >= 5 then self:skip(kind - 5) -- a string
  elseif kind == 1 then self:sort_table()
  elseif kind > 0 then -- a 64 bit integer or a complex number, in words of 32
    for _ = 1, kind == 4 and 4 or 2 do self:uleb() end
  end
end

function Reader.sort_prototype(self, length)
  local next_one = self.pos + length
  self:skip(3) -- flags, parameters, frame size
  local upvalues, constants = self:byte(), self:uleb()
  self:uleb() -- numbers
  local instructions = self:uleb()
  if self:uleb() > 0 then self:uleb() self:uleb() end -- debug information, first line, lines
  self:skip(4 * instructions + 2 * upvalues)
  for _ = 1, constants do self:sort_constant() end
  self.pos = next_one
end

local function sort_constant_tables(dump)
  local reader = setmetatable({dump = dump, pos = 5}, Reader)
  assert(dump:sub(1, 4) == "\27LJ\2", "bytecode of a version that embed.lua does not know")
  reader:uleb() -- flags
  local name = reader:uleb()
  reader:skip(name)
  while true do
    local length = reader:uleb()
    if length == 0 then return reader.dump end
    reader:sort_prototype(length)
  end
end

local function compile(root, file)
  local input = assert(io.open(root .. "/" .. file, "rb"))
  local source = input:read("*a")
  input:close()
  local chunk, message = loadstring(source, "=" .. file:gsub("^lua/", ""))
  if not chunk then error(message:gsub("^rt", "lua/rt"), 0) end
  return sort_constant_tables(string.dump(chunk))
end

local function write_array(out, index, code)
  out:write(("\nstatic const unsigned char code_%d[] = {\n"):format(index))
  for start = 1, #code, 16 do
    out:write("\t", table.concat({code:byte(start, start + 15)}, ","), ",\n")
  end
  out:write("};\n")
end

local function write(out, root, files)
  local entries = {}
  out:write("/* SPDX-License-Identifier: MIT */\n/* Made by build-aux/embed.lua. */\n#include \"lua/embed.h\"\n")
  for index, file in ipairs(files) do
    local module = file:match("^lua/(.+)%.lua$"):gsub("/", ".")
    write_array(out, index, compile(root, file))
    entries[index] = ("\t{\"%s\", code_%d, sizeof code_%d},\n"):format(module, index, index)
  end
  out:write("\nconst struct embedded_module embedded_modules[] = {\n", table.concat(entries), "\t{NULL, NULL, 0},\n};\n")
end

local function main(output, root, ...)
  local out = assert(io.open(output .. ".tmp", "w"))
  write(out, root, {...})
  assert(out:close())
  assert(os.rename(output .. ".tmp", output))
end

local ok, message = pcall(main, ...)
if not ok then
  io.stderr:write("embed.lua: ", message, "\n")
  os.exit(1)
end
