-- SPDX-License-Identifier: MIT
-- What rt.parallel makes of several cores: two computations next to each other, and 10,000 small jobs at once.
-- rtlua --runtime=NAME --workers=N parallel.lua [ROUNDS [WORKERS]]; see run-cores.sh.
local rt = require "rt"

local rounds, workers = tonumber(arg[1]) or 3, tonumber(arg[2]) or 2
local JOBS, JOB_SECONDS = 10000, 10e-6

local function compute(steps)
  local state = 1
  for i = 1, steps do state = (state * 16807 + i) % 2147483647 end
  return state
end

local function read(path)
  local file = io.open(path)
  local text = file and file:read("*a") or ""
  if file then file:close() end
  return text
end

local function resident_kib() return tonumber(read("/proc/self/statm"):match("^%d+ (%d+)")) * 4 end

-- The CPU seconds of each thread, by its number; ticks are 10 ms long.
local function thread_times()
  local times, pid = {}, read("/proc/self/stat"):match("^%d+")
  local list = io.popen("ls /proc/" .. pid .. "/task")
  for tid in list:lines() do
    local user, system = read("/proc/" .. pid .. "/task/" .. tid .. "/stat"):match(
      "%) " .. ("%S+ "):rep(11) .. "(%d+) (%d+)")
    times[tid] = user and (user + system) / 100 or nil
  end
  list:close()
  return times
end

local function time(fn)
  local began, cpu = rt.now(), os.clock()
  fn()
  return rt.now() - began, os.clock() - cpu
end

compute(1e6)
local rate = 1e7 / time(function() compute(1e7) end) -- steps in a second

local function measure_ratio()
  local steps = math.floor(rate / 10)
  local function both()
    local one, other = rt.parallel(compute, steps), rt.parallel(compute, steps)
    one:await()
    other:await()
  end
  both() -- the VMs are there, and their code is compiled
  local serial = time(function()
    rt.parallel(compute, steps):await()
    rt.parallel(compute, steps):await()
  end)
  local together, cpu = time(both)
  print(("ratio=%.3f\ncpus=%.2f"):format(serial / together, cpu / together))
end

local function run_jobs()
  local steps, tasks = math.floor(rate * JOB_SECONDS), {}
  for i = 1, JOBS do tasks[i] = rt.parallel(compute, steps) end
  for i = 1, JOBS do tasks[i]:await() end
end

-- Of the threads that did more than a tenth of the work.
local function busy_threads(before)
  local shares, sum, count = {}, 0, 0
  for tid, seconds in pairs(thread_times()) do
    shares[#shares + 1] = seconds - (before[tid] or 0)
    sum = sum + shares[#shares]
  end
  for _, seconds in ipairs(shares) do
    if seconds > sum / 10 then count = count + 1 end
  end
  return count
end

local function measure_jobs()
  local before = thread_times()
  local wall, cpu = time(run_jobs)
  local work = JOBS * JOB_SECONDS
  collectgarbage()
  collectgarbage()
  print(("job_wall_us=%.2f"):format(wall / JOBS * 1e6))
  print(("job_overhead_us=%.2f"):format((wall * workers - work) / JOBS * 1e6))
  print(("job_cpu_overhead_us=%.2f"):format((cpu - work) / JOBS * 1e6))
  print(("job_threads=%d"):format(busy_threads(before)))
end

for _ = 1, rounds do measure_ratio() end
run_jobs() -- the first time memory grows
for i = 1, rounds do
  if i == 1 then print(("resident_before_kib=%d"):format(resident_kib())) end
  measure_jobs()
  if i == rounds then print(("resident_after_kib=%d"):format(resident_kib())) end
end
