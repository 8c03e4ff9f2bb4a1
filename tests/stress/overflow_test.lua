-- SPDX-License-Identifier: MIT
-- Endless recursion in a task: a Lua error, or an end of the process that says which task it was.

local rt = require "rt"
local soak = require "soak"

local function shell(command)
  local pipe = io.popen(command .. " 2>&1; echo $?")
  local text = pipe:read("*a")
  pipe:close()
  local output, status = text:match("^(.-)(%d+)\n$")
  return tonumber(status), output
end

local path = require("folder")() .. "/overflow.lua"

-- Runs code in a process of its own: its status and what it prints.
local function child(code)
  local file = assert(io.open(path, "w"))
  file:write(code)
  file:close()
  return shell(("ulimit -c 0; %s '%s' %s '%s'"):format(os.getenv("RTLUA_WRAPPER") or "",
    os.getenv("RTLUA") or "rtlua", jit.status() and "-jon" or "-joff", path))
end

-- Errors as in a task of its own: the message, and that the VM goes on as before.
local function overflows(t, fn)
  for _ = 1, 3 do
    local ok, err = rt.spawn(fn):join()
    t:equal(ok, false)
    err = tostring(err)
    t:ok(err:find("stack overflow", 1, true) or err:find("error in error handling", 1, true), err:sub(1, 200))
    t:equal(rt.spawn(function()
      rt.yield()
      return "fine"
    end):await(), "fine")
  end
end

rt.test("recursion", function(t)
  local function recurse(n) return 1 + recurse(n + 1) end
  overflows(t, function() recurse(0) end)
end)

rt.test("recursion that waits", function(t)
  local function recurse(n)
    if n % 1000 == 0 then rt.yield() end
    return 1 + recurse(n + 1)
  end
  overflows(t, function() recurse(0) end)
end)

rt.test("recursion through a metamethod", function(t)
  local meta = {}
  meta.__index = function(self, key) return self[key + 1] + 1 end
  overflows(t, function() return setmetatable({}, meta)[1] end)
end)

rt.test("recursion through pcall", function(t)
  local function recurse()
    local ok, err = pcall(recurse)
    if not ok then error(err, 0) end
    return ok
  end
  overflows(t, function() recurse() end)
end)

rt.test("a caught overflow leaves the task as it was", function(t)
  local function recurse(n) return 1 + recurse(n + 1) end
  local task = rt.spawn(function()
    for _ = 1, 5 do
      local ok, err = pcall(recurse, 0)
      if ok or not err:find("stack overflow", 1, true) then error("no overflow") end
      rt.yield()
    end
    return "fine"
  end)
  t:equal(task:await(), "fine")
end)

-- Through C: how deep depends on the C stack. Each spawns the function on line 2.
local through_c = {
  gsub = "local function recurse() return (('x'):gsub('x', recurse)) end",
  sort = "local function recurse() table.sort({2, 1}, recurse) end",
  ["gsub that waits"] = "local n = 0 local function recurse() " ..
    "n = n + 1 if n % 500 == 0 then require('rt').yield() end return (('x'):gsub('x', recurse)) end",
  ["load reader"] = "local function recurse() load(recurse) end",
  tostring = "local function recurse() " ..
    "return tostring(setmetatable({}, {__tostring = recurse})) .. '' end",
  ["coroutine.wrap"] = "local function recurse() return coroutine.wrap(recurse)() end",
  ["coroutine.wrap that waits"] = "local n = 0 local function recurse() " ..
    "n = n + 1 if n % 500 == 0 then require('rt').yield() end return coroutine.wrap(recurse)() end",
  ["coroutine.resume"] = "local function recurse() local ok, err = coroutine.resume(coroutine.create(recurse)) " ..
    "if not ok then error(err, 0) end end",
  ["coroutine in gsub"] = "local function recurse() return (('x'):gsub('x', coroutine.wrap(recurse))) end",
}
local kept = "ended by itself"
for name, recurse in pairs(through_c) do
  rt.test("recursion through " .. name, function(t)
    local status, output = child(recurse .. "\n" .. [[
local task = require("rt").spawn(recurse)
local ok, err = task:join()
print(ok, (tostring(err):gsub("\n.*", "")))
print(require("rt").spawn(function() require("rt").yield() return "]] .. kept .. [[" end):await())
]])
    if output:find(kept, 1, true) then
      t:equal(status, 0)
      -- What a coroutine gives back of its own error may be anything that Lua says then.
      t:ok(("\n" .. output):find("\n[ft][ar][lu]s?e\t"), output)
      return
    end
    if soak.slow and output:find("stack-overflow", 1, true) then return end
    t:ok(status ~= 0, output)
    t:ok(output:find("stack overflow in task", 1, true), output)
    t:ok(output:find(path:match("[^/]+$") .. ":2", 1, true), "no spawn site: " .. output)
    t:ok(output:find("\n\t[^\n]*" .. path:match("[^/]+$"):gsub("%p", "%%%0") .. ":1"), "no traceback: " .. output)
  end)
end
