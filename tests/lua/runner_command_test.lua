-- SPDX-License-Identifier: MIT
-- rtlua test, the command: its options, what is no good, interrupts, and the formats of its report.

local rt = require "rt"
local program = require "program"
local runner = require "runner"
local run, file, has, lacks, ends = runner.run, runner.file, runner.has, runner.lacks, runner.ends

local two = [[
rt.test("alpha one", function() end)
rt.test("beta two", function() error("bad") end)
]]

rt.test("finds *_test.lua below folders, takes any file that is given, each once", function()
  local test = 'require("rt").test("x", function() end)'
  local files = {["a_test.lua"] = test, ["sub/b_test.lua"] = test, ["c.lua"] = test, [".hidden/d_test.lua"] = test}
  local result = run(files)
  ends(result, 0, "2 passed, 0 failed")
  has(result, "sub/b_test.lua")
  ends(run(files, "sub a_test.lua c.lua c.lua"), 0, "3 passed, 0 failed")
end)

rt.test("what is no good is named, makes the exit code 2, and the other files still run", function()
  local bad = {
    ["syntax_test.lua"] = {'rt.test("x"', "syntax_test.lua:2:"},
    ["error_test.lua"] = {'error("at load")', "error_test.lua:2: at load"},
    ["twice_test.lua"] = {'rt.test("x", print)\nrt.test("x", print)',
      "twice_test.lua:3: two tests are called 'x': the other one is at twice_test.lua:2"},
    ["runtime_test.lua"] = {'rt.test("x", {runtime = "nope"}, print)', "option 'runtime': unknown runtime 'nope'"},
    ["timeout_test.lua"] = {'rt.test("x", {timeout = -1}, print)', "option 'timeout': a positive number"},
    ["seed_test.lua"] = {'rt.test("x", {seed = "a"}, print)', "option 'seed': a whole number"},
    ["clock_test.lua"] = {'rt.test("x", {clock = "sun"}, print)', "option 'clock': \"real\" or \"virtual\""},
    ["option_test.lua"] = {'rt.test("x", {colour = 1}, print)', "test 'x': unknown option 'colour'"},
    ["name_test.lua"] = {'rt.test(nil, print)', "bad argument #1 to 'test' (string expected, got nil)"},
    ["body_test.lua"] = {'rt.test("x")', "bad argument #2 to 'test'"},
    ["crash_test.lua"] = {'require("ffi").cast("int *", 0)[0] = 1', runner.crashed .. " outside of a test"},
    ["hang_test.lua"] = {'while true do end', "has not ended in 0.2 s, and was killed outside of a test"},
    ["deadlock_test.lua"] = {'rt.sync.channel():recv()', "deadlock"},
  }
  local files, count = {["good_test.lua"] = 'require("rt").test("good", function() end)'}, 0
  for name, case in pairs(bad) do
    files[name] = 'local rt = require "rt"\n' .. case[1]
    count = count + 1
  end
  local result = run(files, "--timeout=0.2")
  ends(result, 2, "1 passed, 0 failed")
  has(result, count .. " files could not be run")
  for _, case in pairs(bad) do has(result, case[2]) end
end)

rt.test("rt.test and its relatives outside of a test run", function(t)
  for _, name in ipairs {"test", "describe", "before_each", "after_each"} do
    local result = program.eval(("require('rt').%s('x', print)"):format(name))
    t:equal(result.code, 1)
    has(result, ("(command line):1: rt.%s outside of a test run: run the file with 'rtlua test'"):format(name))
  end
  local result = file [[rt.test("x", function() rt.test("y", function() end) end)]]
  ends(result, 1, "0 passed, 1 failed")
  has(result, "x_test.lua:1: rt.test inside of a test")
end)

rt.test("bad options", function(t)
  local bad = {
    {"--timeout=-1", "--timeout takes a positive number of seconds: '-1'"},
    {"--timeout=x", "--timeout takes a positive number of seconds: 'x'"},
    {"--seed=x", "--seed takes a whole number that is not negative: 'x'"},
    {"--seed=-1", "--seed takes"},
    {"--seed=1.5", "--seed takes"},
    {"--explore=0", "--explore takes a positive whole number: '0'"},
    {"--repeat=0", "--repeat takes"},
    {"--jobs=0", "--jobs takes"},
    {"--runtime=nope", "unknown runtime 'nope'"},
    {"--workers=0", "--workers takes a number from 1 to 256: '0'"},
    {"--workers=257", "--workers takes a number from 1 to 256: '257'"},
    {"--workers=2x", "--workers takes"},
    {"--jit=maybe", "--jit takes on or off: 'maybe'"},
    {"--format=html", "--format takes pretty, tap or junit: 'html'"},
    {"--seed", "--seed: argument missing"},
    {"--colour", "unknown option '--colour'"},
    {"-x", "unknown option '-x'"},
    {"nowhere", "open nowhere: no such file or directory"},
    {"--filter=nope", "no test has 'nope' in its name"},
  }
  for _, case in ipairs(bad) do
    local result = file(two, case[1])
    t:equal(result.code, 2)
    has(result, case[2])
  end
  local result = run({})
  t:equal(result.code, 2)
  has(result, "no file *_test.lua in .")
end)

