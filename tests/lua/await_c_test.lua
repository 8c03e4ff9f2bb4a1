-- SPDX-License-Identifier: MIT
-- C functions that wait, the FFI, which does not, and coroutines that tasks pass around.

local rt = require "rt"
local ways = require "await_ways"

local folder = require("folder")()
local hot = ways.hot
local ETIMEDOUT, ECANCELED = 110, 125

local function shell(command)
  local pipe = io.popen(command .. " 2>&1; echo $?")
  local text = pipe:read("*a")
  pipe:close()
  local output, status = text:match("^(.-)(%d+)\n$")
  return tonumber(status) == 0, output
end

local function build_module()
  local source = os.getenv("RT_SOURCE") or "."
  local command = ("%s -g -O2 -Wall -shared -fPIC $(pkg-config --cflags luajit) -I'%s/include' -o '%s/await_module.so' " ..
    "'%s/tests/lua/await_module.c'"):format(os.getenv("CC") or "cc", source, folder, source)
  local ok, output = shell(command)
  if not ok then error(command .. "\n" .. output) end
  package.cpath = folder .. "/?.so;" .. package.cpath
end

local function c_functions(t, count, rounds)
  local module = require "await_module"
  local wrong = 0
  local function expect(got, wanted) if got ~= wanted then wrong = wrong + 1 end end
  local function work(id)
    for round = 1, rounds do
      local x = id * rounds + round
      expect(module.yield(x), x)
      expect(module.sleep(1e-5, x), x)
      expect(module.call(function(y) return module.yield(y) + hot(y) end, x), x + hot(x))
      local ok, y = module.protect(ways.sleep, x)
      expect(ok and y, x)
      local tag = {}
      local fine, err = module.protect(function()
        module.yield()
        error(tag)
      end)
      expect(not fine and err, tag)
      fine, err = pcall(module.fail, tag)
      expect(not fine and err, tag)
      expect((module.cpcall()):match("from cpcall") or module.cpcall(), "from cpcall")
      expect(module.resume(function(z) return coroutine.yield(z + 1) end, x), x + 1)
      -- From within a coroutine in a comparator, called by C.
      local list = {3, 1, 2}
      table.sort(list, function(a, b)
        return module.call(coroutine.wrap(function() return module.yield(a) < ways.yield(b) end))
      end)
      expect(list[1] * 100 + list[2] * 10 + list[3], 123)
      if round == 1 then
        expect(module.echo("hello" .. id), "hello" .. id)
        expect(module.timeout(1e-3), true)
        expect(module.scope(1e-3, 60), 0)
        expect(module.scope(60, 1e-3), -ETIMEDOUT)
        expect(select(2, rt.timeout(1e-3, function()
          expect(module.scope(60, 60), -ECANCELED)
          rt.yield()
        end)), "timeout")
      end
    end
    return true
  end
  local stop = ways.collector(0.002)
  local tasks = {}
  for id = 1, count do tasks[id] = rt.spawn(work, id) end
  for id = 1, count do t:ok(tasks[id]:await()) end
  stop()
  t:equal(wrong, 0)
  ways.settle()
  t:ok(ways.carriers() <= 1)
end

build_module()

rt.test("the binary has every function of the C headers", function(t)
  local ffi = require "ffi"
  local source = os.getenv("RT_SOURCE") or "."
  local pipe = io.popen(("cat '%s'/include/rt/*.h '%s/include/rtlua.h'"):format(source, source))
  local text = pipe:read("*a")
  pipe:close()
  local count = 0
  for declaration in text:gmatch("RT_API%s+([^;]-);") do
    local name = declaration:match("([%w_]+)%s*%(") or declaration:match("([%w_]+)$")
    if name:find("^[rl]") then
      ffi.cdef(("void %s(void);"):format(name))
      t:ok(pcall(function() return ffi.C[name] end), "not in the binary: " .. name)
      count = count + 1
    end
  end
  t:ok(count > 60, ("only %d functions found"):format(count))
end)

-- A wait through the FFI fails, compiled or not, and says so once.
local function run_child(code)
  local path = folder .. "/child.lua"
  ways.write(path, code)
  local mode = jit.status() and "-jon" or "-joff"
  local rtlua = os.getenv("RTLUA") or "rtlua"
  local ok, output = shell(("%s '%s' %s '%s' '%s'"):format(os.getenv("RTLUA_WRAPPER") or "", rtlua, mode, path, folder))
  os.remove(path)
  return ok, output
end

rt.test("the FFI does not wait", function(t)
  local ok, output = run_child([[
    local rt, ffi = require "rt", require "ffi"
    ffi.cdef "int await_module_yields(int); int64_t await_module_sleep(int64_t); int rt_sleep(int64_t);"
    local module = ffi.load(arg[1] .. "/await_module.so")
    local ENOTSUP, switches = 95, 0
    local other = rt.spawn(function()
      while true do
        rt.yield()
        switches = switches + 1
      end
    end)
    rt.yield()
    local before, bad = switches, 0
    for _ = 1, 2000 do
      if module.await_module_yields(3) ~= -ENOTSUP then bad = bad + 1 end
      if module.await_module_sleep(1000) ~= -ENOTSUP then bad = bad + 1 end
      if ffi.C.rt_sleep(1e15) ~= -ENOTSUP then bad = bad + 1 end
    end
    assert(bad == 0, bad)
    assert(switches == before, "it has switched")
    -- In every place, and in a coroutine.
    table.sort({3, 2, 1}, function(a, b)
      assert(ffi.C.rt_sleep(1000) == -ENOTSUP)
      return a < b
    end)
    assert(coroutine.wrap(function() return ffi.C.rt_sleep(1000) end)() == -ENOTSUP)
    assert(select(2, pcall(ffi.C.rt_sleep, 1000)) == -ENOTSUP)
    -- The task waits on in the proper way.
    for _ = 1, 300 do rt.sleep(1e-6) rt.yield() end
    assert(switches > before)
    print("fine")
  ]])
  t:ok(ok, output)
  t:ok(output:find("fine\n"), output)
  local _, count = output:gsub("through the FFI", "")
  t:equal(count, 1)
  t:ok(output:find("ENOTSUP", 1, true), output)
end)

