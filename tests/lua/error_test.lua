-- SPDX-License-Identifier: MIT
-- How programs end: errors of main and of tasks, their reports and exit codes, leftover tasks, deadlocks.

local rt = require "rt"
local program = require "program"

local function has(t, text, pattern)
  if not text:find(pattern, 1, true) and not text:find(pattern) then
    error(("expected %q in:\n%s"):format(pattern, text), 2)
  end
  return t
end

local function lacks(text, pattern)
  if text:find(pattern, 1, true) then error(("unexpected %q in:\n%s"):format(pattern, text), 2) end
end

local function count(text, what)
  local n, from = 0, 1
  while true do
    local _, last = text:find(what, from, true)
    if not last then return n end
    n, from = n + 1, last + 1
  end
end

rt.test("main's error is reported as luajit does", function(t)
  local code = "print 'before' local function f() error('boom') end f() print 'after'"
  local result = program.eval(code)
  local stock = program.run("luajit -e " .. program.quote(code))
  t:equal(result.code, 1)
  t:equal(stock.code, 1)
  t:equal(result.stdout, "before\n")
  local function head(text) return text:match("^%w+: ([^\n]*\nstack traceback:\n[^\n]*\n[^\n]*\n)") end
  t:ok(head(stock.stderr))
  t:equal(head(result.stderr), head(stock.stderr))
  has(t, result.stderr, "^rtlua: %(command line%):1: boom\nstack traceback:\n")
end)

rt.test("error objects", function(t)
  local cases = {
    {"error({})", "^rtlua: %(error object is a table value%)"},
    {"error(setmetatable({}, {__tostring = function() return 'as text' end}))", "^rtlua: as text\n"},
    {"error(setmetatable({}, {__tostring = function() error 'worse' end}))", "^rtlua: %(error object is a table"},
    {"error(setmetatable({}, {__tostring = function() return {} end}))", "^rtlua: "},
    {"local rt = require 'rt' error(setmetatable({}, {__tostring = function() rt.sleep(1) end}))", "^rtlua: "},
    {"error()", "^rtlua: "},
    {"error(nil)", "^rtlua: "},
    {"error(42)", "^rtlua: %(command line%):1: 42"},
    {"error(42, 0)", "^rtlua: 42\n"},
    {"error(print)", "^rtlua: %(error object is a function value%)"},
    {"error('', 0)", "^rtlua: "},
    {"error(('x'):rep(100000))", "^rtlua: .*xxxxx"},
    {"local t = nil; t.x = 1", "^rtlua: %(command line%):1: attempt to index"},
  }
  for _, case in ipairs(cases) do
    local result = program.eval(case[1])
    if result.code ~= 1 then error(("%s: exit code %s\n%s"):format(case[1], result.code, result.stderr)) end
    has(t, result.stderr, case[2])
    lacks(result.stderr, "PANIC")
  end
end)

rt.test("error objects of tasks that nobody joins", function(t)
  local objects = {
    ["{}"] = "error object is a table value",
    ["nil"] = "error object is a nil value",
    ["42"] = "42",
    ["setmetatable({}, {__tostring = function() return 'as text' end})"] = "as text",
    ["setmetatable({}, {__tostring = function() error 'worse' end})"] = "error object is a table value",
    ["setmetatable({}, {__tostring = function() require 'rt'.sleep(0.01) return 'x' end})"] = "spawned at",
  }
  for object, text in pairs(objects) do
    local code = "local rt = require 'rt' rt.spawn(function() error(%s) end) rt.sleep(0.01)"
    local result = program.eval(code:format(object))
    if result.code ~= 1 then error(("%s: exit code %s\n%s"):format(object, result.code, result.stderr)) end
    has(t, result.stderr, "task spawned at (command line):1 failed: ")
    has(t, result.stderr, text)
  end
end)

rt.test("two failures whose texts wait do not mix", function(t)
  local result = program.eval [[
    local rt = require "rt"
    local function failing(seconds)
      return function()
        error(setmetatable({}, {__tostring = function() pcall(rt.sleep, seconds) return "text " .. seconds end}))
      end
    end
    for i = 1, 5 do rt.spawn(failing(i / 100)) end
    rt.sleep(0.1)
    print "done"
  ]]
  t:equal(result.code, 1)
  t:equal(result.stdout, "done\n")
  for i = 1, 5 do has(t, result.stderr, "text " .. i / 100) end
end)

rt.test("a failed task that nobody joins: stderr, with traceback, and exit code 1", function(t)
  local result = program.script [[
local rt = require "rt"
local function work()
  error("lost")
end
rt.spawn(work)
rt.sleep(0.01)
print("main goes on")
]]
  t:equal(result.code, 1)
  t:equal(result.stdout, "main goes on\n")
  has(t, result.stderr, "^rtlua: task spawned at [^\n]*:5 failed: [^\n]*:3: lost\nstack traceback:\n")
  has(t, result.stderr, ":3: in function")
  t:equal(count(result.stderr, "lost"), 1)
end)

