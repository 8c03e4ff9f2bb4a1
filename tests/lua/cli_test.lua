-- SPDX-License-Identifier: MIT
-- rtlua, the command: its options and ways to run code, compared with luajit where both promise the same.

local rt = require "rt"
local program = require "program"
local rtlua = program.quote(program.rtlua)

local function has(text, pattern)
  if not text:find(pattern, 1, true) and not text:find(pattern) then
    error(("expected %q in:\n%s"):format(pattern, text), 2)
  end
end

-- Runs the same arguments with rtlua and with luajit: output and exit code must be the same.
local function same(t, arguments, input)
  local ours = program.rt(arguments, input)
  local stock = program.run("luajit " .. arguments, input)
  if ours.stdout ~= stock.stdout or ours.code ~= stock.code then
    error(("%s\nrtlua (%s):\n%s%s\nluajit (%s):\n%s%s"):format(arguments, ours.code, ours.stdout, ours.stderr,
      stock.code, stock.stdout, stock.stderr), 2)
  end
  local function head(text) return (text:match("^%a+: ([^\n]*)") or ""):gsub("^luajit", "rtlua") end
  t:equal(head(ours.stderr), head(stock.stderr))
  return ours
end

local function with_script(code, fn)
  local path = program.file(code, ".lua")
  local ok, err = pcall(fn, path)
  os.remove(path)
  if not ok then error(err, 0) end
end

local show_arg = [[
local low, high = 0, 0
for i in pairs(arg) do low, high = math.min(low, i), math.max(high, i) end
for i = low, high do print(i, i <= -1 and (arg[i]:match("[^/]*$"):gsub("^luajit$", "rtlua")) or arg[i]) end
print(select("#", ...), ...)
]]

rt.test("a script, its arguments, and arg", function(t)
  with_script(show_arg, function(path)
    same(t, path)
    same(t, path .. " a 'b c' '' -e --help")
    same(t, "-joff " .. path .. " x")
    same(t, "-e 'x = 1' -- " .. path .. " y")
    local result = program.rt("run " .. path .. " a")
    has(result.stdout, "0\t" .. path .. "\n1\ta\n1\ta\n")
    has(result.stdout, "-1\trun\n")
  end)
end)

rt.test("-e", function(t)
  same(t, "-e 'print(1)'")
  same(t, "-e'print(1)'")
  same(t, "-e 'x = 1' -e 'print(x)'")
  same(t, "-e 'print(arg[0] ~= nil, arg[1])'")
  same(t, "-e 'error(\"boom\")' -e 'print(2)'")
  same(t, "-e 'os.exit(4)' -e 'print(2)'")
  with_script("print('script', x)", function(path) same(t, "-e 'x = 1' " .. path) end)
  with_script("print('script')", function(path) same(t, "-e 'error(1)' " .. path) end)
end)

rt.test("standard input", function(t)
  same(t, "-", "print('from stdin', ...)")
  same(t, "- a b", "print('from stdin', ...)")
  same(t, "- a b", show_arg)
  same(t, "", "print('from stdin')")
  same(t, "-", "x = = 1")
  same(t, "-", "error('boom')")
  same(t, "-", "")
end)

rt.test("a script that reads the rest of standard input", function(t)
  with_script("print(io.read('*a'))", function(path) same(t, path, "data\nmore") end)
end)

rt.test("a first line for the system", function(t)
  local path = program.file("#!/usr/bin/env rtlua\nprint('run by itself', ...)\nerror('line 3')", ".lua")
  same(t, path .. " a")
  os.execute(("sed -i '1s|.*|#!%s|' %s && chmod +x %s"):format(program.rtlua, path, path))
  local result = program.run(path .. " a b")
  os.remove(path)
  t:equal(result.stdout, "run by itself\ta\tb\n")
  has(result.stderr, path .. ":3: line 3")
end)

