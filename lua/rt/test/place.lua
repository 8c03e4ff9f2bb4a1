-- SPDX-License-Identifier: MIT
-- Places in the user's code, as opposed to the library's.

local place = {}

local folder = os.getenv("RT_LUA_DIR")

-- Whether a chunk of that source is of the library: linked in, or loaded from RT_LUA_DIR.
function place.is_ours(source)
  return source:find("=rt", 1, true) == 1 or (folder ~= nil and source:find("@" .. folder, 1, true) == 1)
end

-- here() -> "file:line", file, line of the innermost code that is not of the library
function place.here()
  local level = 2
  while true do
    local info = debug.getinfo(level, "Sl")
    if not info then return "?" end
    if info.what ~= "C" and info.currentline > 0 and not place.is_ours(info.source) then
      return ("%s:%d"):format(info.short_src, info.currentline), info.source:match("^@(.*)") or info.short_src,
        info.currentline
    end
    level = level + 1
  end
end

local function is_runner(line)
  return line:find("^\t%S*rt/test/[%w_]+%.lua:%d+:") ~= nil
end

-- clean(message) -> the same without the runner's frames in tracebacks that are part of it
function place.clean(message)
  return (message:gsub("\n(\t[^\n]*)", function(line) return is_runner(line) and "" or nil end))
end

-- trim(traceback) -> the same without the runner's own frames at either end
function place.trim(traceback)
  local lines, first, last = {}, nil, 0
  for line in traceback:gmatch("[^\n]+") do
    lines[#lines + 1] = line
    if line:find("^\t") and not is_runner(line) and not line:find("^\t%[C%]:") then
      first, last = first or #lines, #lines
    end
  end
  local kept = {lines[1]}
  for i = first or 1, last do
    if not is_runner(lines[i]) then kept[#kept + 1] = lines[i] end
  end
  return #kept > 1 and table.concat(kept, "\n") or nil
end

return place
