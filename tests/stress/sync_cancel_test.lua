-- SPDX-License-Identifier: MIT
-- Cancels one task at every place where any task waits: small programs over all of rt.sync run under
-- schedules that chance makes from a seed; a first run counts the waits, then there is a run for each of
-- them, in which the task that comes to wait there is cancelled. Nothing may get lost, and all must end.

local rt = require "rt"

local sync = rt.sync
local sanitizer = os.getenv("RT_SANITIZER")
local seeds = sanitizer and sanitizer ~= "" and sanitizer ~= "none" and 4 or 40
local ROUNDS = 4

-- ---- One run ----

local run -- {seed state, waits so far, the wait to cancel at, values sent and received, ...}

-- A linear congruential generator, exact in doubles.
local function chance(n)
  run.chance = (run.chance * 16807) % 2147483647
  return run.chance % n
end

-- Comes before whatever may wait.
local function at_wait()
  run.waits = run.waits + 1
  if run.waits ~= run.cancel_at then return end
  local me = rt.task.current()
  if chance(2) == 0 then
    me:cancel()
  else
    rt.spawn(function(delay)
      for _ = 1, delay do rt.yield() end
      me:cancel()
    end, chance(4))
  end
end

local function stir()
  for _ = 1, chance(3) do
    at_wait()
    rt.yield()
  end
end

-- In a sort comparator or a coroutine the carrier is kept.
local places = {
  function(wait, ...) return wait(...) end,
  function(wait, ...)
    return coroutine.wrap(wait)(...)
  end,
  function(wait, ...)
    local args, results = {...}, nil
    table.sort({1, 2}, function(a, b)
      results = results or {wait(unpack(args))}
      return a < b
    end)
    return unpack(results)
  end,
}

local function await(wait, ...)
  at_wait()
  return places[chance(3) + 1](wait, ...)
end

local function note_received(value)
  assert(not run.received[value], "received twice")
  run.received[value] = true
end

local function new_value()
  run.values = run.values + 1
  return run.values
end

-- ---- Programs: each fills in run.jobs, and may give a function that checks what is left ----

local function drain(ch)
  for value in function() return (ch:try_recv()) end do note_received(value) end
end

local function check_values()
  for value = 1, run.values do
    assert(run.sent[value] == run.received[value], run.sent[value] and "lost" or "received, but not sent")
  end
end

