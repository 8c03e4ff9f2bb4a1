-- SPDX-License-Identifier: MIT
-- For await_test and await_c_test: ways to wait, and what goes on around.

local rt = require "rt"
local core = require "rt.core"
local net = rt.net

local ways = {}

-- Under a sanitizer or valgrind the same at a smaller size.
local function named(variable)
  local value = os.getenv(variable)
  return value and value ~= "" and value ~= "none"
end
local slow = named("RT_SANITIZER") or named("RTLUA_WRAPPER")
ways.TASKS, ways.ROUNDS = slow and 50 or 200, slow and 12 or 50

-- ---- Waiting; each gives back what it got ----

local conns = {} -- task number -> its connection to an echo server

function ways.yield(x)
  rt.yield()
  return x
end

function ways.sleep(x)
  rt.sleep(1e-5)
  return x
end

function ways.turn(x)
  rt.sleep(0)
  return x
end

local function give(x)
  rt.yield()
  return x
end
function ways.await(x) return (rt.spawn(give, x):await()) end

function ways.join(x)
  local ok, y = rt.spawn(give, x):join(60)
  return ok and y
end

function ways.socket(x, id)
  local conn = conns[id]
  assert(conn:write(("%.17g\n"):format(x)))
  return tonumber((assert(conn:read_line())))
end

function ways.collect(x)
  rt.yield()
  collectgarbage("step")
  return x
end

ways.order = {ways.yield, ways.sleep, ways.await, ways.turn, ways.socket, ways.join, ways.yield, ways.collect}

-- A loop that is hot enough for traces of its own, around and between the waits.
function ways.hot(n)
  local sum = 0
  for i = 1, 30 + n % 7 do
    if i % 3 == 0 then sum = sum + i else sum = sum - 1 end
  end
  return sum
end

-- ---- Around it ----

-- Starts the server behind ways.socket and connects to it; gives a function that stops it.
function ways.serve()
  local listener = assert(net.tcp.listen("127.0.0.1:0"))
  local server = rt.spawn(function()
    for conn in listener:incoming() do
      rt.spawn(function()
        conn:pipe_to(conn)
        conn:close()
      end)
    end
  end)
  for id = 1, ways.TASKS do conns[id] = assert(net.tcp.connect(listener:local_addr())) end
  return function()
    for id = 1, ways.TASKS do conns[id]:close() end
    listener:close()
    server:await()
  end
end

-- Lets carriers that are not needed any more go.
function ways.settle()
  for _ = 1, 10 do rt.yield() end
end

-- How many carriers are in use, and exist.
function ways.carriers()
  local existing, idle = core.carriers()
  return existing - idle, existing
end

-- Collects all garbage again and again; gives a function that stops it.
function ways.collector(every)
  local stop = false
  local task = rt.spawn(function()
    while not stop do
      collectgarbage()
      rt.sleep(every)
    end
  end)
  return function()
    stop = true
    task:await()
  end
end

-- Runs declare() once for each way in which LuaJIT may compile the tests that it declares.
function ways.each_mode(declare)
  if not jit.status() then return rt.describe("JIT off", declare) end
  rt.describe("JIT as it is", declare)
  rt.describe("JIT at its most eager", function()
    rt.before_each(function()
      jit.flush()
      require("jit.opt").start("hotloop=2", "hotexit=1")
    end)
    rt.after_each(function() require("jit.opt").start("hotloop=56", "hotexit=10") end)
    declare()
  end)
end

-- Writes a file.
function ways.write(path, text)
  local file = assert(io.open(path, "w"))
  file:write(text)
  file:close()
end

return ways
