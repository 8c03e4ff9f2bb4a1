-- SPDX-License-Identifier: MIT
-- What the runtime tells of itself: lists and trees of tasks, deadlocks, signals, the watchdog, --strict.

local rt = require "rt"
local program = require "program"

local function has(t, text, pattern)
  t:ok(text:find(pattern), ("%s is not in:\n%s"):format(pattern, text))
end

local function record_of(name)
  for _, record in ipairs(rt.task.list({traceback = true})) do
    if record.name == name then return record end
  end
end

local function named(name, fn, ...)
  local task = rt.spawn(fn, ...)
  task.name = name
  return task
end

local function stop(task)
  task:cancel()
  task:join()
end

rt.test("a record of a task that waits", function(t)
  local task = named("waits", function() rt.sleep(60) end)
  rt.yield()
  local record, me, main = record_of("waits"), record_of(t.name), record_of("main")
  t:equal(record.status, "waiting")
  t:equal(record.waits_for, "sleep")
  has(t, record.detail, "^%d+%.%d+ s left$")
  has(t, record.site, "report_test%.lua:%d+$")
  has(t, record.traceback, "stack traceback:\n.*report_test%.lua:%d+: in function")
  t:equal(record.parent, me.id)
  t:equal(me.parent, main.id)
  t:equal(me.status, "running")
  t:equal(me.waits_for, nil)
  t:equal(main.parent, nil)
  t:equal(main.site, "?")
  stop(task)
end)

rt.test("a record says what exactly is waited for", function(t)
  local listener = assert(rt.net.tcp.listen("127.0.0.1:0"))
  local accepts = named("accepts", function() listener:accept() end)
  local joins = named("joins", function() accepts:join() end)
  local runnable = named("runnable", function() end)
  t:equal(record_of("runnable").status, "runnable")
  t:equal(record_of("runnable").waits_for, nil)
  t:equal(record_of("runnable").traceback, nil)
  rt.yield()
  t:equal(record_of("accepts").waits_for, "readable")
  t:equal(record_of("accepts").detail, "descriptor " .. listener:fd())
  t:equal(record_of("joins").waits_for, "join")
  has(t, record_of("joins").detail, "^task " .. record_of("accepts").id .. ", spawned at .*report_test%.lua:%d+$")
  t:equal(record_of("runnable"), nil)
  listener:close()
  joins:join()
  runnable:join()
end)

rt.test("records have only what JSON can have", function(t)
  for _, record in ipairs(rt.task.list({traceback = true})) do
    for key, value in pairs(record) do
      t:equal(type(key), "string")
      t:ok(type(value) == "string" or type(value) == "number", key)
    end
  end
  local ok, err = pcall(rt.task.list, 1)
  t:equal(ok, false)
  has(t, err, "bad argument #1 to 'list' %(table expected, got number%)")
end)

rt.test("the traceback of a task that has kept its carrier begins where it waits", function(t)
  local task = named("nested", function()
    local function inner() rt.sleep(60) end
    coroutine.wrap(function() table.sort({2, 1}, inner) end)()
  end)
  rt.yield()
  has(t, record_of("nested").traceback, "'sleep'.*'sort'.*\nin a coroutine of\nstack traceback:\n")
  stop(task)
end)

rt.test("a tree of who has spawned whom", function(t)
  local inner
  local task = named("outer", function()
    inner = named("inner", function() rt.sleep(60) end)
    rt.sleep(60)
  end)
  rt.yield()
  rt.yield()
  local file = assert(io.tmpfile())
  rt.task.dump(file)
  file:seek("set")
  local text = file:read("*a")
  file:close()
  has(t, text, "^task %d+ 'main' ")
  has(t, text, "\n  task %d+ 'a tree of who has spawned whom'[^\n]* is running\n")
  has(t, text, "\n    task %d+ 'outer' %(spawned at [^\n]*report_test%.lua:%d+%) waits for: sleep %([%d.]+ s left%)\n")
  has(t, text, "\n      task %d+ 'inner' %(")
  has(t, text, "\n        stack traceback:\n[^\n]*'sleep'")
  t:ok(not pcall(rt.task.dump, file), "a closed file")
  t:ok(not pcall(rt.task.dump, "text"), "no file")
  stop(inner)
  stop(task)
end)