local function add(count, job)
  for i = 1, count do run.jobs[#run.jobs + 1] = {job, i} end
end

local function chan(capacity)
  return function()
    local ch = sync.channel(capacity)
    local senders, receivers = 3, 2
    local function sender_ended()
      senders = senders - 1
      if senders == 0 then ch:close() end
    end
    add(senders, function()
      local ok, err = pcall(function()
        for _ = 1, ROUNDS do
          local value = new_value()
          local sent, _, code = await(ch.send, ch, value, chance(4) == 0 and 0 or nil)
          if sent then run.sent[value] = true end
          if code == "EPIPE" then return end
          stir()
        end
      end)
      sender_ended()
      if not ok then error(err, 0) end
    end)
    add(receivers, function()
      local ok, err = pcall(function()
        while true do
          local value, _, code = await(ch.recv, ch)
          if code then return end
          note_received(value)
          stir()
        end
      end)
      receivers = receivers - 1
      if receivers == 0 then ch:close() end
      if not ok then error(err, 0) end
    end)
    return function()
      drain(ch)
      check_values()
    end
  end
end

local function lock(make, most)
  return function()
    local object = make()
    local free, inside = tostring(object), 0
    local acquire, release = object.lock or object.acquire, object.unlock or object.release
    local function body()
      inside = inside + 1
      assert(inside <= most, "too many inside")
      local ok, err = pcall(stir)
      inside = inside - 1
      if not ok then error(err, 0) end
    end
    add(5, function(i)
      for _ = 1, ROUNDS do
        if i % 2 == 0 then
          at_wait()
          object:with(body)
        else
          await(acquire, object)
          local ok, err = pcall(body)
          release(object)
          if not ok then error(err, 0) end
        end
      end
    end)
    return function() assert(tostring(object) == free, tostring(object)) end
  end
end

local function event()
  local flag, setters = sync.event(), 2
  add(setters, function()
    local ok, err = pcall(function()
      for _ = 1, ROUNDS do
        flag:clear()
        stir()
        flag:set()
        stir()
      end
    end)
    setters = setters - 1
    flag:set()
    if not ok then error(err, 0) end
  end)
  add(3, function()
    while setters > 0 do
      await(flag.wait, flag)
      at_wait()
      rt.yield()
    end
  end)
end

local function wait_group()
  local group, working = sync.wait_group(), 4
  group:add(working)
  add(working, function()
    local ok, err = pcall(function() for _ = 1, ROUNDS do stir() end end)
    working = working - 1
    group:done()
    if not ok then error(err, 0) end
  end)
  add(3, function()
    await(group.wait, group)
    assert(working == 0)
  end)
  return function() assert(tostring(group) == "wait group (0)") end
end

local function selects(capacity)
  return function()
    local a, b, stop = sync.channel(capacity), sync.channel(capacity), sync.event()
    add(4, function(i)
      local out, back = i % 2 == 0 and a or b, i % 2 == 0 and b or a
      local ok, err = pcall(function()
        for _ = 1, 2 * ROUNDS do
          local value = new_value()
          local index, got = await(rt.select, {{out, value}, back, out, stop})
          if index == 1 then
            run.sent[value] = true
          elseif index == 4 then
            return
          else
            note_received(got)
          end
          stir()
        end
      end)
      stop:set()
      if not ok then error(err, 0) end
    end)
    return function()
      drain(a)
      drain(b)
      check_values()
    end
  end
end

local programs = {
  {"rendezvous", chan(0)},
  {"buffer of one", chan(1)},
  {"buffer of three", chan(3)},
  {"mutex", lock(sync.mutex, 1)},
  {"semaphore", lock(function() return sync.semaphore(2) end, 2)},
  {"event", event},
  {"wait group", wait_group},
  {"select, rendezvous", selects(0)},
  {"select, buffer", selects(1)},
}

-- ---- The sweep ----

-- Gives how many waits there were, and how many tasks ended by the cancellation.
local function run_once(program, seed, cancel_at)
  run = {chance = seed * 7919, waits = 0, cancel_at = cancel_at, values = 0, sent = {}, received = {}, jobs = {}}
  local check_rest = program()
  local tasks, cancelled = {}, 0
  for i, job in ipairs(run.jobs) do tasks[i] = rt.spawn(job[1], job[2]) end
  for _, task in ipairs(tasks) do
    local ok, err = task:join(30)
    if ok == nil then error("a task does not end") end
    if not ok and err ~= rt.cancelled then error(err, 0) end
    if not ok then cancelled = cancelled + 1 end
  end
  if check_rest then check_rest() end
  return run.waits, cancelled
end

local function sweep(t, name, program)
  local points, hits = 0, 0
  for seed = 1, seeds do
    local waits, none = run_once(program, seed)
    t:equal(none, 0)
    for k = 1, waits do
      local ok, result, cancelled = pcall(run_once, program, seed, k)
      if not ok then error(("seed %d, cancelled at wait %d: %s"):format(seed, k, tostring(result)), 0) end
      t:ok(cancelled <= 1)
      hits = hits + cancelled
    end
    points = points + waits
  end
  -- Most must be hit, or the sweep has missed.
  t:ok(hits > points / 3, ("%s: only %d of %d"):format(name, hits, points))
  print(("%s: cancelled at each of %d waits, which ended %d tasks"):format(name, points, hits))
end

for _, program in ipairs(programs) do
  rt.test(program[1], function(t) sweep(t, program[1], program[2]) end)
end
