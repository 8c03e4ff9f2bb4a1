-- SPDX-License-Identifier: MIT
-- Programs that end while tasks of theirs never give way.
local program = require "program"
local rt = require "rt"

local SEVERAL = {"--runtime=stealing --workers=2", "--runtime=stealing --workers=8", "--runtime=native --workers=2"}
local ONCE = {runtime = "native", timeout = 60} -- what runs is another program

-- Jobs that compute for ever; main goes on when count of them have begun.
local function script(count, rest)
  return ([[
    local rt = require "rt"
    local begun = rt.sync.channel(100)
    for _ = 1, %d do
      rt.parallel(function(begun)
        begun:send(true)
        while true do end
      end, begun)
    end
    begun:recv()
    print("begun")
    %s
  ]]):format(count, rest or "")
end

local function check(t, result, code)
  t:equal(result.stdout, "begun\n")
  t:ok(result.stderr:find("spawned at .-:4 ignores its cancellation and is abandoned"), result.stderr)
  t:equal(result.code, code)
end

-- The process has 2 seconds from the end of main on.
local function in_time(t, code, options)
  local before, path = rt.now(), program.file(code, ".lua")
  -- VMs that are still open at the end are no leaks.
  local result = program.run(("ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_leaks=0 %s %s %s"):format(
    program.quote(program.rtlua), options, path))
  os.remove(path)
  local limit = program.sanitizer == "none" and 8 or 30
  t:ok(rt.now() - before < limit, ("%s: %.1f s"):format(options, rt.now() - before))
  return result
end

for _, options in ipairs(SEVERAL) do
  rt.test("main returns, " .. options, ONCE, function(t)
    check(t, in_time(t, script(1), options), 0)
    check(t, in_time(t, script(1), "-joff " .. options), 0)
  end)

  rt.test("main fails, " .. options, ONCE, function(t)
    local result = in_time(t, script(1, "error('no more', 0)"), options)
    check(t, result, 1)
    t:ok(result.stderr:find("no more", 1, true), result.stderr)
  end)

  rt.test("main is interrupted, " .. options, ONCE, function(t)
    if not program.interrupts then t:skip("the job's thread does not hear of the signal") end
    check(t, in_time(t, script(1, "io.popen('kill -INT $PPID'):close() rt.sleep(60)"), options), 130)
  end)
end

rt.test("more of them than threads", ONCE, function(t)
  -- Whoever runs main may have none left to run it on: so it does not wait for them.
  local result = in_time(t, [[
    local rt = require "rt"
    for _ = 1, 8 do rt.parallel(function() while true do end end) end
    print("begun")
  ]], SEVERAL[1])
  t:equal(result.stdout, "begun\n")
  t:equal(result.code, 0)
end)

rt.test("a job that takes less than the grace is waited for", ONCE, function(t)
  for _, options in ipairs(SEVERAL) do
    local result = program.script([[
      local rt = require "rt"
      local begun = rt.sync.channel(1)
      rt.parallel(function(begun)
        begun:send(true)
        local clock, start = os.clock, os.clock()
        while clock() - start < 0.02 do end
        io.stdout:write("computed\n")
      end, begun)
      begun:recv()
    ]], options .. " %s")
    t:equal(result.stdout, "computed\n")
    t:equal(result.stderr, "")
    t:equal(result.code, 0)
  end
end)