rt.test("a long chain of tasks", function(t)
  local COUNT = 20000
  local tasks = {}
  local function spawn_next()
    if #tasks < COUNT then tasks[#tasks + 1] = rt.spawn(spawn_next) end
    rt.sleep(60)
  end
  tasks[1] = rt.spawn(spawn_next)
  while #tasks < COUNT do rt.yield() end
  local list = rt.task.list()
  t:ok(#list > COUNT)
  -- Behind main and this test.
  for i = 4, #list do
    if list[i].parent ~= list[i - 1].id then t:equal(list[i].parent, list[i - 1].id) end
  end
  stop(tasks[1])
  -- Whose parent has ended stands at the top.
  t:equal(rt.task.list()[3].parent, nil)
  for i = 2, COUNT do stop(tasks[i]) end
end)

rt.test("a deadlock in three lines", function(t)
  local result = program.script([[
local rt = require "rt"
local channel = rt.sync.channel()
channel:recv()
]])
  t:equal(result.code, 1)
  has(t, result.stderr, "^rtlua: deadlock: every task waits for something that nothing can bring about\n" ..
    "task 1 'main' waits for: receive\n  stack traceback:\n.*lua:3: in main chunk\n$")
end)

local RAISE = [[
local rt = require "rt"
local ffi = require "ffi"
ffi.cdef "int raise(int signal);"
local SIGINT, SIGQUIT = 2, 3
]]

rt.test("SIGQUIT prints the tasks, and the program goes on", function(t)
  local result = program.script(RAISE .. [[
rt.spawn(function()
  for _ = 1, 2 do
    ffi.C.raise(SIGQUIT)
    for _ = 1, 20000 do rt.yield() end -- the loop looks for signals at least every 4096 turns
  end
end):await()
print("went on")
]])
  t:equal(result.code, 0)
  t:equal(result.stdout, "went on\n")
  local _, count = result.stderr:gsub("task 1 'main' waits for: join", "")
  t:equal(count, 2)
  has(t, result.stderr, "\n  task 2 %(spawned at [^\n]*%.lua:%d+%) is runnable")
end)

rt.test("SIGINT cancels main, whose cleanup runs", function(t)
  local result = program.script(RAISE .. [[
ffi.C.raise(SIGINT)
local ok, err = pcall(rt.sleep, 60)
print(ok, err == rt.cancelled)
rt.sleep(60)
]])
  t:equal(result.code, 130)
  t:equal(result.stdout, "false\ttrue\n")
  t:equal(result.stderr, "")
end)

rt.test("a program that catches its cancellation by SIGINT and ends well is fine", function(t)
  local result = program.script(RAISE .. "ffi.C.raise(SIGINT)\npcall(rt.sleep, 60)")
  t:equal(result.code, 0)
  result = program.script(RAISE .. "ffi.C.raise(SIGINT)\npcall(rt.sleep, 60)\nerror('why')")
  t:equal(result.code, 1)
  has(t, result.stderr, "why")
end)

rt.test("a second SIGINT kills", function(t)
  local result = program.script(RAISE .. "ffi.C.raise(SIGINT)\nffi.C.raise(SIGINT)\nprint('alive')")
  t:equal(result.code, 130)
  t:equal(result.stdout, "")
end)

rt.test("SIGINT that is ignored stays ignored", function(t)
  local path = program.file(RAISE .. "ffi.C.raise(SIGINT)\nrt.sleep(0.01)\nprint('alive')", ".lua")
  local result = program.run(("trap '' INT; %s %s"):format(program.quote(program.rtlua), path))
  os.remove(path)
  t:equal(result.stdout, "alive\n")
end)

rt.test("--strict names what main leaves behind", function(t)
  local script = "local rt = require 'rt'\nlocal task = rt.spawn(rt.sleep, 60)\ntask.name = 'left'\nrt.yield()"
  local result = program.script(script, "--strict %s")
  t:equal(result.code, 1)
  has(t, result.stderr, "^rtlua: main has left a task behind: task 2 left %(spawned at [^\n]*%.lua:2%)\n$")
  result = program.script(script)
  t:equal(result.code, 0)
  t:equal(result.stderr, "")
  t:equal(program.script("require('rt').sleep(0)", "--strict %s").code, 0)
end)

rt.test("the watchdog names a task that does not give way, once", function(t)
  local result = program.script([[
local rt = require "rt"
local reported
rt.spawn(function()
  local clock = os.clock
  local start = clock()
  while clock() - start < 1 do local _ = ("x"):rep(2) end
end):join()
rt.sleep(0.1)
]], "--watchdog=0.1 -joff %s")
  t:equal(result.code, 0)
  has(t, result.stderr, "^watchdog: task [^\n]* %(spawned at [^\n]*%.lua:3%) has not given way for 0%.1 s\n" ..
    "stack traceback:\n.*%.lua:%d+: in function <")
  local _, count = result.stderr:gsub("watchdog: task [^\n]* %(spawned at [^\n]*%.lua:3%)", "")
  t:equal(count, 1)
end)

rt.test("the watchdog watches every worker", {runtime = "native"}, function(t)
  for _, options in ipairs {"--runtime=stealing --workers=2", "--runtime=stealing --workers=4", "--runtime=native --workers=2"} do
    local result = program.script([[
local rt = require "rt"
local function compute()
  local clock = os.clock
  local start = clock()
  while clock() - start < 1 do local _ = ("x"):rep(2) end
end
local a, b = rt.parallel(compute), rt.parallel(compute)
a:await()
b:await()
]], "--watchdog=0.1 -joff " .. options .. " %s")
    t:equal(result.code, 0)
    local _, count = result.stderr:gsub("watchdog: task [^\n]* %(spawned at [^\n]*%.lua:7%) has not given way", "")
    t:equal(count, 2)
  end
end)

-- Again where the machine has not run the program for so long that the watchdog is right.
rt.test("the watchdog is silent while tasks give way and while they wait", function(t)
  local result, longest
  for _ = 1, 5 do
    result = program.script([[
local rt = require "rt"
local start, longest = rt.now(), 0
local last = start
while last - start < 0.3 do
  rt.yield()
  local now = rt.now()
  last, longest = now, math.max(longest, now - last)
end
rt.sleep(0.3)
print(longest)
]], "--watchdog=0.2 %s")
    t:equal(result.code, 0)
    longest = tonumber(result.stdout)
    if longest < 0.1 then break end
  end
  t:ok(longest < 0.1, "a machine that can be tested on")
  t:equal(result.stderr, "")
end)

for _, wrong in ipairs({"x", "-1", "0", "nan", "1e9", "1s", ""}) do
  rt.test("--watchdog=" .. wrong, function(t)
    local result = program.rt("--watchdog=" .. wrong .. " -e ''")
    t:equal(result.code, 1)
    has(t, result.stderr, "%-%-watchdog takes a number of seconds from 0.001 to 86400, not '" .. wrong:gsub("%-", "%%-") .. "'")
  end)
end