rt.test("several failures are all reported, once, in order", function(t)
  local result = program.eval [[
    local rt = require "rt"
    for i = 1, 3 do rt.spawn(function() error("failure " .. i, 0) end) end
    rt.yield()
  ]]
  t:equal(result.code, 1)
  for i = 1, 3 do t:equal(count(result.stderr, "failure " .. i), 1) end
  t:ok(result.stderr:find("failure 1.*failure 2.*failure 3"))
end)

rt.test("a task that fails when main has ended is reported", function(t)
  local result = program.eval [[
    local rt = require "rt"
    rt.spawn(function()
      pcall(rt.sleep, 60)
      error("in its cleanup", 0)
    end)
    rt.yield()
  ]]
  t:equal(result.code, 1)
  has(t, result.stderr, "in its cleanup")
end)

rt.test("a failure is reported promptly in a program that goes on", function(t)
  local waits = {
    sleep = "while not ended do rt.sleep(0.02) end",
    yield = "while not ended do rt.yield() end",
    accept = "local l = rt.net.tcp.listen('127.0.0.1:0') while not ended do rt.timeout(2, l.accept, l) end",
  }
  for name, wait in pairs(waits) do
    local result = program.eval([[
      local rt = require "rt"
      io.stdout:setvbuf("no")
      rt.spawn(function()
        rt.sleep(0.5)
        io.stderr:write("half a second later\n")
        ended = true
      end)
      rt.spawn(function() error("lost", 0) end)
      ]] .. wait)
    t:equal(result.code, 1)
    local report, later = result.stderr:find("lost", 1, true), result.stderr:find("half a second later", 1, true)
    t:ok(report and later, result.stderr)
    if report > later then error(name .. ": reported late:\n" .. result.stderr) end
  end
end)

rt.test("a failed task whose handle is kept and that is joined later is not reported", function(t)
  local result = program.eval [[
    local rt = require "rt"
    local task = rt.spawn(function() error("seen", 0) end)
    rt.sleep(0.2)
    collectgarbage()
    print(task:join())
    local other = rt.spawn(function() error("awaited", 0) end)
    rt.sleep(0.1)
    print((pcall(other.await, other)))
  ]]
  t:equal(result.stderr, "")
  t:equal(result.stdout, "false\tseen\nfalse\n")
  t:equal(result.code, 0)
end)

rt.test("a failed task whose handle is kept and that is never joined is reported at the end", function(t)
  local result = program.eval [[
    local rt = require "rt"
    task = rt.spawn(function() error("kept", 0) end)
    rt.sleep(0.1)
  ]]
  t:equal(result.code, 1)
  t:equal(count(result.stderr, "kept"), 1)
end)

rt.test("a joiner that timed out has not seen the failure", function(t)
  local result = program.eval [[
    local rt = require "rt"
    local task = rt.spawn(function() rt.sleep(0.02) error("later", 0) end)
    print(task:join(0.001))
    rt.sleep(0.05)
  ]]
  t:equal(result.code, 1)
  has(t, result.stderr, "later")
end)

rt.test("a cancelled task is not a failure", function(t)
  local result = program.eval [[
    local rt = require "rt"
    local task = rt.spawn(function() rt.sleep(60) end)
    rt.yield()
    task:cancel()
    rt.sleep(0.01)
  ]]
  t:equal(result.stderr, "")
  t:equal(result.code, 0)
end)

rt.test("a failed task never takes the others along", function(t)
  local result = program.eval [[
    local rt = require "rt"
    local other = rt.spawn(function() rt.sleep(0.02) return "whole" end)
    rt.spawn(function() error "x" end)
    print(other:await())
  ]]
  t:equal(result.stdout, "whole\n")
  t:equal(result.code, 1)
end)

rt.test("main's error and a task's error are both reported", function(t)
  local result = program.eval [[
    local rt = require "rt"
    rt.spawn(function() error("of the task", 0) end)
    rt.yield()
    error("of main", 0)
  ]]
  t:equal(result.code, 1)
  has(t, result.stderr, "of the task")
  has(t, result.stderr, "rtlua: of main")
end)

rt.test("an error through three awaits, uncaught", function(t)
  local result = program.script [[
local rt = require "rt"
local function inner() error("deep") end
local function middle()
  rt.spawn(inner):await()
end
local function outer()
  rt.spawn(middle):await()
end
rt.spawn(outer):await()
]]
  t:equal(result.code, 1)
  for _, line in ipairs {2, 4, 7, 9} do has(t, result.stderr, result.path .. ":" .. line) end
  for _, line in ipairs {4, 7, 9} do has(t, result.stderr, "spawned at " .. result.path .. ":" .. line) end
  t:equal(count(result.stderr, ": deep"), 1)
end)