-- ---- Coroutines that are tasks', and other people's ----

rt.test("a coroutine goes from task to task", function(t)
  local co = coroutine.wrap(function(x)
    while true do x = coroutine.yield(ways.await(x) + ways.sleep(1)) end
  end)
  for i = 1, 100 do t:equal(rt.spawn(co, i):await(), i + 1) end
end)

rt.test("a coroutine that waits cannot be resumed by another task", function(t)
  local co = coroutine.create(function() return rt.sleep(0.005) and 1 end)
  local task = rt.spawn(coroutine.resume, co)
  rt.yield()
  t:equal(coroutine.status(co), "normal")
  local ok, err = coroutine.resume(co)
  t:equal(ok, false)
  t:ok(err:find("cannot resume", 1, true), err)
  t:ok(debug.traceback(co):find("await_c_test", 1, true))
  t:equal(select(2, task:await()), 1)
end)

-- A mistake, which must not cost more than the task that it is made with.
rt.test("the coroutine of a task is resumed by another", function(t)
  local co
  local task = rt.spawn(function()
    co = coroutine.running()
    rt.sleep(0.005)
    rt.sleep(0.01)
    return 1
  end)
  rt.yield()
  coroutine.resume(co, "not what it waits for")
  local ok, err = task:join(30)
  t:ok(ok == true or tostring(err):find("cannot resume"), tostring(err))
  collectgarbage()
  t:equal(rt.spawn(ways.yield, 5):await(), 5)
end)

rt.test("an environment that a task has set for itself ends with it", function(t)
  rt.spawn(function() setfenv(0, {}) end):await()
  local globals = rt.spawn(function() return loadstring("return _G, print")() end)
  t:equal(globals:await(), _G)
end)

rt.test("coroutine.yield of the task itself is an error", function(t)
  local ok, err = rt.spawn(coroutine.yield):join()
  t:equal(ok, false)
  t:ok(tostring(err):find("yield", 1, true))
end)

rt.test("a debug hook that waits leaves the other tasks alone", function(t)
  local function work()
    local sum = 0
    for i = 1, 200 do
      sum = sum + i
      rt.yield()
    end
    return sum
  end
  local hooked = 0
  local hooks = rt.spawn(function()
    debug.sethook(function()
      hooked = hooked + 1
      rt.yield()
    end, "l")
    local sum = work()
    debug.sethook()
    return sum
  end)
  local other = rt.spawn(work)
  t:equal(hooks:await(), 20100)
  t:equal(other:await(), 20100)
  t:ok(hooked > 100)
end)

rt.test("debug hooks wait", function(t)
  local count, tasks = 0, {}
  debug.sethook(function()
    count = count + 1
    rt.yield()
  end, "", 50)
  for id = 1, 20 do
    tasks[id] = rt.spawn(function()
      local sum = 0
      for i = 1, 2000 do
        sum = sum + i
        pcall(error, "x")
      end
      return sum
    end)
  end
  for id = 1, 20 do t:equal(tasks[id]:await(), 2001000) end
  debug.sethook()
  t:ok(count > 0)
end)

-- A Lua callback of C code that was called through the FFI may wait, as it is never compiled.
rt.test("callbacks of the FFI wait", function(t)
  local ffi = require "ffi"
  ffi.cdef "int await_module_calls(int (*callback)(int), int n);"
  local module = ffi.load(folder .. "/await_module.so")
  local function work(id)
    local callback = ffi.cast("int (*)(int)", function(i)
      local int64 = ffi.new("int64_t[1]", i)
      rt.yield()
      if i % 5 == 0 then rt.sleep(1e-5) end
      return tonumber(int64[0]) + ways.await(id)
    end)
    for _ = 1, 20 do
      local sum = module.await_module_calls(callback, 10)
      if sum ~= 45 + 10 * id then error(("%d instead of %d"):format(sum, 45 + 10 * id)) end
    end
    callback:free()
    return id
  end
  jit.off(work, true)
  local stop, tasks = ways.collector(0.001), {}
  for id = 1, 20 do tasks[id] = rt.spawn(work, id) end
  for id = 1, 20 do t:equal(tasks[id]:await(), id) end
  stop()
end)

ways.each_mode(function()
  rt.test("C functions that wait", function(t) c_functions(t, math.ceil(ways.TASKS / 4), ways.ROUNDS) end)

  rt.test("C functions that wait are cancelled", function(t)
    local module = require "await_module"
    for _, fn in ipairs({
      function() module.sleep(1e6) end,
      function() module.call(function() module.sleep(1e6) end) end,
      function() module.call(rt.sleep, 1e6) end,
      function()
        local ok, err = module.protect(module.sleep, 1e6)
        error(ok or err)
      end,
      function() coroutine.wrap(function() module.sleep(1e6) end)() end,
    }) do
      local task = rt.spawn(fn)
      rt.yield()
      task:cancel()
      local ok, err = task:join()
      t:equal(ok, false)
      t:ok(err == rt.cancelled or tostring(err):find("ECANCELED"), tostring(err))
    end
  end)
end)