rt.test("--help", function(t)
  local result = program.rt("test --help")
  t:equal(result.code, 0)
  local names = "filter fail-fast jobs timeout runtime workers repeat seed explore jit format"
  for option in names:gmatch("%S+") do has(result, "--" .. option) end
end)

rt.test("--jit: whether LuaJIT compiles what the workers run", function()
  local body = [[
for i = 1, 200 do local _ = i % 3 end
rt.test("x", function(t)
  for i = 1, 200 do local _ = i % 3 end
  print("JIT " .. tostring(jit.status()), "traces " .. tostring(require("jit.util").traceinfo(1) ~= nil))
end)]]
  has(file(body, "--verbose"), "JIT true\ttraces true")
  has(file(body, "--verbose --jit=on"), "JIT true\ttraces true")
  has(file(body, "--verbose --jit=off"), "JIT false\ttraces false")
end)

rt.test("--filter", function()
  local result = file(two, "--filter alpha")
  ends(result, 0, "1 passed, 0 failed")
  lacks(result, "beta")
  ends(file([[rt.describe("a", function() rt.test("b", function() end) end)]], "'--filter=a / b'"), 0, "1 passed, 0 failed")
end)

rt.test("--fail-fast: nothing starts after the first failure", function()
  local bad = 'local rt = require "rt" rt.test("x", function() error("bad") end) rt.test("y", function() end)'
  local result = run({["a_test.lua"] = bad, ["b_test.lua"] = bad}, "--fail-fast --jobs=1")
  ends(result, 1, "0 passed, 1 failed")
  lacks(result, "b_test.lua")
end)

-- For a test's body: stop() stops the command, which goes on when these workers have ended.
local stop_command = [[
local function pids() return io.open("/proc/self/stat"):read("*a"):match("^(%d+) %(.*%) %S (%d+)") end
local function stop(...)
  local _, command = pids()
  os.execute("kill -STOP " .. command)
  local wait = "{ for pid in %s; do while grep -qs ') [^Z]' /proc/$pid/stat; do sleep 0.01; done; done; kill -CONT %s; } &"
  os.execute(wait:format(table.concat({...}, " "), command))
end
]]

rt.test("--fail-fast: the worker starts nothing behind its failure, however slow the command is", function()
  local result = file(stop_command .. [[
rt.test("x", function() stop((pids())) error("bad") end)
rt.test("y", function() end)]], "--fail-fast")
  ends(result, 1, "0 passed, 1 failed")
end)

rt.test("--fail-fast: of two failures at the same time, one counts", function()
  local begin = 'local rt = require "rt" ' .. stop_command
  local files = {
    ["a_test.lua"] = begin .. [[
rt.test("x", function(t)
  local other = t:eventually(function() local file = io.open("b") return file and file:read("*n") end, 5)
  stop(pids(), other)
  io.open("a", "w"):close()
  error("bad")
end)]],
    ["b_test.lua"] = begin .. [[
rt.test("x", function(t)
  local file = io.open("b", "w")
  file:write((pids()), "\n")
  file:close()
  t:eventually(function() return io.open("a") end, 5)
  error("bad")
end)]]}
  ends(run(files, "--fail-fast --jobs=2"), 1, "0 passed, 1 failed")
end)

-- Each file waits for the other's folder to appear.
rt.test("--jobs: files at the same time, or one after the other", function()
  local meet = [[local rt = require "rt"
    rt.test("x", function(t)
      io.open("%s", "w"):close()
      t:eventually(function() local file = io.open("%s") return file and file:close() end, %g)
    end)]]
  local function files(limit)
    return {["a_test.lua"] = meet:format("a", "b", limit), ["b_test.lua"] = meet:format("b", "a", limit)}
  end
  ends(run(files(9), "--jobs=2"), 0, "2 passed, 0 failed")
  ends(run(files(0.1), "--jobs=1"), 1, "1 passed, 1 failed")
end)