rt.test("leftover tasks are cancelled and their cleanup runs", function(t)
  local result = program.eval [[
    local rt = require "rt"
    local listener = rt.net.tcp.listen("127.0.0.1:0")
    rt.spawn(function()
      local ok, err = pcall(rt.sleep, 60)
      print("sleep", ok, err == rt.cancelled)
    end)
    rt.spawn(function()
      local ok, err = pcall(listener.accept, listener)
      print("accept", ok, err == rt.cancelled)
      print("next", pcall(rt.sleep, 60))
    end)
    rt.spawn(function() table.sort({1, 2}, function() rt.sleep(60) end) print "never" end)
    rt.spawn(function() coroutine.wrap(function() rt.sleep(60) end)() print "never" end)
    rt.yield()
    print "main ends"
  ]]
  t:equal(result.stderr, "")
  t:equal(result.code, 0)
  t:equal(result.stdout, "main ends\nsleep\tfalse\ttrue\naccept\tfalse\ttrue\nnext\tfalse\tcancelled\n")
end)

rt.test("leftover tasks are cancelled after main's error too", function(t)
  local result = program.eval [[
    local rt = require "rt"
    rt.spawn(function() print("cleaned up", pcall(rt.sleep, 60)) end)
    rt.yield()
    error("main failed")
  ]]
  t:equal(result.code, 1)
  has(t, result.stdout, "cleaned up\tfalse\tcancelled")
end)

rt.test("a task that swallows its cancellation does not hang the exit", function(t)
  local swallowers = {
    "while true do pcall(rt.sleep, 1) end",
    "while true do pcall(rt.yield) end",
    "while true do pcall(table.sort, {1, 2}, function() rt.sleep(1) end) end",
    "while true do pcall(coroutine.wrap(function() rt.sleep(1) end)) end",
  }
  for _, swallower in ipairs(swallowers) do
    local before = os.time()
    local code = "local rt = require 'rt' rt.spawn(function() %s end) rt.yield() print 'main ends'"
    local result = program.eval(code:format(swallower))
    t:equal(result.stdout, "main ends\n")
    t:ok(os.time() - before <= 20, "it took too long")
    has(t, result.stderr, "^rtlua: the task spawned at %(command line%):1 [^\n]*abandoned\n$")
    t:equal(result.code, 0)
  end
end)

rt.test("a deadlock is reported with every task, and its exit code is 1", function(t)
  local result = program.script [[
local rt = require "rt"
local a, b
a = rt.spawn(function()
  rt.yield()
  rt.sleep(math.huge)
end)
b = rt.spawn(function()
  a:await()
end)
b:await()
]]
  t:equal(result.code, 1)
  has(t, result.stderr, "^rtlua: deadlock: ")
  for _, site in ipairs {3, 7} do has(t, result.stderr, ("spawned at %s:%d"):format(result.path, site)) end
  for _, line in ipairs {5, 8, 10} do has(t, result.stderr, ("%s:%d"):format(result.path, line)) end
  t:equal(count(result.stderr, "waits for: join"), 2)
  t:equal(count(result.stderr, "waits for: sleep"), 1)
  t:equal(count(result.stderr, "stack traceback:"), 3)
end)

rt.test("sleeping for ever alone is a deadlock", function(t)
  local result = program.eval "require 'rt'.sleep(math.huge)"
  t:equal(result.code, 1)
  has(t, result.stderr, "^rtlua: deadlock: ")
  has(t, result.stderr, "waits for: sleep")
end)

rt.test("cleanup runs after a deadlock", function(t)
  local result = program.eval "local rt = require 'rt' print(pcall(rt.sleep, math.huge))"
  t:equal(result.code, 1)
  t:equal(result.stdout, "false\tcancelled\n")
end)

rt.test("a server that waits for connections is no deadlock", function(t)
  local result = program.run("timeout 1 " .. program.quote(program.rtlua) .. " -e " .. program.quote [[
    local rt = require "rt"
    local listener = rt.net.tcp.listen("127.0.0.1:0")
    rt.spawn(function() rt.net.udp.bind("127.0.0.1:0"):recv() end)
    listener:accept()
  ]])
  t:equal(result.code, 124)
  t:equal(result.stderr, "")
end)

