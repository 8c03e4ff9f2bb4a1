-- SPDX-License-Identifier: MIT
-- The modules under a stock luajit: require "rt", and rt.main().

local rt = require "rt"
local program = require "program"

-- The stock luajit cannot load a module with a sanitizer in it.
local skip = program.sanitizer ~= "none" and "there is a sanitizer in the modules"

local function has(text, pattern)
  if not text:find(pattern, 1, true) and not text:find(pattern) then
    error(("expected %q in:\n%s"):format(pattern, text), 2)
  end
end

local function test(name, code, stdout, stderr, exit_code)
  rt.test(name, {skip = skip}, function(t)
    for _, jit in ipairs {"", "jit.off() "} do
      local result = program.luajit(jit .. code)
      if result.stdout ~= stdout then
        error(("expected %q, got %q\n%s"):format(stdout, result.stdout, result.stderr))
      end
      if stderr then has(result.stderr, stderr) else t:equal(result.stderr, "") end
      t:equal(result.code, exit_code or 0)
    end
  end)
end

test("main gives its results", [[
  local rt = require "rt"
  print(rt.main(function(a, b) rt.sleep(0.001) return a + b, nil, "x", nil end, 1, 2))
  print(select("#", rt.main(function() end)))
  print(select("#", rt.main("native", function(...) return ... end, nil, nil)))
]], "3\tnil\tx\tnil\n0\n2\n")

for _, name in ipairs {"rt.net", "rt.sync", "rt.task", "rt.time"} do
  test("require '" .. name .. "' first", ([[
    local module = require "%s"
    local rt = require "rt"
    print(type(module), module == rt["%s"])
    rt.main(function() rt.sleep(0.001) print "slept" end)
  ]]):format(name, name:match("%a+$")), "table\ttrue\nslept\n")
end

test("a whole program", [[
  local rt = require "rt"
  rt.main(function()
    local listener = assert(rt.net.tcp.listen("127.0.0.1:0"))
    rt.spawn(function()
      for conn in listener:incoming() do rt.spawn(function() conn:pipe_to(conn) end) end
    end)
    local conn = assert(rt.net.tcp.connect(listener:local_addr()))
    conn:write("ping")
    print(conn:read_exactly(4))
    table.sort({3, 1, 2}, function(a, b) rt.sleep(0.001) return a < b end)
    print(rt.net.resolve("localhost", 80) ~= nil)
  end)
  print "after"
]], "ping\ntrue\nafter\n")

test("main twice in sequence, and many times", [[
  local rt = require "rt"
  print(rt.main(function() rt.sleep(0.001) return 1 end))
  print(rt.main(function() return rt.spawn(function() rt.sleep(0.001) return 2 end):await() end))
  for i = 1, 100 do rt.main(rt.yield) end
  print((pcall(rt.main, error, "x")))
  print(rt.main(function() return 3 end))
]], "1\n2\nfalse\n3\n")

test("main in main is an error", [[
  local rt = require "rt"
  rt.main(function() print(pcall(function() rt.main(function() end) end)) end)
  rt.main(function() print(pcall(function() coroutine.wrap(rt.main)(function() end) end)) end)
]], "false\t(command line):2: a runtime is already running on this thread\n"
  .. "false\t(command line):3: a runtime is already running on this thread\n")

rt.test("waiting outside of a task is an error", {skip = skip}, function(t)
  for _, call in ipairs {
    "rt.sleep(0)", "rt.yield()", "rt.spawn(print)", "rt.net.tcp.connect('127.0.0.1:1')",
    "rt.net.resolve('localhost', 80)",
    "rt.net.tcp.listen('127.0.0.1:0'):accept()", "rt.net.udp.bind('127.0.0.1:0'):recv()", "rt.timeout(1, print)",
    "rt.wait_fd(0, 'r')", "for _ in rt.interval(1) do end",
    "rt.sync.channel(1):send(1)", "rt.sync.channel():recv()", "rt.sync.mutex():lock()", "rt.sync.semaphore(1):acquire()",
    "rt.sync.event():wait()", "rt.sync.wait_group():wait()", "rt.select{rt.sync.channel()}",
  } do
    local result = program.luajit("local rt = require 'rt'\n" .. call)
    t:equal(result.code, 1)
    if not result.stderr:find("^luajit: %(command line%):2: [^\n]*no runtime is running on this thread\n") then
      error(call .. ":\n" .. result.stderr)
    end
  end
end)

