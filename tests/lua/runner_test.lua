-- SPDX-License-Identifier: MIT
-- rtlua test: what a test may do, and each verdict on it.

local rt = require "rt"
local program = require "program"
local runner = require "runner"
local run, file, has, lacks, ends = runner.run, runner.file, runner.has, runner.lacks, runner.ends

rt.test("the program of the user's manual", function()
  local result = file [[
    rt.test("echo gives back what it got", function(t)
      local listener = assert(net.tcp.listen("127.0.0.1:0"))
      t:spawn(function()
        for conn in listener:incoming() do
          t:spawn(function() conn:pipe_to(conn) end)
        end
      end)
      local conn = assert(net.tcp.connect(listener:local_addr()))
      assert(conn:write("ping"))
      t:equal(conn:read_exactly(4), "ping")
    end)
    rt.test("a minute passes at once", {clock = "virtual"}, function(t)
      local before = rt.now()
      rt.sleep(60)
      t:near(rt.now() - before, 60)
    end)
    rt.test("on a runtime", {runtime = "native"}, function(t) t:ok(rt.spawn(function() return true end):await()) end)
    rt.bench("spawn and join", function(b)
      for _ = 1, b.n do rt.spawn(function() end):await() end
    end)]]
  ends(result, 0, "3 passed, 0 failed")
  has(result, "ok    echo gives back what it got")
end)

-- Each of these fails by its own doing; the good tests around them still pass. Those that hang say so: it
-- takes a while until a worker is given up.
local failing = {
  {"an error", [[error("boom")]], {"x_test.lua:2: boom", "in function"}},
  {"an error object", [[error({code = 4})]], {"error object: {code = 4}"}},
  {"a failed assertion", [[t:ok(false, "not so")]], {"x_test.lua:2: not so"}},
  {"a wait that is too long", [[rt.sleep(30)]], {"timeout: still waiting after 0.3 s", "in function 'sleep'"}, true},
  {"a loop", [[while true do end]], {"timeout: has not ended in 0.3 s, and was killed", program.interrupts and "watchdog: task" or ""}, true},
  {"a loop after its pipe has been closed", [[local ffi = require "ffi" ffi.cdef "int close(int);" ffi.C.close(3)
    while true do end]], {"timeout: has not ended in 0.3 s"}, true},
  {"a swallowed timeout", [[while true do pcall(rt.sleep, 1) end]], {"timeout: has not ended"}, true},
  {"a crash", [[require("ffi").cast("int *", 0)[0] = 1]], {"crash: the process " .. runner.crashed}},
  {"an exit", [[os.exit(0)]], {"crash: the process exited with code 0"}},
  {"its own end", [[rt.task.current():cancel() rt.sleep(1)]], {"the test was cancelled"}},
  {"a task", [[rt.spawn(rt.sleep, 30)]], {"left behind:", "task spawned at x_test.lua:2, waiting for sleep"}},
  {"a task that failed", [[rt.spawn(error, "lost")]], {"1 task failed that nobody joined", "lost"}},
  {"a task of its own that fails", [[t:spawn(function() rt.sleep(0) error("child") end) rt.sleep(30)]], {"x_test.lua:2: child"}},
  {"a listener", [[left = net.tcp.listen("127.0.0.1:0")]], {"listener (127.0.0.1:", "made at x_test.lua:2"}},
  {"a connection", [[local l = net.tcp.listen("127.0.0.1:0") left = net.tcp.connect(l:local_addr()) l:close()]],
    {"connection (127.0.0.1:", "made at x_test.lua:2"}},
  {"an accepted connection", [[local l = net.tcp.listen("127.0.0.1:0") local c = net.tcp.connect(l:local_addr())
    left = l:accept() l:close() c:close()]], {"connection (127.0.0.1:", "made at x_test.lua:3"}},
  {"a UDP socket", [[left = net.udp.bind("127.0.0.1:0")]], {"UDP socket (127.0.0.1:", "made at x_test.lua:2"}},
  {"a file", [[left = io.open("/etc/passwd")]], {"file made at x_test.lua:2"}},
  {"a descriptor", [[local ffi = require "ffi" ffi.cdef "int dup(int);" ffi.C.dup(0)]], {"descriptor ", " (/dev/null)"}},
}

