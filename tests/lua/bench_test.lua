-- SPDX-License-Identifier: MIT
-- rtlua bench: what it finds, runs, prints and refuses. Nothing here depends on how long something takes.

local rt = require "rt"
local program = require "program"

local QUICK = "bench --time=0.001 --samples=5 "

local function has(text, part)
  if not text:find(part, 1, true) then error(("no %q in:\n%s"):format(part, text), 2) end
end

local function has_not(text, part)
  if text:find(part, 1, true) then error(("%q in:\n%s"):format(part, text), 2) end
end

-- A folder with these files, {name = code}; fn(folder) may write to it.
local function with_folder(files, fn)
  local folder = os.tmpname()
  os.remove(folder)
  for name, code in pairs(files) do
    os.execute(("mkdir -p %s/%s"):format(folder, name:match("^(.*)/") or "."))
    local file = assert(io.open(folder .. "/" .. name, "w"))
    file:write(code)
    file:close()
  end
  local ok, err = pcall(fn, folder)
  os.execute("rm -r " .. folder)
  if not ok then error(err, 0) end
end

local function with_bench(code, fn)
  with_folder({["a_bench.lua"] = "local rt = require 'rt'\n" .. code}, fn)
end

local PLAIN = [[
rt.bench("spawn and join", function(b)
  for _ = 1, b.n do rt.spawn(function() end):await() end
end)
rt.bench("loop", function(b)
  for _ = 1, b.n do end
end)
]]