rt.test("--timeout, and a test's own", function()
  local result = file([[
    rt.test("a", function() rt.sleep(30) end)
    rt.test("b", {timeout = 5}, function() rt.sleep(0.2) end)]], "--timeout=0.1")
  ends(result, 1, "1 passed, 1 failed")
  has(result, "timeout: still waiting after 0.1 s")
end)

rt.test("a timeout is one of each part, and of each schedule", function()
  ends(file([[
    rt.after_each(function() rt.sleep(2.6) end)
    rt.test("a", function() rt.sleep(2.6) end)]], "--timeout=3"), 0, "1 passed, 0 failed")
  ends(file([[rt.test("a", function() rt.sleep(0.3) end)]], "--timeout=0.5 --explore=12"), 0, "1 passed, 0 failed")
end)

rt.test("--repeat", function()
  local result = file('local n = 0 rt.test("a", function() n = n + 1 if n == 2 then error("second") end end)', "--repeat=3")
  ends(result, 1, "2 passed, 1 failed")
  has(result, "FAIL  a (run 2 of 3)")
end)

rt.test("--runtime", function()
  local body = [[rt.test("a", function(t) t:equal(rt.runtime(), "native") end)]]
  ends(file(body, "--runtime=native"), 0, "1 passed, 0 failed")
  local all = file(body .. [[rt.test("b", {runtime = "native"}, function() end)]], "--runtime=all")
  has(all, "ok    a")
  has(all, "ok    b")
end)

rt.test("--runtime=all: on every runtime, those of the file's own included", function()
  if program.sanitizer ~= "none" then return end -- the copy is larger than the original
  local result = file([[
    local ffi = require "ffi"
    ffi.cdef "extern char rt_native[]; int rt_runtime_register(const void *ops);"
    copy = ffi.new("char[256]")
    ffi.copy(copy, ffi.C.rt_native, 256)
    ffi.cast("const char **", copy)[0] = "copy"
    assert(ffi.C.rt_runtime_register(copy) == 0)
    rt.test("a", function(t) print(rt.runtime()) end)
    rt.test("b", {runtime = "copy"}, function(t) print(rt.runtime()) end)]], "--runtime=all --verbose")
  ends(result, 0, "4 passed, 0 failed")
  has(result, "ok    a (native)")
  has(result, "ok    a (stealing)")
  has(result, "ok    a (copy)")
  has(result, "| native")
  has(result, "| copy")
end)