for _, case in ipairs(failing) do
  local name, body, texts, hangs = unpack(case)
  rt.test("fails: " .. name, function()
    local result = file(([[
rt.test("before", function(t) rt.sleep(0) end)
rt.test("the bad one", {timeout = %g}, function(t) %s end)
rt.test("after", function(t) rt.sleep(0) end)]]):format(hangs and 0.3 or 30, body))
    ends(result, 1, "2 passed, 1 failed")
    has(result, "ok    before")
    has(result, "FAIL  the bad one")
    has(result, "ok    after")
    for _, text in ipairs(texts) do has(result, text) end
  end)
end

rt.test("no false alarm: what is closed, collected, cancelled or about to end", function()
  ends(file [[
    local shared = io.open("/etc/passwd")
    rt.test("closed", function()
      local l = net.tcp.listen("127.0.0.1:0")
      local c = net.tcp.connect(l:local_addr())
      kept = {l, c, l:accept(), net.udp.bind("127.0.0.1:0"), io.open("/etc/passwd")}
      for _, handle in ipairs(kept) do handle:close() end
    end)
    rt.test("collected", function()
      local l = net.tcp.listen("127.0.0.1:0")
      local c, a = net.tcp.connect(l:local_addr()), l:accept()
      local u, f = net.udp.bind("127.0.0.1:0"), io.open("/etc/passwd")
      for i = 1, 200 do c:write("x") a:read(1) end
    end)
    rt.test("cancelled", function() rt.spawn(rt.sleep, 30):cancel() end)
    rt.test("cancelled in virtual time", {clock = "virtual"}, function() rt.spawn(rt.sleep, 30):cancel() end)
    rt.test("about to end", function()
      local l = net.tcp.listen("127.0.0.1:0")
      local c = net.tcp.connect(l:local_addr())
      local a = l:accept()
      rt.spawn(function() a:pipe_to(a) end)
      c:close()
    end)
    rt.test("a name", function(t) t:ok(net.resolve("localhost")) end)
    rt.test("a process", function() local pipe = io.popen("true") pipe:read() pipe:close() end)
    rt.test("the file's own", function(t) t:ok(shared:read(1)) end)]], 0, "8 passed, 0 failed")
end)

rt.test("each test leaves its handles closed to the next one", function()
  local result = file [[
    rt.test("leaks", function() left = net.tcp.listen("127.0.0.1:0") end)
    rt.test("clean", function(t) local _, _, code = left:accept() t:equal(code, "EBADF") end)]]
  ends(result, 1, "1 passed, 1 failed")
end)

rt.test("a traceback through awaits, and the source line", function()
  local result = run {["x_test.lua"] = [[
local rt = require "rt"
local function inner()
  rt.sleep(0.001)
  error("deep")
end
rt.test("x", function()
  rt.spawn(function()
    rt.spawn(inner):await()
  end):await()
end)]]}
  has(result, "x_test.lua:4: deep")
  has(result, "task spawned at x_test.lua:8, stack traceback:")
  has(result, "task spawned at x_test.lua:7, stack traceback:")
  has(result, [[     4 |   error("deep")]])
  lacks(result, "rt/test/")
end)

