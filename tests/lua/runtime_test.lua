-- SPDX-License-Identifier: MIT
-- rt.runtime(): the program goes on on another runtime, in programs of their own.

local rt = require "rt"
local program = require "program"

-- What a program prints, or its error, on rtlua with these arguments.
local function run(code, arguments)
  local result = program.rt((arguments or "") .. " -e " .. program.quote("local rt = require 'rt' " .. code))
  return result.code == 0 and result.stdout or result.stderr, result.code
end

rt.test("the name of the one that runs", function(t)
  t:equal(run("print(rt.runtime())"), "native\n")
  t:equal(run("print(rt.runtime())", "--runtime=stealing"), "stealing\n")
  t:equal(run("print(rt.runtime('native'))"), "native\n")
end)

rt.test("the program goes on on another one", function(t)
  t:equal(run("print(rt.runtime('stealing'), rt.runtime())"), "stealing\tstealing\n")
  t:equal(run([[
    rt.runtime "stealing"
    print(rt.spawn(function() rt.sleep(0.001) return rt.runtime() end):await())
    print(rt.parallel(function() return require("rt").runtime() end):await())
  ]]), "stealing\nstealing\n")
  t:equal(run("rt.runtime 'native' print(rt.runtime())", "--runtime=stealing"), "native\n")
end)

rt.test("there and back, and again", function(t)
  t:equal(run([[
    for i = 1, 20 do
      rt.runtime(i % 2 == 0 and "native" or "stealing")
      rt.sleep(0)
    end
    print(rt.runtime(), rt.task.current().name)
  ]]), "native\tmain\n")
end)

rt.test("from where a coroutine cannot yield", function(t)
  t:equal(run([[
    local list = {2, 1}
    table.sort(list, function(a, b) rt.runtime "stealing" return a < b end)
    print(list[1], rt.runtime())
    coroutine.wrap(function() rt.runtime "native" end)()
    print(rt.runtime())
  ]]), "1\tstealing\nnative\n")
end)

rt.test("sockets made before work after", function(t)
  t:equal(run([[
    local net = require "rt.net"
    local listener = assert(net.tcp.listen("127.0.0.1:0"))
    rt.runtime "stealing"
    local client = rt.spawn(function() return net.tcp.connect(listener:local_addr()):read_all() end)
    local conn = assert(listener:accept())
    conn:write("hello")
    conn:close()
    print(client:await())
  ]]), "hello\n")
end)

rt.test("too late", function(t)
  local text, code = run([[
    rt.spawn(function() rt.sleep(0.001) end)
    rt.runtime "stealing"
  ]])
  t:equal(code, 1)
  t:ok(text:find("the program runs on 'native' already: another runtime must be chosen before anything is spawned", 1,
    true), text)
  text, code = run("rt.spawn(function() rt.runtime 'stealing' end):await()")
  t:equal(code, 1)
  t:ok(text:find("'native' already", 1, true), text)
  text, code = run("rt.parallel(function() require('rt').runtime 'stealing' end):await()")
  t:equal(code, 1)
  t:ok(text:find("'native' already", 1, true), text)
end)

rt.test("not inside of a timeout, whose timer is the first one's", function(t)
  local text, code = run("rt.timeout(60, rt.runtime, 'stealing')")
  t:ok(text:find("runtime: another one cannot be chosen inside of a timeout", 1, true), text)
  t:equal(code, 1)
  t:equal(run("rt.timeout(60, rt.sleep, 0) print(rt.runtime 'stealing')"), "stealing\n")
end)

rt.test("one that there is not", function(t)
  local text, code = run("rt.runtime 'none'")
  t:equal(code, 1)
  t:ok(text:find("unknown runtime 'none' (there is: native, stealing)", 1, true), text)
end)

rt.test("a failure afterwards is main's", function(t)
  local text, code = run("rt.runtime 'stealing' error('oh')")
  t:equal(code, 1)
  t:ok(text:find("oh", 1, true), text)
end)

rt.test("with the options of the command", function(t)
  t:equal(run([[
    rt.runtime "stealing"
    rt.spawn(function() end):await()
    print(rt.runtime())
  ]], "--workers=2"), "stealing\n")
end)