local race = [[
rt.test("race", {clock = "virtual"}, function(t)
  local log = {}
  for i = 1, 5 do t:spawn(function() rt.yield() log[#log + 1] = i end) end
  t:eventually(function() return #log == 5 end)
  print("order " .. table.concat(log))
  t:ok(log[5] == 5)
end)
]]

rt.test("--explore finds a schedule that fails, and --seed replays it", function(t)
  ends(file(race), 0, "1 passed, 0 failed")
  local result = file(race, "--explore=200")
  ends(result, 1, "0 passed, 1 failed")
  local seed = result.stdout:match("seed (%d+): %-%-seed=%1 runs it again")
  local order = result.stdout:match("order (%d+)%s+$") or result.stdout:match(".*order (%d+)")
  t:ok(seed)
  for _ = 1, 3 do
    local again = file(race, "--seed=" .. seed)
    ends(again, 1, "0 passed, 1 failed")
    has(again, "order " .. order)
    has(again, "seed " .. seed .. ": ")
  end
  if tonumber(seed) > 1 then ends(file(race, "--explore=" .. seed - 1), 0, "1 passed, 0 failed") end
  ends(file([[rt.test("x", function() end)]], "--explore=20"), 0, "1 passed, 0 failed")
end)

-- ---- Interrupts ----

-- Interrupts the command once the test has made the file "running".
local function interrupted(arguments)
  local test = [[local rt = require "rt"
    rt.test("done", function() end)
    rt.test("endless", function() io.open("running", "w"):close() rt.sleep(60) end)]]
  return runner.folder({["x_test.lua"] = test}, function(path)
    return program.run(([[cd %s && env --default-signal=INT %s test %s & pid=$!
      until [ -e %s/running ]; do sleep 0.01; done
      kill -INT $pid; wait $pid]]):format(path, program.quote(program.rtlua), arguments, path))
  end)
end

rt.test("an interrupt shows what was running", function()
  local result = interrupted("")
  ends(result, 130, "1 passed, 0 failed")
  has(result, "ok    done")
  has(result, "interrupted; running were:\n  x_test.lua: endless (")
  has(interrupted("--format=tap"), "# running: x_test.lua: endless\nBail out! interrupted\n")
  has(interrupted("--format=junit"), "interrupted while running x_test.lua: endless")
end)

rt.test("no worker outlives a command that is killed", function(t)
  local test = [[local rt = require "rt"
    rt.test("endless", function() local f = io.open("pid", "w") f:write(io.open("/proc/self/stat"):read("*n")) f:close() rt.sleep(60) end)]]
  local result = runner.folder({["x_test.lua"] = test}, function(path)
    return program.run(([[cd %s; %s test & pid=$!
      until [ -s pid ]; do sleep 0.01; done
      kill -KILL $pid; wait $pid
      for i in $(seq 500); do grep -qs ') [^Z]' /proc/$(cat pid)/stat || { echo gone; exit; }; sleep 0.01; done]]):format(path,
      program.quote(program.rtlua)))
  end)
  t:equal(result.stdout, "gone\n")
end)

-- ---- Formats ----

local mixed = {
  ["a_test.lua"] = [==[local rt = require "rt"
    rt.test("good # 1 <&\"\\>", function() end)
    rt.test("bad", function() print("out]]>\1\255") error("<&\"> ]]>\27") end)
    rt.test("later", function(t) t:skip("a # reason") end)]==],
  ["b_test.lua"] = "syntax error",
}

rt.test("pretty: plain text where there is no terminal", function()
  local result = run(mixed)
  ends(result, 2, "1 passed, 1 failed, 1 skipped")
  lacks(result, "\27[")
  lacks(result, "\r")
end)

rt.test("pretty: colours and a live line on a terminal, unless NO_COLOR", function(t)
  -- It is missing in places, and without a pseudo-terminal it cannot work.
  if program.run("script -qec true /dev/null").code ~= 0 then t:skip("no script(1), or no pseudo-terminal") end
  local function on_terminal(environment)
    return runner.folder({["x_test.lua"] = 'require("rt").test("x", function() end)'}, function(path)
      return program.run(("cd %s; TERM=xterm %s script -qec '%s test' /dev/null"):format(path, environment, program.rtlua))
    end)
  end
  local colored, plain = on_terminal(""), on_terminal("NO_COLOR=1")
  has(colored, "\27[32mok\27[0m")
  has(colored, "\r\27[K0 passed, 0 failed; x")
  lacks(plain, "\27[32m")
  t:equal(colored.code, 0)
end)

rt.test("tap", function(t)
  local result = run(mixed, "--format=tap")
  ends(result, 2, "1 passed, 1 failed, 1 skipped")
  t:equal(result.stdout:match("^[^\n]*"), "TAP version 13")
  has(result, "ok 1 - a_test.lua: good \\# 1")
  has(result, "not ok 2 - a_test.lua: bad")
  has(result, "ok 3 - a_test.lua: later # SKIP a \\# reason")
  has(result, "not ok 4 - b_test.lua")
  has(result, "\n1..4\n")
  if program.run("command -v prove").code ~= 0 then return end
  local path = program.file(result.stdout)
  local proved = program.run("prove -e cat " .. path)
  os.remove(path)
  t:equal(proved.code, 1)
  has(proved, "Failed 2/4 subtests")
  has(proved, "less 1 skipped subtest: 1 okay")
  lacks(proved, "Parse errors")
end)

rt.test("junit", function(t)
  local result = run(mixed, "--format=junit")
  t:equal(result.code, 2)
  has({stdout = result.stderr, stderr = ""}, "1 passed, 1 failed, 1 skipped\n")
  has(result, '<testsuite name="a_test.lua" package="" id="0" ')
  has(result, 'tests="3" failures="1" errors="0" skipped="1"')
  has(result, 'name="good # 1 &lt;&amp;&quot;\\&gt;"')
  has(result, '<error message="b_test.lua:1: ')
  if program.run("python3 -c 'import xml.etree'").code ~= 0 then return end
  local parsed = program.run([[python3 -c '
import sys, xml.etree.ElementTree as tree
cases = list(tree.fromstring(sys.stdin.buffer.read()).iter("testcase"))
print([[child.tag for child in case] for case in cases], repr(cases[1][0].get("message")))']], result.stdout)
  t:equal(parsed.stdout, [=[[[], ['failure'], ['skipped'], ['error']] 'a_test.lua:3: <&"> ]]>?']=] .. "\n")
end)