test("what needs no task works outside of one", [[
  local rt = require "rt"
  print(rt.now() > 0, rt.task.current(), #rt.task.list(), rt.runtime(), type(rt.version))
]], "true\tnil\t0\tnil\tstring\n")

test("channels outlive a runtime and work without one", [[
  local rt = require "rt"
  local ch, empty = rt.sync.channel(2), rt.sync.channel()
  print(ch:try_send "first")
  rt.main(function()
    ch:send "second"
    rt.spawn(function() empty:recv() end)
    rt.spawn(function() table.sort({1, 2}, function() ch:send "never" end) end)
    rt.yield()
  end)
  print(ch:try_recv(), rt.main(function() return ch:recv() end), ch:try_recv())
]], "true\nfirst\tsecond\tnil\twould block\tEAGAIN\n")

test("unknown runtimes", [[
  local rt = require "rt"
  print(pcall(function() rt.main("nonsense", print) end))
  print(pcall(function() rt.main("native", 5) end))
  print(pcall(function() rt.main(5) end))
  print(pcall(function() rt.main() end))
  print(pcall(function() rt.runtime("nonsense") end))
]], ([[
false	(command line):2: unknown runtime 'nonsense' (there is: native)
false	(command line):3: bad argument #1 to 'main' (function expected, got number)
false	(command line):4: bad argument #1 to 'main' (function expected, got nil)
false	(command line):5: bad argument #1 to 'main' (function expected, got nil)
false	(command line):6: unknown runtime 'nonsense' (there is: native)
]]):gsub("native", (table.concat(require("rt.core").runtimes(), ", "))) .. "")

test("a failing main", "require 'rt'.main(function() error 'boom' end)", "",
  "^luajit: %(command line%):1: boom\nstack traceback:", 1)

test("a main that fails with an object", [[
  local rt = require "rt"
  local object = {}
  local ok, err = pcall(rt.main, function() error(object) end)
  print(ok, err == object)
  print(pcall(rt.main, function() error() end))
  print(pcall(rt.main, function() rt.task.current():cancel() rt.sleep(1) end))
]], "false\ttrue\nfalse\tnil\nfalse\tcancelled\n")

test("a failed task makes main fail", [[
  local rt = require "rt"
  rt.main(function()
    rt.spawn(function() error("lost", 0) end)
    rt.sleep(0.01)
    print "main goes on"
  end)
]], "main goes on\n",
  "^luajit: task spawned at %(command line%):3 failed: lost\n.*luajit: 1 failed task nobody joined", 1)

test("a deadlock", [[
  local rt = require "rt"
  print(pcall(rt.main, function() rt.sleep(math.huge) end))
  print(rt.main(function() return "fine again" end))
]], "false\tdeadlock\nfine again\n", "^luajit: deadlock: .*waits for: sleep")

test("leftover tasks are cancelled", [[
  local rt = require "rt"
  rt.main(function()
    rt.spawn(function() print("cleanup", pcall(rt.sleep, 60)) end)
    rt.yield()
  end)
  print "after"
]], "cleanup\tfalse\tcancelled\nafter\n")

test("handles outlive their main", [[
  local rt = require "rt"
  local listener, conn, socket, task
  rt.main(function()
    listener = assert(rt.net.tcp.listen("127.0.0.1:0"))
    conn = assert(rt.net.tcp.connect(listener:local_addr()))
    socket = assert(rt.net.udp.bind("127.0.0.1:0"))
    task = rt.spawn(function() rt.timeout(0.001, listener.accept, listener) return "result" end)
    rt.timeout(0.001, socket.recv, socket)
    rt.timeout(0.001, conn.read, conn)
    task:join()
  end)
  print(tostring(task):find("command line") ~= nil, task:status(), listener:fd() > 0)
  rt.main(function()
    print(task:await())
    local address = socket:local_addr()
    socket:send_to("x", address)
    print(socket:recv())
  end)
  listener:close() conn:close() socket:close()
  collectgarbage()
  print(listener:fd())
]], "true\tdone\ttrue\nresult\nx\nnil\tclosed\tEBADF\n")

test("a socket that was waited on in one main is waited on in the next", [[
  local rt = require "rt"
  local a, b
  rt.main(function()
    a, b = assert(rt.net.udp.bind("127.0.0.1:0")), assert(rt.net.udp.bind("127.0.0.1:0"))
    rt.timeout(0.001, a.recv, a)
  end)
  rt.main(function()
    local reader = rt.spawn(function() return a:recv() end)
    rt.sleep(0.002)
    b:send_to("second main", a:local_addr())
    print(rt.timeout(10, reader.await, reader))
  end)
]], "second main\n")

test("collection while tasks wait, and a clean end", [[
  local rt = require "rt"
  rt.main(function()
    for i = 1, 50 do
      rt.spawn(function() table.sort({1, 2}, function() rt.sleep(60) end) end)
      rt.spawn(function() local s = rt.net.udp.bind("127.0.0.1:0") s:recv() end)
    end
    for i = 1, 5 do rt.sleep(0.001) collectgarbage() end
  end)
  collectgarbage()
  print "done"
]], "done\n")

test("os.exit in main", "require 'rt'.main(function() print 'x' os.exit(5) end)", "x\n", nil, 5)
test("os.exit in main that closes the state", "require 'rt'.main(function() print 'x' os.exit(6, true) end)",
  "x\n", nil, 6)

rt.test("SIGPIPE does not kill through a socket", {skip = skip}, function(t)
  local result = program.luajit [[
    local rt = require "rt"
    rt.main(function()
      local listener = rt.net.tcp.listen("127.0.0.1:0")
      local conn = rt.net.tcp.connect(listener:local_addr())
      listener:accept():close()
      for _ = 1, 5 do
        conn:write("x")
        conn:write("x", "y")
        rt.sleep(0.001)
      end
      print(select(3, conn:write("x")))
    end)
  ]]
  t:equal(result.code, 0)
  t:equal(result.stdout, "EPIPE\n")
end)

rt.test("the module is loaded once however it is asked for", {skip = skip}, function(t)
  local result = program.luajit "local a = require 'rt' local b = require 'rt.net' print(a.net == b, require 'rt' == a)"
  t:equal(result.stdout, "true\ttrue\n")
end)
