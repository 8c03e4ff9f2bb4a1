-- SPDX-License-Identifier: MIT
-- rt.main() with a virtual clock and with seeds: programs of a stock luajit.

local rt = require "rt"
local program = require "program"

-- The stock luajit cannot load a module with a sanitizer in it.
local skip = program.sanitizer ~= "none" and "there is a sanitizer in the modules"

-- The program ends silently: its own assertions hold.
local function test(name, code)
  rt.test(name, {skip = skip}, function(t)
    for _, jit in ipairs {"", "jit.off() "} do
      local result = program.luajit(jit .. "local rt = require 'rt' " .. code)
      t:equal(result.stderr, "")
      t:equal(result.stdout, "done\n")
      t:equal(result.code, 0)
    end
  end)
end

test("a day passes at once, in order", [[
  rt.main({clock = "virtual"}, function()
    local start, woken, tasks = rt.now(), {}, {}
    for i = 1, 1000 do
      local wait = i * 7919 % 1000 * 86.4
      tasks[i] = rt.spawn(function()
        rt.sleep(wait)
        assert(math.abs(rt.now() - start - wait) < 1e-4)
        woken[#woken + 1] = wait
      end)
    end
    for i = 1, 1000 do tasks[i]:await() end
    for i = 2, 1000 do assert(woken[i - 1] < woken[i]) end
    assert(rt.now() - start > 86000)
  end)
  print "done"
]])

test("timeouts, intervals and connections", [[
  rt.main({clock = "virtual"}, function()
    local start = rt.now()
    local function passed(seconds) assert(math.abs(rt.now() - start - seconds) < 1e-4, rt.now() - start) end

    local _, reason = rt.timeout(100, function()
      assert(select(2, rt.timeout(60, rt.sleep, 3600)) == "timeout")
      passed(60)
      rt.sleep(3600)
    end)
    assert(reason == "timeout")
    passed(100)
    local ticks = 0
    for _ in rt.interval(10) do
      ticks = ticks + 1
      passed(100 + 10 * ticks)
      if ticks == 5 then break end
    end
    local listener = assert(rt.net.tcp.listen("127.0.0.1:0"))
    rt.spawn(function()
      local conn = assert(listener:accept())
      rt.sleep(30)
      conn:write("late")
      conn:close()
    end)
    local conn = assert(rt.net.tcp.connect(listener:local_addr()))
    conn:set_timeout(20)
    assert(select(2, conn:read()) == "timeout")
    passed(170)
    assert(conn:read() == "late")
    passed(180)
  end)
  print "done"
]])

test("time moves by hand", [[
  rt.main({clock = "virtual"}, function()
    local start, ticks = rt.now(), 0
    local ticker = rt.spawn(function() for _ in rt.interval(1) do ticks = ticks + 1 end end)
    rt.yield()
    assert(math.abs(rt.time.advance(2.5) - start - 2.5) < 1e-4)
    assert(ticks == 2)
    rt.time.advance(7.6)
    assert(ticks == 10)
    ticker:cancel()
    local function refuses(pattern, seconds)
      local ok, err = pcall(rt.time.advance, seconds)
      assert(not ok and err:find(pattern), err)
    end
    refuses("bad argument #1 to", -1)
    refuses("bad argument #1 to", math.huge)
    refuses("number expected, got NaN", 0 / 0)
    refuses("number expected, got string", "x")
    local task = rt.spawn(rt.time.advance, 1)
    rt.yield()
    refuses("another task is moving the clock", 1)
    task:cancel()
    assert(select(2, task:join()) == rt.cancelled)
    rt.time.advance(1)
  end)
  rt.main(function()
    local ok, err = pcall(rt.time.advance, 1)
    assert(not ok and err:find("the runtime's clock is not virtual", 1, true), err)
  end)
  print "done"
]])

test("a seed gives one schedule", [[
  local function trace(seed)
    local letters = {}
    rt.main({clock = "virtual", seed = seed}, function()
      local tasks = {}
      for i = 1, 5 do
        tasks[i] = rt.spawn(function()
          for _ = 1, 4 do
            letters[#letters + 1] = i
            rt.yield()
          end
        end)
      end
      for i = 1, 5 do tasks[i]:await() end
    end)
    return table.concat(letters)
  end

  assert(trace(0) == ("12345"):rep(4))
  local seen, different = {}, 0
  for seed = 1, 20 do
    local text = trace(seed)
    assert(#text == 20)
    assert(trace(seed) == text)
    if not seen[text] then different = different + 1 end
    seen[text] = true
  end
  assert(different >= 15, different)
  assert(trace(2 ^ 53) == trace(2 ^ 53))
  print "done"
]])

test("options that are none", [[
  local function refuses(message, options)
    local ok, err = pcall(function() rt.main(options, print) end)
    assert(not ok and err:find("(command line):", 1, true) == 1 and err:find(message, 1, true), err)
  end

  refuses("unknown runtime 'x'", "x")
  refuses("unknown runtime 'x'", {runtime = "x"})
  refuses("option 'runtime': string expected, got table", {runtime = {}})
  refuses("option 'clock': \"real\" or \"virtual\" expected, got 'fast'", {clock = "fast"})
  refuses("option 'clock': \"real\" or \"virtual\" expected, got boolean", {clock = true})
  for _, seed in ipairs {-1, 0.5, 2 ^ 53 + 2, 0 / 0, math.huge, "1"} do
    refuses("option 'seed': integer from 0 to 2^53 expected, got ", {seed = seed})
  end
  for _, seconds in ipairs {0, -1, 0 / 0, "1"} do
    refuses("option 'watchdog': positive number of seconds expected, got ", {watchdog = seconds})
  end
  for _, workers in ipairs {0, -1, 1.5, 257, 0 / 0, math.huge, "2", "two", true} do
    refuses("option 'workers': integer from 1 to 256 expected, got ", {workers = workers})
  end
  refuses("bad argument #1 to 'main' (name of a runtime or table expected, got number)", 5)
  local before = rt.now()
  assert(rt.main({runtime = "native", clock = "real", seed = 0}, function(...) return select("#", ...) end, nil, nil) == 2)
  assert(rt.main({workers = 256}, function() return 3 end) == 3)
  assert(rt.main({}, function() return rt.now() < before + 1000 end))
  print "done"
]])