rt.test("a script that is missing, a folder, or has an error in it", function(t)
  local result = same(t, "no-such-script.lua")
  t:equal(result.stderr, "rtlua: cannot open no-such-script.lua: No such file or directory\n")
  same(t, "/")
  with_script("print 'never'\nx = = 1", function(path)
    result = same(t, path)
    t:equal(result.stderr, ("rtlua: %s:2: unexpected symbol near '='\n"):format(path))
  end)
  same(t, "-e 'x = ='")
  same(t, "-e 'for'")
end)

rt.test("bytecode is a script too", function(t)
  with_script("print('compiled', ...)", function(path)
    local compiled = path .. "bc"
    t:equal(os.execute(("luajit -b %s %s"):format(path, compiled)), 0)
    same(t, compiled .. " a")
    os.remove(compiled)
  end)
end)

rt.test("an empty script, and one without a line ending", function(t)
  with_script("", function(path) same(t, path) end)
  with_script("print(1)", function(path) same(t, path) end)
  with_script("return 5", function(path) same(t, path) end)
end)

rt.test("errors of every shape", function(t)
  for _, code in ipairs {
    "error('x')", "error('x', 0)", "error('x', 2)", "error(42)", "local x = nil; x()", "x.y = 1", "('x')()",
    "assert(false)", "assert(nil, 'message')", "string.rep()", "print(#nil)", "error('two\\nlines')",
    "setmetatable({}, {__index = error}).x = nil; error(setmetatable({}, {__tostring = function() return 'text' end}))",
  } do
    same(t, "-e " .. program.quote(code))
    with_script("\n\n" .. code, function(path) same(t, path) end)
  end
end)

rt.test("-l", function(t)
  same(t, "-l no.such.module")
  same(t, "-l jit.util -e 'print(package.loaded[\"jit.util\"] ~= nil)'")
  local folder = os.tmpname()
  os.remove(folder)
  os.execute("mkdir " .. folder)
  local file = io.open(folder .. "/mod.lua", "w")
  file:write("print('loaded', ...) global = 1")
  file:close()
  local ours = program.run(("cd %s && %s -l mod -lmod -e 'print(global)'"):format(folder, rtlua))
  local stock = program.run(("cd %s && luajit -l mod -lmod -e 'print(global)'"):format(folder))
  os.execute("rm -r " .. folder)
  t:equal(ours.stdout, stock.stdout)
  t:equal(ours.code, 0)
  t:equal(program.rt("-l rt.net -e 'print(package.loaded[\"rt.net\"] ~= nil)'").stdout, "true\n")
end)

rt.test("-j and -O", function(t)
  same(t, "-joff -e 'print((jit.status()))'")
  same(t, "-j off -e 'print((jit.status()))'")
  same(t, "-jon -e 'print((jit.status()))'")
  same(t, "-jflush -e 'print(1)'")
  same(t, "-O2 -e 'print(1)'")
  same(t, "-O -e 'print(1)'")
  same(t, "-O3 -Ohotloop=5 -e 'print(1)'")
  same(t, "-O1,+loop -e 'local x = 0 for i = 1, 1e5 do x = x + i end print(x)'")
  t:equal(program.rt("-Ononsense -e 'print(1)'").code, 1)
  t:equal(program.rt("-jnonsense -e 'print(1)'").code, 1)
end)

rt.test("LUA_PATH and LUA_CPATH", function(t)
  local path = program.file("return 'found'", ".lua")
  local folder, name = path:match("^(.*)/(.*)%.lua$")
  local command = "LUA_PATH='%s/?.lua;;' %s -e 'print(require(%q), #package.path)'"
  local ours = program.run(command:format(folder, rtlua, name))
  local stock = program.run(command:format(folder, "luajit", name))
  os.remove(path)
  t:equal(ours.stdout, stock.stdout)
  has(ours.stdout, "found")
  ours = program.run(("LUA_CPATH='./nowhere/?.so' %s -e 'print(package.cpath)'"):format(rtlua))
  t:equal(ours.stdout, "./nowhere/?.so\n")
end)

