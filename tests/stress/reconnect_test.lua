-- SPDX-License-Identifier: MIT
-- 10,000 connections opened and closed ten times over: descriptors and memory return to the start.

local rt = require "rt"
local soak = require "soak"
local net = rt.net

local ROUNDS, LISTENERS = 10, 8
local COUNT = soak.size(10000, 400)

-- So many at once as there are descriptors for; each takes two here.
local BATCH = math.min(COUNT, math.floor((soak.limit() - 100) / 2))

-- Several listeners: a port that a client had is not free again at once for the same address.
local function serve()
  local listeners = {}
  for i = 1, LISTENERS do
    local listener = assert(net.tcp.listen("127.0.0.1:0", {backlog = 4096}))
    listeners[i] = listener
    rt.spawn(function()
      for conn in listener:incoming() do
        rt.spawn(function()
          local line = conn:read_line()
          if line then conn:write(line, "\n") end
          conn:read()
          conn:close()
        end)
      end
    end)
  end
  return listeners
end

local function open_and_close(listeners, count, how)
  local left, open = count, 0
  for i = 1, count do
    rt.spawn(function()
      local conn = assert(net.tcp.connect(listeners[i % LISTENERS + 1]:local_addr()))
      local text = ("%d\n"):format(i)
      assert(conn:write(text))
      assert(conn:read_line() .. "\n" == text)
      open = open + 1
      -- The last one of all to open lets everybody go.
      while open < count do rt.sleep(0.01) end
      if how == "dropped" and i % 2 == 0 then conn = nil else conn:close() end -- luacheck: ignore
      left = left - 1
    end)
  end
  while left > 0 do rt.sleep(0.005) end
end

local function settle(descriptors)
  for _ = 1, 200 do
    collectgarbage()
    rt.sleep(0.01)
    if soak.descriptors() <= descriptors then return end
  end
end

for _, how in ipairs({"closed", "dropped"}) do
  rt.test("connections are " .. how, function(t)
    local tasks = #rt.task.list()
    local listeners = serve()
    local start = soak.descriptors()
    local function round()
      local done = 0
      while done < COUNT do
        local batch = math.min(BATCH, COUNT - done)
        open_and_close(listeners, batch, how)
        done = done + batch
        settle(start)
        t:equal(soak.descriptors(), start)
      end
    end
    round()
    round()
    local before, after = soak.settles(t, how == "closed" and ROUNDS - 2 or 2, round)
    print(("%d connections, %d at once: memory %d, then %d KiB"):format(COUNT * ROUNDS, BATCH, before / 1024,
      after / 1024))
    for i = 1, LISTENERS do listeners[i]:close() end
    rt.sleep(0.01)
    collectgarbage()
    t:equal(soak.descriptors(), start - LISTENERS)
    t:equal(#rt.task.list(), tasks)
  end)
end
