-- SPDX-License-Identifier: MIT
-- For await_test: the places where Lua calls Lua. Each is fn(wait, x) -> a number that depends on x
-- and on what the waits gave.

local ways = require "await_ways"

local hot = ways.hot

local places, names = {}, {}
local function place(name, fn)
  places[name] = fn
  names[#names + 1] = name
end

place("plain", function(wait, x) return wait(x) + hot(x) end)

place("pcall", function(wait, x)
  local ok, y = pcall(wait, x)
  return ok and y + hot(x) or y
end)

place("pcall of pcall", function(wait, x)
  local ok, same, y = pcall(pcall, wait, x)
  return ok and same and y or y
end)

place("pcall of an error", function(wait, x)
  local ok, err = pcall(function()
    local y = wait(x)
    error({y + hot(y)})
  end)
  assert(not ok)
  return type(err) == "table" and err[1] or err
end)

place("xpcall", function(wait, x)
  local ok, y = xpcall(function() return wait(x) + hot(x) end, function(err) return err end)
  return ok and y or y
end)

place("message handler", function(wait, x)
  local ok, y = xpcall(function() error(x, 0) end, function(err) return wait(err) + 1 end)
  assert(not ok)
  return y
end)

place("message handler after a wait", function(wait, x)
  local ok, y = xpcall(function()
    wait(x)
    local nothing
    return nothing.field
  end, function(err)
    local text = debug.traceback(tostring(err))
    return wait(x) + (text:find("await_places", 1, true) and 1 or 0)
  end)
  assert(not ok)
  return y
end)

-- Metamethods: of tables and of userdata.

place("__index", function(wait, x)
  local t = setmetatable({}, {__index = function(_, key) return wait(key) end})
  return t[x] + t[x + 1]
end)

place("__index of __index", function(wait, x)
  local inner = setmetatable({}, {__index = function(_, key) return wait(key) end})
  local t = setmetatable({}, {__index = inner})
  return t[x] + 1
end)

place("__newindex", function(wait, x)
  local got = 0
  local t = setmetatable({}, {__newindex = function(t, key, value) rawset(t, key, wait(value)) got = got + 1 end})
  t.a = x
  t[1] = x + 1
  return t.a + t[1] + got
end)

place("__call", function(wait, x)
  local t = setmetatable({}, {__call = function(_, a, b) return wait(a) + b end})
  local ok, y = pcall(t, x, 1)
  return t(x, 2) + (ok and y or 0)
end)

local arithmetic = {
  __add = function(a, b) return a + b end,
  __sub = function(a, b) return a - b end,
  __mul = function(a, b) return a * b end,
  __div = function(a, b) return a / b end,
  __mod = function(a, b) return a % b end,
  __pow = function(a, b) return a ^ b end,
  __unm = function(a) return -a end,
}
for name, operate in pairs(arithmetic) do
  place(name, function(wait, x)
    local meta = {[name] = function(a, b)
      a = type(a) == "table" and a.x or a
      b = type(b) == "table" and b.x or b
      return wait(operate(a, b) % 1000)
    end}
    local t = setmetatable({x = x % 10 + 1}, meta)
    local other = setmetatable({x = 2}, meta)
    return operate(t, other) + operate(t, 2) + (name == "__unm" and 0 or operate(3, other))
  end)
end

place("__concat", function(wait, x)
  local meta = {}
  meta.__concat = function(a, b)
    local left = type(a) == "table" and a.x or a
    local right = type(b) == "table" and b.x or b
    wait(x)
    return setmetatable({x = left .. right}, meta)
  end
  local t = setmetatable({x = "7"}, meta)
  return tonumber(("1" .. t .. "2" .. t .. "3").x) + x
end)

place("__eq", function(wait, x)
  local meta = {__eq = function(a, b) return wait(a.x) == wait(b.x) end}
  local a, b, c = setmetatable({x = x}, meta), setmetatable({x = x}, meta), setmetatable({x = x + 1}, meta)
  return (a == b and 1 or 0) + (a ~= c and 2 or 0) + (b == c and 4 or 0) + x
end)

place("__lt", function(wait, x)
  local meta = {__lt = function(a, b) return wait(a.x) < wait(b.x) end}
  local a, b = setmetatable({x = x}, meta), setmetatable({x = x + 1}, meta)
  return (a < b and 1 or 0) + (b > a and 2 or 0) + (a > b and 4 or 0) + (a <= b and 8 or 0) + x
end)

place("__le", function(wait, x)
  local meta = {__le = function(a, b) return wait(a.x) <= wait(b.x) end}
  local a, b = setmetatable({x = x}, meta), setmetatable({x = x + 1}, meta)
  return (a <= b and 1 or 0) + (b >= a and 2 or 0) + (b <= a and 4 or 0) + x
end)

place("__len and others of a userdata", function(wait, x)
  local u = newproxy(true)
  local meta = getmetatable(u)
  meta.__len = function() return wait(x) end
  meta.__index = function(_, key) return wait(key) end
  meta.__call = function(_, y) return wait(y) end
  meta.__unm = function() return wait(-x) end
  return #u + u[x] + u(x) + -u
end)

place("__tostring", function(wait, x)
  local t = setmetatable({}, {__tostring = function() return ("%.0f"):format(wait(x)) end})
  return tonumber(tostring(t)) + tonumber((("%s"):format(t)))
end)

-- Callbacks of the library.

place("iterator", function(wait, x)
  local sum = 0
  local function step(limit, i)
    if i < limit then return i + 1, wait(x) end
  end
  for i, y in step, 3, 0 do sum = sum + i * y end
  return sum
end)

place("iterator as a table", function(wait, x)
  local sum, left = 0, 3
  for y in setmetatable({}, {__call = function()
    left = left - 1
    if left >= 0 then return wait(x + left) end
  end}) do sum = sum + y end
  return sum
end)

place("body of pairs", function(wait, x)
  local sum = 0
  for key, value in pairs({1, 2, a = 3}) do sum = sum + wait(x + value) + (key == "a" and 10 or 0) end
  for i, value in ipairs({4, 5}) do sum = sum + wait(i) * value end
  return sum
end)

place("table.foreach", function(wait, x)
  local sum = 0
  table.foreach({a = 1, b = 2}, function(_, value) sum = sum + wait(x + value) end)
  table.foreachi({3, 4}, function(i, value) sum = sum + wait(i * value) end)
  return sum
end)

place("gsub", function(wait, x)
  local text = ("1 2 3"):gsub("%d", function(digit) return ("%.0f"):format(wait(x + digit)) end)
  local total = 0
  for number in text:gmatch("%d+") do total = total + tonumber(number) end
  return total
end)

place("gsub with a table", function(wait, x)
  local text = ("a b"):gsub("%a", setmetatable({}, {__index = function(_, letter)
    return ("%.0f"):format(wait(x) + letter:byte())
  end}))
  local a, b = text:match("(%d+) (%d+)")
  return a * 3 + b
end)

place("sort", function(wait, x)
  local list = {}
  for i = 1, 6 do list[i] = (i * x) % 7 end
  table.sort(list, function(a, b) return wait(a) < wait(b) end)
  local sum = 0
  for i = 1, #list do sum = sum * 10 + list[i] end
  return sum + x
end)

place("sort by __lt", function(wait, x)
  local meta = {__lt = function(a, b) return wait(a.x) < b.x end}
  local list = {}
  for i = 1, 5 do list[i] = setmetatable({x = (i * x) % 7}, meta) end
  table.sort(list)
  local sum = 0
  for i = 1, #list do sum = sum * 10 + list[i].x end
  return sum + x
end)

place("load reader", function(wait, x)
  local parts = {"return ", "", "1 + "}
  parts[2] = ("%.0f * "):format(x)
  parts[4] = "2"
  local i = 0
  local fn, err = load(function()
    i = i + 1
    wait(i)
    return parts[i]
  end)
  if not fn then error(err, 0) end
  return fn() + x
end)

local folder = require("folder")()
place("dofile", function(wait, x)
  AWAIT_WAIT = AWAIT_WAIT or {} -- luacheck: ignore
  AWAIT_WAIT[#AWAIT_WAIT + 1] = {wait, x} -- luacheck: ignore
  return dofile(folder .. "/chunk.lua")
end)

place("loadfile", function(wait, x) return assert(loadfile(folder .. "/values.lua"))(wait, x) end)

local modules = 0
place("require", function(wait, x)
  modules = modules + 1
  local name = "await.module" .. modules
  package.preload[name] = function() return {wait(x) + hot(x)} end
  local ok, module = pcall(require, name)
  package.preload[name], package.loaded[name] = nil, nil
  if not ok then error(module, 0) end
  return module[1]
end)

-- Coroutines of the user's.

place("coroutine.wrap", function(wait, x)
  local next_value = coroutine.wrap(function(a)
    for _ = 1, 3 do a = coroutine.yield(wait(a) + hot(a)) end
    return wait(a)
  end)
  local sum = next_value(x)
  sum = sum + next_value(x + 1) + next_value(wait(x))
  return sum + next_value(5)
end)

place("coroutine.resume", function(wait, x)
  local co = coroutine.create(function(a, b)
    local c, d = coroutine.yield(wait(a), b)
    wait(c)
    return c + d, 1
  end)
  local ok, y, z = coroutine.resume(co, x, 2)
  if not ok then error(y, 0) end
  assert(coroutine.status(co) == "suspended")
  wait(x)
  local fine, sum, one = coroutine.resume(co, y, z)
  if not fine then error(sum, 0) end
  assert(coroutine.status(co) == "dead")
  return sum + one
end)

place("nested coroutines", function(wait, x)
  local function nest(depth)
    if depth == 0 then return wait(x) end
    local inner = coroutine.wrap(function()
      coroutine.yield(wait(depth))
      return nest(depth - 1) + wait(depth)
    end)
    return inner() + inner()
  end
  return nest(4)
end)

place("coroutine in sort in coroutine", function(wait, x)
  return coroutine.wrap(function()
    local list = {3, 1, 2}
    table.sort(list, function(a, b)
      local compare = coroutine.wrap(function()
        coroutine.yield(wait(a))
        return wait(a) < wait(b)
      end)
      compare()
      return compare()
    end)
    return list[1] * 100 + list[2] * 10 + list[3] + wait(x)
  end)()
end)

place("xpcall in coroutine in gsub", function(wait, x)
  local total = 0
  local text = ("ab"):gsub(".", function(letter)
    local co = coroutine.wrap(function()
      local ok, y = xpcall(function()
        coroutine.yield(wait(1))
        if letter == "b" then error({wait(x)}) end
        return wait(x)
      end, function(err) return err end)
      if ok then return y end
      if type(y) ~= "table" or y[1] == nil then error(y, 0) end
      return y[1]
    end)
    total = total + co() + co()
    return letter:upper()
  end)
  return total + (text == "AB" and 1 or 0)
end)

place("pcall in coroutine", function(wait, x)
  local co = coroutine.wrap(function()
    local ok, y = pcall(function()
      coroutine.yield(wait(x))
      return wait(x) + hot(x)
    end)
    if not ok then error(y, 0) end
    return y
  end)
  return co() + co()
end)

place("traceback", function(wait, x)
  local y = wait(x)
  local text = debug.traceback("here")
  local co = coroutine.create(function() coroutine.yield(wait(x)) end)
  local ok, z = coroutine.resume(co)
  if not ok then error(z, 0) end
  return y + z + (text:find("^here\nstack traceback:\n") and 1 or 0) +
    (debug.traceback(co):find("await_places", 1, true) and 1 or 0)
end)

place("varargs and tail calls", function(wait, x)
  local function tail(n, ...)
    if n == 0 then return select("#", ...), ... end
    return tail(n - 1, wait(n), ...)
  end
  local count, first = tail(5, x, nil)
  return count + first + select(2, pcall(tail, 3, x))
end)

place("upvalues", function(wait, x)
  local n = 0
  local function bump()
    n = n + 1
    return wait(n)
  end
  local sum = 0
  for _ = 1, 4 do sum = sum + bump() * n end
  return sum + x
end)

place("closures of a loop", function(wait, x)
  local list = {}
  for i = 1, 4 do list[i] = function() return wait(i) + x end end
  local sum = 0
  for i = 1, #list do sum = sum + list[i]() end
  return sum
end)

-- The function is taken before the first wait: other tasks run the file as well.
ways.write(folder .. "/chunk.lua",
  "local mine = table.remove(AWAIT_WAIT)\nlocal wait, x = mine[1], mine[2]\nreturn wait(x) * 2\n")
ways.write(folder .. "/values.lua", "local wait, x = ...\nlocal y = wait(x)\nreturn y + wait(y)\n")

return {names = names, places = places}