rt.test("exit codes", function(t)
  local codes = {
    [""] = 0, ["os.exit()"] = 0, ["os.exit(0)"] = 0, ["os.exit(3)"] = 3, ["os.exit(255)"] = 255,
    ["os.exit(3, true)"] = 3, ["os.exit(0, true)"] = 0, ["error()"] = 1, ["return 5"] = 0,
    ["require 'rt'.spawn(function() os.exit(7) end):await()"] = 7,
    ["local rt = require 'rt' rt.spawn(function() rt.sleep(0.001) os.exit(8, true) end) rt.sleep(60)"] = 8,
    ["table.sort({1, 2}, function() require 'rt'.sleep(0.001) os.exit(9, true) end)"] = 9,
    ["coroutine.wrap(function() require 'rt'.sleep(0.001) os.exit(10, true) end)()"] = 10,
    ["local rt = require 'rt' for i = 1, 10 do rt.spawn(rt.sleep, 60) end rt.yield() os.exit(11, true)"] = 11,
    ["rt = require 'rt' l = rt.net.tcp.listen(':0') rt.spawn(l.accept, l) rt.yield() os.exit(12, true)"] = 12,
  }
  for code, expected in pairs(codes) do
    local result = program.eval(code)
    if result.code ~= expected then
      error(("%s: expected %d, got %s\n%s"):format(code, expected, result.code, result.stderr))
    end
  end
end)

rt.test("os.exit flushes what was printed", function(t)
  local result = program.eval "io.write('text') os.exit(0)"
  t:equal(result.stdout, "text")
end)

rt.test("a cancelled main fails", function(t)
  local result = program.eval "local rt = require 'rt' rt.task.current():cancel() rt.sleep(1)"
  t:equal(result.code, 1)
  has(t, result.stderr, "^rtlua: cancelled")
end)

rt.test("SIGPIPE does not kill", function(t)
  local result = program.run(program.quote(program.rtlua) .. " -e " .. program.quote [[
    for i = 1, 100000 do io.stdout:write("line\n") end
    io.stderr:write("alive\n")
  ]] .. " | head -n 1; true")
  t:equal(result.stdout, "line\n")
  t:equal(result.stderr, "alive\n")
  -- Programs that it runs have the default again: yes would not end otherwise.
  result = program.eval "print(io.popen('yes | head -n 1'):read('*a'))"
  has(t, result.stdout, "^y\n")
end)

rt.test("a stack overflow is an error", function(t)
  local result = program.eval "local function f() return 1 + f() end print(pcall(f))"
  t:equal(result.code, 0)
  has(t, result.stdout, "stack overflow")
  result = program.eval "local function f(s) return (s:gsub('.', f)) end print(pcall(f, 'x'))"
  t:equal(result.code, 0)
  has(t, result.stdout, "^false\t")
end)

-- A server whose process is out of descriptors at accept.
rt.test("a full descriptor table: serves on, idles, and accepts again", function(t)
  local result = program.run("ulimit -n 40; exec " .. program.quote(program.rtlua) .. " -e " .. program.quote [[
    local rt = require "rt"
    local listener = assert(rt.net.tcp.listen("127.0.0.1:0"))
    local accepted = {}
    rt.spawn(function()
      for conn in listener:incoming() do
        accepted[#accepted + 1] = conn
        rt.spawn(function() conn:pipe_to(conn) end)
      end
    end)
    local function until_accepted(count)
      local before = rt.now()
      while #accepted < count and rt.now() - before < 10 do rt.sleep(0.005) end
      return rt.now() - before
    end
    local client = assert(rt.net.tcp.connect(listener:local_addr()))
    client:set_timeout(10)
    until_accepted(1)
    local files = {}
    repeat
      local file = io.open("/dev/null")
      files[#files + 1] = file
    until not file
    print(select(2, rt.net.tcp.connect(listener:local_addr())) ~= nil, select(3, rt.net.udp.bind("127.0.0.1:0")))
    table.remove(files):close()
    -- It has the last descriptor, so that none is left for the server's side.
    local waiting = assert(rt.net.tcp.connect(listener:local_addr()))
    waiting:set_timeout(10)
    waiting:write("early")
    local before, cpu = rt.now(), os.clock()
    rt.sleep(1)
    print("accepted", #accepted)
    print("idle", (os.clock() - cpu) / (rt.now() - before) < 0.05)
    client:write("ping")
    print("served", client:read_exactly(4))
    table.remove(files):close()
    print("accepted again", until_accepted(2) < 9, #accepted)
    print("served", waiting:read_exactly(5))
  ]])
  t:equal(result.stderr, "")
  t:equal(result.stdout,
    "true\tEMFILE\naccepted\t1\nidle\ttrue\nserved\tping\naccepted again\ttrue\t2\nserved\tearly\n")
  t:equal(result.code, 0)
end)

rt.test("a program that cannot even start for lack of descriptors says so", function(t)
  local result = program.run("ulimit -n 5; exec " .. program.quote(program.rtlua) .. " -e 'print(1)'")
  t:equal(result.code, 1)
  has(t, result.stderr, "^rtlua: ")
end)
