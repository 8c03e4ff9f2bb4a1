-- SPDX-License-Identifier: MIT
-- Benchmarks. rtlua bench [FILES AND FOLDERS] runs those of all *_bench.lua:
--
--   rt.bench("spawn and join", function(b)
--     for _ = 1, b.n do rt.spawn(function() end):await() end
--   end)
--
-- The function runs in a task and does b.n operations. rtlua bench --help tells what can be chosen;
-- benchmarks in C, of rt/bench.h, are measured and reported in the same way.

local rt = require "rt"

local collectgarbage, error, type = collectgarbage, error, type

local M = {}

local Bench = {}
Bench.__index = Bench

-- start(), stop(): what happens after a stop and before the next start is not measured. The timer
-- runs when the function begins. Twice is as good as once. Do not wait.
function Bench:start()
  if self.began then return end
  self.memory = self.memory - collectgarbage("count")
  self.began = self.clock()
end

function Bench:stop()
  if not self.began then return end
  self.elapsed = self.elapsed + (self.clock() - self.began)
  self.began = nil
  self.memory = self.memory + collectgarbage("count")
end

-- bytes(count): each operation handles so many bytes; the throughput is reported too. Does not wait.
function Bench:bytes(count)
  if not (type(count) == "number" and count >= 0 and count < math.huge) then
    error("bad argument #1 to 'bytes' (number of bytes expected)", 2)
  end
  self.handled = count
end

-- ---- Declaring ----

local declared

local limits = {
  runtime = function(value) return type(value) == "string" end,
  bytes = function(value) return type(value) == "number" and value >= 0 and value < math.huge end,
  time = function(value) return type(value) == "number" and value >= 1e-6 and value <= 86400 end,
  samples = function(value)
    return type(value) == "number" and value >= 1 and value <= 10000 and value % 1 == 0
  end,
}

local function check_options(options)
  for key, value in pairs(options) do
    local valid = limits[key]
    if not valid then error(("bench has no option '%s'"):format(tostring(key)), 3) end
    if not valid(value) then error(("bad value for the option '%s'"):format(key), 3) end
  end
end

-- rt.bench(name, [options,] fn): declares a benchmark. Options: runtime (only on that one), bytes
-- (that an operation handles), time (seconds) and samples, in place of the command's. Where no
-- rtlua bench runs the file, it does nothing. Does not wait.
function M.declare(name, options, fn)
  if fn == nil then options, fn = {}, options end
  if type(name) ~= "string" then
    error(("bad argument #1 to 'bench' (string expected, got %s)"):format(type(name)), 2)
  end
  if type(options) ~= "table" then
    error(("bad argument #2 to 'bench' (table expected, got %s)"):format(type(options)), 2)
  end
  if type(fn) ~= "function" then error("bad argument to 'bench' (function expected)", 2) end
  check_options(options)
  if declared then declared[#declared + 1] = {name = name, options = options, fn = fn} end
end

-- ---- Running ----

-- One run of the function; without the collector, what it allocates can be counted.
local function run(benchmark, b, counting)
  if counting then
    collectgarbage()
    collectgarbage("stop")
  end
  b:start()
  local ok, err = xpcall(benchmark.fn, debug.traceback, b)
  b:stop()
  if counting then collectgarbage("restart") end
  if not ok then error(err, 0) end
end

local function measure(driver, benchmark)
  local options = benchmark.options
  local measured = driver.measure(options.time, options.samples)
  while true do
    local n, counting = driver.next(measured)
    if not n then return measured end
    local b = setmetatable({n = n, elapsed = 0, memory = 0, handled = options.bytes or 0, clock = driver.clock}, Bench)
    run(benchmark, b, counting)
    driver.add(measured, n, b.elapsed, b.handled, b.memory * 1024)
  end
end

local function load(driver, file)
  local chunk, err = loadfile(file)
  local ok = chunk ~= nil
  if ok then ok, err = xpcall(chunk, debug.traceback, file) end
  if not ok then driver.failure(file, tostring(err)) end
end

-- run(driver, files): what rtlua bench calls as its main task; driver is that of src/lua/lua_bench.c.
function M.run(driver, files)
  local selected = {}
  declared = {}
  -- Tests may stand in the same file.
  for _, name in ipairs {"test", "describe", "before_each", "after_each"} do rt[name] = function() end end
  for _, file in ipairs(files) do load(driver, file) end
  for _, benchmark in ipairs(declared) do
    local only = benchmark.options.runtime
    if (not only or only == rt.runtime()) and driver.select(benchmark.name) then
      selected[#selected + 1] = benchmark
    end
  end
  for _, benchmark in ipairs(selected) do
    local ok, measured = pcall(measure, driver, benchmark)
    if ok then driver.result(benchmark.name, measured) else driver.failure(benchmark.name, tostring(measured)) end
  end
end

return M
