-- SPDX-License-Identifier: MIT
-- Values between VMs: what goes, how it arrives, and what is said of what cannot go.
local ffi = require "ffi"
local rt = require "rt"
local net = require "rt.net"

-- What comes back of the values, having been in another VM.
local function send(...)
  return rt.parallel(function(...) return ... end, ...):await()
end

rt.test("plain values", function(t)
  t:equal(send(), nil)
  t:equal(select("#", send(nil, nil)), 2)
  t:equal(select("#", send(1, nil, 3, nil)), 4)
  local a, b, c, d, e = send(true, false, nil, -0.5, "text")
  t:ok(a == true and b == false and c == nil and d == -0.5 and e == "text")
  t:equal(send(1 / 0), 1 / 0)
  t:ok(send(0 / 0) ~= send(0 / 0))
  t:equal(1 / send(-0.0), -1 / 0)
  t:equal(send("a\0b\0"), "a\0b\0")
  local long = ("x"):rep(300000)
  t:equal(send(long), long)
end)

rt.test("many values", function(t)
  local list = {}
  for i = 1, 200 do list[i] = i end
  local back = {send(unpack(list))}
  t:equal(#back, 200)
  t:equal(back[200], 200)
end)

rt.test("64-bit integers of the FFI", function(t)
  local a, b = send(2 ^ 53 + 1LL, 0xffffffffffffffffULL)
  t:ok(ffi.istype("int64_t", a) and ffi.istype("uint64_t", b))
  t:ok(a == 2 ^ 53 + 1LL and b == 0xffffffffffffffffULL)
  t:error(function() send(ffi.new("int[2]")) end, "argument #2: cdata cannot be sent")
end)

rt.test("light userdata", function(t)
  local pointer = debug.upvalueid(send, 1)
  t:equal(type(pointer), "userdata")
  t:equal(send(pointer), pointer)
end)

rt.test("tables with all kinds of keys", function(t)
  local back = send {1, 2, nil, 4, key = "value", [true] = false, [2.5] = {}, [-1] = "minus", [1e300] = 0}
  t:equal(back[1], 1)
  t:equal(back[4], 4)
  t:equal(back.key, "value")
  t:equal(back[true], false)
  t:equal(type(back[2.5]), "table")
  t:equal(back[-1], "minus")
  t:equal(back[1e300], 0)
end)

rt.test("a table is copied", function(t)
  local original = {1}
  local task = rt.parallel(function(list)
    list[1] = 2
    return list
  end, original)
  t:equal(task:await()[1], 2)
  t:equal(original[1], 1)
end)

rt.test("shared and cyclic tables stay so", function(t)
  local shared, cycle = {}, {}
  cycle.self, cycle.list = cycle, {shared, shared}
  cycle[cycle] = shared
  local back, other = send(cycle, shared)
  t:equal(back.self, back)
  t:equal(back.list[1], back.list[2])
  t:equal(back[back], back.list[1])
  t:equal(other, back.list[1])
end)

rt.test("a deep table takes no stack", function(t)
  local deep = {}
  for _ = 1, 200000 do deep = {deep} end
  local back, depth = send(deep), 0
  while back[1] do back, depth = back[1], depth + 1 end
  t:equal(depth, 200000)
end)

rt.test("functions go with their upvalues", function(t)
  local count, step = 0, {by = 2}
  local function add(n)
    count = count + n * step.by
    return count
  end
  t:equal(rt.parallel(add, 3):await(), 6)
  t:equal(rt.parallel(add, 3):await(), 6) -- copied each time
  t:equal(count, 0)
  count = 100
  t:equal(rt.parallel(add, 3):await(), 106)
end)

rt.test("functions that are sent together share upvalues", function(t)
  local count = 0
  local function add() count = count + 1 end
  local function get() return count end
  t:equal(rt.parallel(function()
    add()
    add()
    return get()
  end):await(), 2)
  local new_add, new_get = send(add, get)
  new_add()
  t:equal(new_get(), 1)
  t:equal(get(), 0)
end)

rt.test("functions that refer to themselves and to each other", function(t)
  local even, odd
  local function factorial(n) return n < 2 and 1 or n * factorial(n - 1) end
  function even(n) return n == 0 or odd(n - 1) end
  function odd(n) return n ~= 0 and even(n - 1) end
  t:equal(rt.parallel(factorial, 10):await(), 3628800)
  t:equal(rt.parallel(even, 101):await(), false)
end)

rt.test("closures of one function are told apart", function(t)
  local function counter(n) return function() return n end end
  for i = 1, 50 do t:equal(rt.parallel(counter(i)):await(), i) end
  local list = {}
  for i = 1, 5 do list[i] = counter(i) end
  local back = send(list)
  for i = 1, 5 do t:equal(back[i](), i) end
end)

rt.test("inner functions, varargs, many upvalues", function(t)
  local function outer(...)
    local list = {...}
    local function inner(i) return list[i] and list[i] + inner(i + 1) or 0 end
    return (function() return inner(1) end)()
  end
  t:equal(rt.parallel(outer, 1, 2):await(), 3)
  local code, names, sum = {}, {}, {}
  for i = 1, 60 do
    names[i] = "u" .. i
    code[i] = ("local u%d = %d\n"):format(i, i)
  end
  for i, name in ipairs(names) do sum[i] = name end
  local fn = loadstring(table.concat(code) .. "return function() return " .. table.concat(sum, "+") .. " end")()
  t:equal(rt.parallel(fn):await(), 60 * 61 / 2)
end)

rt.test("a function that was compiled and patched here", function(t)
  local function sum(n)
    local total = 0
    for i = 1, n do total = total + i end
    return total
  end
  for _ = 1, 200 do sum(100) end -- hot
  t:equal(rt.parallel(sum, 1000):await(), 500500)
end)

rt.test("new functions without end", function(t)
  for i = 1, 1500 do
    local fn = loadstring("return " .. i)
    t:equal(rt.parallel(fn):await(), i)
  end
end)

rt.test("globals are those of the other VM", function(t)
  leaked = "here" -- luacheck: ignore
  t:equal(rt.parallel(function() return leaked end):await(), nil) -- luacheck: ignore
  local fn = setfenv(function() return tostring(1) end, {})
  t:equal(rt.parallel(fn):await(), "1")
  leaked = nil -- luacheck: ignore
end)

rt.test("modules and what is in them go by their names", function(t)
  local upper, format, out = string.upper, string.format, io.stdout
  local same = rt.parallel(function(lib, fn)
    return rt == require("rt") and net == require("rt.net") and lib == string and fn == string.rep and
      upper("a") == "A" and format == string.format and out == io.stdout and print == _G.print
  end, string, string.rep):await()
  t:ok(same)
  t:equal(send(rt), rt)
  t:equal(send(print), print)
  t:equal(send(net.tcp.connect), net.tcp.connect)
  t:equal(send(rt.cancelled), rt.cancelled)
  t:equal(send(_G), _G)
end)

rt.test("a module of the program's is required there", function(t)
  local ways = require "await_ways"
  t:equal(rt.parallel(function() return ways == require("await_ways") end):await(), true)
end)

rt.test("a module that only exists here", function(t)
  package.loaded["transfer_test.fake"] = {work = function() return 1 end}
  local fake = require "transfer_test.fake"
  t:error(function() rt.parallel(fake.work):await() end, "module 'transfer_test.fake' not found")
  package.loaded["transfer_test.fake"] = nil
end)

rt.test("a global function of the program's is copied", function(t)
  function transfer_test_global() return 42 end -- luacheck: ignore
  t:equal(rt.parallel(transfer_test_global):await(), 42) -- luacheck: ignore
  transfer_test_global = nil -- luacheck: ignore
end)

rt.test("addresses go by value", function(t)
  local address = net.udp.bind("127.0.0.1:0"):local_addr()
  t:equal(tostring(send(address)), tostring(address))
end)

-- ---- What cannot go ----

rt.test("what cannot go is named, with where it is", function(t)
  local file = assert(io.tmpfile())
  local nested = {list = {file}}
  local here = debug.getinfo(1, "S").short_src
  local line = debug.getinfo(1, "l").currentline + 2
  local function refused(fn, message) t:error(function() send(fn) end, message) end
  refused(function() return file end, ("upvalue 'file' of the function at %s:%d: userdata cannot be sent"):format(here, line))
  refused(function() return nested end, "upvalue 'nested'['list'][1] of the function at ")
  local function inner() return file end
  refused(function() return inner() end, "upvalue 'file' of the function at ")
  t:error(function() rt.parallel(function() return file end) end, "upvalue 'file'")
  t:error(function() send(1, {key = coroutine.create(print)}) end, "argument #3['key']: coroutine cannot be sent")
  t:error(function() send({a = {b = {[7] = file}}}) end, "argument #2['a']['b'][7]: userdata cannot be sent")
  t:error(function() send({[{}] = file}) end, "argument #2[a table]: userdata")
  t:error(function() send({[file] = 1}) end, "argument #2[a key]: userdata")
  t:error(function() send(setmetatable({}, {})) end, "argument #2: a table with a metatable cannot be sent")
  t:error(function() send(rt.sync.mutex()) end, "argument #2: mutex cannot be sent")
  t:error(function() send(rt.sync.semaphore(1)) end, "semaphore cannot be sent")
  t:error(function() send(rt.sync.event()) end, "event cannot be sent")
  t:error(function() send(rt.sync.wait_group()) end, "wait group cannot be sent")
  t:error(function() send(rt.task.current()) end, "task cannot be sent")
  t:error(function() send(("x"):gmatch(".")) end, "a C function cannot be sent")
  file:close()
end)

rt.test("the error is raised at the line of the call", function(t)
  local line = debug.getinfo(1, "l").currentline + 1
  local err = t:error(function() rt.parallel(function() end, coroutine.create(print)) end, "parallel: argument #2")
  t:ok(err:find(("transfer_test.lua:%d: parallel"):format(line), 1, true), err)
end)

rt.test("a very deep place is named shortly", function(t)
  local deep = {coroutine.create(print)}
  for _ = 1, 10000 do deep = {deep} end
  local err = t:error(function() send(deep) end, "coroutine cannot be sent")
  t:ok(#err < 300)
end)

rt.test("results that cannot go", function(t)
  t:error(function() rt.parallel(function() return 1, coroutine.create(print) end):await() end,
    "parallel: result #2: coroutine cannot be sent")
end)

rt.test("what parallel wants", function(t)
  t:error(function() rt.parallel() end, "bad argument #1 to 'parallel' (function expected, got nil)")
  t:error(function() rt.parallel("print") end, "function expected, got string")
end)