rt.test("describe, before_each, after_each: in their order, and they may wait", function()
  local result = file [[
    local log = {}
    rt.before_each(function(t) rt.sleep(0.001) log = {"before"} end)
    rt.after_each(function(t) rt.sleep(0.001) log[#log + 1] = "after" print(table.concat(log, " ")) end)
    rt.describe("outer", function()
      rt.before_each(function(t) log[#log + 1] = "outer before" end)
      rt.describe("inner", function()
        rt.test("y", function(t) log[#log + 1] = "y" end)
      end)
      rt.after_each(function(t) log[#log + 1] = "outer after" end)
    end)
    rt.test("z", function(t) log[#log + 1] = "z" error("bad") end)]]
  ends(result, 1, "1 passed, 1 failed")
  has(result, "ok    outer / inner / y")
  has(result, "  before z after")
  result = file([[
    rt.describe("outer", function()
      local log = {}
      rt.before_each(function() log[#log + 1] = "1" end)
      rt.before_each(function() log[#log + 1] = "2" end)
      rt.after_each(function() print(table.concat(log, " ")) end)
      rt.after_each(function() log[#log + 1] = "4" end)
      rt.test("y", function() log[#log + 1] = "3" end)
    end)]], "--verbose")
  has(result, "| 1 2 3 4")
end)

rt.test("a failing before_each or after_each fails the test; the other after_each still run", function()
  local result = file [[
    rt.describe("a", function()
      rt.before_each(function() error("no start") end)
      rt.after_each(function() print("cleaned up") end)
      rt.test("x", function() print("never") end)
    end)
    rt.describe("b", function()
      rt.after_each(function() print("cleaned up, too") end)
      rt.after_each(function() error("no end") end)
      rt.test("x", function() end)
    end)]]
  ends(result, 1, "0 passed, 2 failed")
  for _, text in ipairs {"no start", "cleaned up", "cleaned up, too", "no end"} do has(result, text) end
  lacks(result, "it has printed:\n          never")
end)

rt.test("skip: by the test, by an option, in a task", function()
  local result = file [[
    rt.test("a", function(t) t:skip("not today") error("never") end)
    rt.test("b", {skip = "not here"}, function() error("never") end)
    rt.test("c", {skip = true}, function() error("never") end)
    rt.test("d", {skip = false}, function() end)
    rt.test("e", function(t) t:spawn(function() t:skip("in a task") end) rt.sleep(30) end)]]
  ends(result, 0, "1 passed, 0 failed, 4 skipped")
  has(result, "skip  a: not today")
  has(result, "skip  b: not here")
  has(result, "skip  e: in a task")
end)

rt.test("parametrised tests", function()
  local result = file [[
    rt.describe("sum", function()
      rt.test("of", {each = {1, "two", {name = "three", value = 3}, {4}}}, function(t, parameter)
        t:equal(type(parameter) == "table" and (parameter.value or parameter[1]) or parameter, 3)
      end)
    end)]]
  ends(result, 1, "1 passed, 3 failed")
  has(result, "FAIL  sum / of [1]")
  has(result, "FAIL  sum / of [two]")
  has(result, "ok    sum / of [three]")
  has(result, "FAIL  sum / of [#4]")
end)

rt.test("t:spawn: the tasks end with the test, after their cleanup", function()
  local result = file([[
    rt.test("x", function(t)
      t:spawn(function()
        local ok, err = pcall(rt.sleep, 30)
        print(ok, err == rt.cancelled)
      end)
      rt.sleep(0.001)
      t:equal(t:spawn(function(a, b) return a + b end, 1, 2):await(), 3)
      print(tostring(t:spawn(rt.sleep, 30)))
    end)]], "--verbose")
  ends(result, 0, "1 passed, 0 failed")
  has(result, "| false\ttrue")
  has(result, "| task (x_test.lua:8)")
end)

rt.test("t:spawn: the tasks have ended when after_each begins", function()
  ends(file [[
    local running = 0
    rt.after_each(function(t) t:equal(running, 0) end)
    rt.test("x", function(t)
      t:spawn(function() running = 1 pcall(rt.sleep, 30) running = 0 end)
      rt.yield()
      t:equal(running, 1)
    end)]], 0, "1 passed, 0 failed")
end)

rt.test("eventually, error, near", function()
  local result = file [[
    rt.test("a", function(t)
      local count = 0
      t:equal(t:eventually(function() count = count + 1 return count > 3 and count end), 4)
      t:equal(t:error(function() error({1}) end), {1})
      t:error(function() error("some text") end, "some t")
      t:near(1.0005, 1)
      local task = rt.spawn(rt.sleep, 1)
      task:cancel()
      t:equal(t:error(function() task:await() end), rt.cancelled)
    end)
    rt.test("b", {clock = "virtual"}, function(t) t:eventually(function() return false end, 1000) end)
    rt.test("c", function(t) t:error(function() end) end)
    rt.test("d", function(t) t:error(function() error("some text") end, "other") end)
    rt.test("e", function(t) t:near(1.1, 1, 0.01) end)
    rt.test("f", function(t) t:near(0 / 0, 1) end)
    rt.test("g", function(t) t:near(nil, 1) end)]]
  ends(result, 1, "1 passed, 6 failed")
  has(result, "not true within 1000 s")
  has(result, "expected an error")
  has(result, 'expected an error with "other"')
  has(result, "expected about 1, got 1.1")
  has(result, "expected about 1, got nil")
end)

rt.test("equal: tables by their fields, and a diff that can be read", function()
  local result = file [[
    rt.test("same", function(t)
      local a, b = {1, {x = 2}}, {1, {x = 2}}
      a.me, b.me = a, b
      t:equal(a, b)
      t:equal(0 / 0, 0 / 0)
      t:equal(nil, nil)
    end)
    rt.test("tables", function(t)
      t:equal({a = 1, b = {1, 2, x = "y"}, [true] = 1}, {a = 2, b = {1, 3}, ["c d"] = 4, [true] = 1})
    end)
    rt.test("text", function(t) t:equal("one\ntwo\n", "one\nthree\n") end)
    rt.test("kinds", function(t) t:equal("1", 1) end)
    rt.test("cycle", function(t) local a = {} a.a = a t:equal(a, 1) end)
    rt.test("many", function(t) local a = {} for i = 1, 100 do a[i] = i end t:equal(a, {}) end)]]
  ends(result, 1, "1 passed, 5 failed")
  has(result, ".a: expected 2, got 1\n")
  has(result, ".b[2]: expected 3, got 2\n")
  has(result, '.b.x: not expected, got "y"\n')
  has(result, '["c d"]: missing, expected 4\n')
  has(result, 'line 2: expected "three"\n')
  has(result, 'expected 1, got "1"\n')
  has(result, "expected 1, got {a = <cycle>}\n")
  has(result, "and 80 more\n")
  lacks(result, "[true]:")
end)

rt.test("what a test has printed is shown when it fails, and no other output", function()
  local result = file [[
    rt.test("a", function() print("of a") io.stderr:write("and stderr\n") error("x") end)
    rt.test("b", function() print("of b") end)
    rt.test("c", function() print("of c") require("ffi").cast("int *", 0)[0] = 1 end)]]
  has(result, "it has printed:\n          of a\n          and stderr\n")
  has(result, "it has printed:\n          of c\n")
  lacks(result, "of b")
  has(file([[rt.test("b", function() print("of b") end)]], "--verbose"), "| of b")
end)

rt.test("of much output the last lines are shown", function(t)
  local result = file [[rt.test("a", function() for i = 1, 100000 do print("line " .. i) end error("x") end)]]
  has(result, "it has printed:\n          ...\n          line ")
  has(result, "          line 100000\n")
  t:ok(#result.stdout < 50000)
end)

rt.test("an assertion in a task is told without the frames of the runner", function()
  local result = file [[rt.test("a", function(t) rt.spawn(function() t:equal(1, 2) end):await() end)]]
  has(result, "expected 2, got 1")
  has(result, "task spawned at x_test.lua:1")
  lacks(result, "rt/test/")
end)

rt.test("a deadlock is told from a timeout", function()
  local result = file [[rt.test("x", {clock = "virtual"}, function() rt.sync.channel():recv() end)]]
  ends(result, 1, "0 passed, 1 failed")
  has(result, "deadlock: every task waits")
end)

rt.test("what a test puts into t is its own", function()
  ends(file [[
    rt.before_each(function(t) t.body, t.failure, t.skipped, t.children, t.name = 1, 2, 3, 4, 5 end)
    rt.test("a", function(t) t:spawn(rt.sleep, 30) t:equal(t.body, 1) end)]], 0, "1 passed, 0 failed")
end)

rt.test("a test gets a fresh runtime", function()
  ends(file [[
    rt.test("a", function() rt.spawn(rt.sleep, 30) end)
    rt.test("b", function(t) t:equal(#rt.task.list(), 2) end)]], 1, "1 passed, 1 failed")
end)