rt.test("-v and --version", function(t)
  for _, option in ipairs {"-v", "--version"} do
    local result = program.rt(option)
    t:equal(result.code, 0)
    t:ok(result.stdout:find("^rtlua %d+%.%d+%S* on LuaJIT 2%.1"), result.stdout)
    t:equal(result.stderr, "")
  end
  local result = program.rt("-v -e 'print(require \"rt\".version)'")
  local version = result.stdout:match("^rtlua (%S+)")
  t:equal(result.stdout:match("\n(%S+)\n$"), version)
end)

rt.test("--help", function(t)
  local result = program.rt("--help")
  t:equal(result.code, 0)
  for _, word in ipairs {"-e", "-l", "-j", "-O", "-v", "--runtime=", "--workers=", "--help", "native"} do
    has(result.stdout, word)
  end
  t:equal(result.stderr, "")
end)

rt.test("--runtime and --workers", function(t)
  t:equal(program.rt("--runtime=native -e 'print(require \"rt\".runtime())'").stdout, "native\n")
  t:equal(program.rt("--workers=1 -e 'print(1)'").stdout, "1\n")
  t:equal(program.rt("run --runtime=native --workers=2 -e 'print(1)'").stdout, "1\n")
  for _, option in ipairs {"--runtime=nonsense", "--runtime=", "--runtime", "--workers=0", "--workers=x", "--workers=",
    "--workers=-1", "--workers=1x", "--workers=257", "--workers=99999999999999999999"} do
    local result = program.rt(option .. " -e 'print(1)'")
    if result.code ~= 1 or result.stdout ~= "" then error(option .. " was accepted") end
    has(result.stderr, "--help")
  end
  has(program.rt("--runtime=nonsense x.lua").stderr, "unknown runtime 'nonsense'")
  has(program.rt("--workers=257 x.lua").stderr, "--workers takes a number from 1 to 256, not '257'")
end)

rt.test("the script chooses a runtime", function(t)
  t:equal(program.eval("require 'rt'.runtime 'native' print(1)").stdout, "1\n")
  local result = program.eval("require 'rt'.runtime 'nonsense'")
  t:equal(result.code, 1)
  has(result.stderr, "unknown runtime 'nonsense'")
end)

rt.test("options that there are not", function(t)
  for _, option in ipairs {"-x", "-z5", "--nonsense", "-vx", "---"} do
    local result = program.rt(option .. " -e 'print(1)'")
    if result.code ~= 1 or result.stdout ~= "" then error(option .. " was accepted") end
    has(result.stderr, option)
    has(result.stderr, "--help")
  end
  for _, option in ipairs {"-e", "-l", "-j"} do
    local result = program.rt(option)
    t:equal(result.code, 1)
    has(result.stderr, option)
  end
end)

rt.test("a script named run", function(t)
  local folder = os.tmpname()
  os.remove(folder)
  os.execute("mkdir " .. folder)
  local file = io.open(folder .. "/run", "w")
  file:write("print('the script')")
  file:close()
  t:equal(program.run(("cd %s && %s run run"):format(folder, rtlua)).stdout, "the script\n")
  t:equal(program.run(("cd %s && %s ./run"):format(folder, rtlua)).stdout, "the script\n")
  os.execute("rm -r " .. folder)
end)

rt.test("many arguments", function(t)
  with_script("print(select('#', ...), #arg)", function(path)
    t:equal(program.run(("seq 1 5000 | xargs %s %s"):format(rtlua, path)).stdout, "5000\t5000\n")
  end)
end)

rt.test("everything is a task from the first line", function(t)
  for _, arguments in ipairs {"-e %s", "run -e %s", "-joff -e %s"} do
    local result = program.rt(arguments:format(program.quote("print(require 'rt'.sleep(0.001) > 0)")))
    t:equal(result.stdout, "true\n")
  end
  local result = program.rt("-", "print(require 'rt'.sleep(0.001) > 0)")
  t:equal(result.stdout, "true\n")
end)

rt.test("the standard libraries are all there", function(t)
  same(t, "-e 'local names = {} for name in pairs(_G) do names[#names + 1] = name end table.sort(names) "
    .. "print(table.concat(names, \" \"))'")
  same(t, "-e 'print(require \"ffi\".abi(\"64bit\"), require \"bit\".bor(1, 2), jit.version, _VERSION)'")
end)