rt.test("a row for each benchmark", function(t)
  with_bench(PLAIN, function(folder)
    local result = program.rt(QUICK .. folder)
    t:equal(result.code, 0)
    t:equal(result.stderr, "")
    local lines = {}
    for line in result.stdout:gmatch("[^\n]+") do lines[#lines + 1] = line end
    t:equal(#lines, 3)
    for _, word in ipairs {"benchmark", "median", "95 % interval", "p99", "allocs/op", "bytes/op", "throughput"} do
      has(lines[1], word)
    end
    for i, name in ipairs {"spawn and join", "loop"} do
      t:ok(lines[i + 1]:find("^" .. name .. " +[%d.]+ [num]?s  %[[%d.]+, [%d.]+%] +[%d.]+ [num]?s +%- +[%d.]+ +%-  |.*|$"),
        lines[i + 1])
    end
    t:equal(lines[1]:find("throughput"), lines[2]:find("-  |", 1, true) - 9)
  end)
end)

rt.test("which files are run", function(t)
  local declare = "require 'rt'.bench('%s', function() end)"
  with_folder({
    ["b_bench.lua"] = declare:format("in b"),
    ["a_bench.lua"] = declare:format("in a"),
    ["other.lua"] = declare:format("in other"),
    ["sub/c_bench.lua"] = declare:format("in c"),
    [".hidden/d_bench.lua"] = declare:format("in d"),
  }, function(folder)
    local out = program.rt(QUICK .. folder).stdout
    t:ok(out:find("in a.*in b.*in c"), out)
    has_not(out, "in other")
    has_not(out, "in d")
    out = program.rt(QUICK .. ("%s/other.lua %s/sub"):format(folder, folder)).stdout
    t:ok(out:find("in other.*in c"), out)
    has_not(out, "in a")
    t:equal(program.run(("cd %s && %s %s"):format(folder, program.quote(program.rtlua), QUICK)).code, 0)
  end)
end)

rt.test("--filter", function(t)
  with_bench(PLAIN, function(folder)
    local result = program.rt(QUICK .. "--filter=join " .. folder)
    has(result.stdout, "spawn and join")
    has_not(result.stdout, "loop")
    result = program.rt(QUICK .. "--filter nothing " .. folder)
    t:equal(result.code, 1)
    has(result.stderr, "there is no benchmark to run")
  end)
end)

rt.test("--json", function(t)
  with_bench("rt.bench('a \"quoted\\\\ \\1name', {bytes = 8}, function(b) local x for i = 1, b.n do x = {} end return x end)",
    function(folder)
      local out = program.rt(QUICK .. "--json " .. folder).stdout
      t:ok(out:find('^%[\n{"name":"a \\"quoted\\\\ \\u0001name","runtime":"native","unit":"ns","n":%d+,'), out)
      for _, field in ipairs {"p50", "p50_low", "p50_high", "p99", "mean", "min", "max", "bytes_per_second"} do
        t:ok(out:find(('"%s":[%%d.e+-]+,'):format(field)), field)
      end
      t:ok(tonumber(out:match('"allocated_bytes_per_op":([%d.]+)')) > 0)
      local samples = out:match('"samples":%[([^%]]*)%]}\n%]\n$')
      local _, commas = samples:gsub(",", "")
      t:equal(commas, 4)
    end)
end)

rt.test("what is allocated is counted, unless the timer is stopped", function(t)
  with_bench([[
    local kept
    rt.bench("nothing", function(b) for i = 1, b.n do end end)
    rt.bench("table", function(b) for i = 1, b.n do kept = {i, i, i} end end)
    rt.bench("stopped", function(b)
      b:stop() b:stop()
      kept = {}
      for i = 1, b.n do kept[i] = {i, i, i} end
      b:start() b:start()
    end)
  ]], function(folder)
    local out = program.rt(QUICK .. "--json " .. folder).stdout
    local function allocated(name)
      return tonumber(out:match('"name":"' .. name .. '".-"allocated_bytes_per_op":([%d.e+-]+)'))
    end
    t:ok(allocated("nothing") < 8, out)
    t:ok(allocated("table") >= 32, out)
    t:ok(allocated("stopped") < 32, out)
  end)
end)

-- One run warms up; fewer samples than asked for, though 5 at least, are enough for a slow machine.
rt.test("b.n operations, in a task, as often as there are samples", function(t)
  with_bench([[
    local runs, last = 0, 0
    rt.bench("counted", {samples = 7, time = 0.001}, function(b)
      assert(rt.task.current())
      assert(b.n >= 1 and b.n % 1 == 0)
      if b.n == last then runs = runs + 1 else runs, last = 1, b.n end
      for _ = 1, b.n do rt.yield() end
      io.stderr:write(runs, " ")
    end)
  ]], function(folder)
    local result = program.rt("bench " .. folder)
    t:equal(result.code, 0)
    t:ok(tonumber(result.stderr:match("(%d+) $")) >= 6, result.stderr)
  end)
end)

rt.test("a benchmark that fails, and a file that does", function(t)
  with_folder({
    ["a_bench.lua"] = "local rt = require 'rt' rt.bench('fails', function() error('oops') end) " ..
      "rt.bench('works', function() end)",
    ["b_bench.lua"] = "x = = 1",
    ["c_bench.lua"] = "error 'at load'",
  }, function(folder)
    local result = program.rt(QUICK .. folder)
    t:equal(result.code, 1)
    t:ok(result.stdout:find("\nfails +FAILED\nworks "), result.stdout)
    has(result.stderr, "a_bench.lua:1: oops")
    has(result.stderr, "b_bench.lua:1: unexpected symbol")
    has(result.stderr, "at load")
    result = program.rt(QUICK .. "--json --filter=fails " .. folder .. "/a_bench.lua")
    has(result.stdout, '{"name":"fails","runtime":"native","error":"')
  end)
end)

rt.test("runtimes side by side", function(t)
  with_bench(PLAIN .. "rt.bench('elsewhere', {runtime = 'other'}, function() end)", function(folder)
    local result = program.rt(QUICK .. "--runtime=native,native " .. folder)
    t:equal(result.code, 0)
    has(result.stdout, "side by side")
    t:ok(result.stdout:find("\nspawn and join +native [%d.]+ [num]?s %(1.00%)  native [%d.]+ [num]?s %([%d.]+%)\n"),
      result.stdout)
    has_not(result.stdout, "elsewhere")
    has_not(program.rt(QUICK .. folder).stdout, "side by side")
  end)
end)

rt.test("--save and --compare", function(t)
  with_bench(PLAIN, function(folder)
    local there = ("cd %s && %s %s"):format(folder, program.quote(program.rtlua), QUICK)
    t:equal(program.run(there .. "--save=one").code, 0)
    t:ok(io.open(folder .. "/.rtbench/one"))
    local result = program.run(there .. "--compare one")
    t:equal(result.code, 0)
    t:ok(result.stdout:find("\n    %a[%a ]+: [+-][%d.]+ %% from [%d.]+ [num]?s %(p = [%d.e-]+, Mann%-Whitney U%)\nloop"),
      result.stdout)
    t:equal(program.run(there .. "--compare=two").code, 2)
    t:equal(program.run(there .. "--folder=elsewhere --save=one").code, 0)
    t:ok(io.open(folder .. "/elsewhere/one"))
    t:equal(program.run(there .. "--folder=elsewhere/no/such --save=one").code, 1)
  end)
end)

rt.test("wrong arguments give 2 and run nothing", function(t)
  with_bench("os.exit(9)", function(folder)
    for option, message in pairs {
      ["--runtime=nonsense"] = "unknown runtime 'nonsense'",
      ["--time=x"] = "--time takes",
      ["--time=-1"] = "--time takes",
      ["--samples=0"] = "--samples takes",
      ["--samples=1.5"] = "--samples takes",
      ["--save=a/b"] = "without a slash",
      ["--nonsense"] = "unknown option",
      ["--compare=none"] = "cannot read",
      ["no/such/path"] = "cannot read no/such/path",
    } do
      local result = program.rt(("bench %s %s"):format(option, folder))
      if result.code ~= 2 then error(("%s: exit code %s"):format(option, result.code)) end
      t:equal(result.stdout, "")
      has(result.stderr, message)
    end
  end)
end)

rt.test("--help", function(t)
  local result = program.rt("bench --help")
  t:equal(result.code, 0)
  for _, word in ipairs {"usage: rtlua bench", "--runtime=", "native", "--save=", "--compare=", "--filter=", "--json"} do
    has(result.stdout, word)
  end
  has(program.rt("--help").stdout, "bench")
end)

rt.test("where nobody measures, declaring does nothing", function(t)
  t:equal(program.eval("require 'rt'.bench('x', function() print(1) end)").stdout, "")
end)

-- In a program: in a file of tests, rt.bench does nothing.
rt.test("misuse of rt.bench", function(t)
  local result = program.script([[
local rt = require "rt"
local function nop() end
local function try(...)
  local arguments = {...}
  print(select(2, pcall(function() rt.bench(unpack(arguments, 1, 3)) end)))
end
try()
try("x")
try("x", 5, nop)
try("x", {speed = 1}, nop)
try("x", {time = -1}, nop)
try("x", {samples = 0.5}, nop)
try("x", {bytes = 1 / 0}, nop)
try("x", {runtime = 5}, nop)
]])
  t:equal(result.stderr, "")
  local lines = {}
  for line in result.stdout:gmatch("[^\n]+") do lines[#lines + 1] = line end
  local expected = {
    "bad argument #1 to 'bench' (string expected, got nil)", "function expected",
    "bad argument #2 to 'bench' (table expected, got number)", "no option 'speed'", "bad value for the option 'time'",
    "bad value for the option 'samples'", "bad value for the option 'bytes'", "bad value for the option 'runtime'",
  }
  t:equal(#lines, #expected)
  for i, line in ipairs(lines) do
    has(line, result.path:match("[^/]*$") .. ":5: ")
    has(line, expected[i])
  end
end)
