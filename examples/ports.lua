-- SPDX-License-Identifier: MIT
-- Tells which TCP ports of a host are open: four workers take the ports from a channel and put what
-- they find into another. The scope owns the workers: they have ended when it has, and after five
-- seconds it gives up, whatever they are waiting for.
--
-- Try it:  ./dev run examples/tcp_echo.lua                      (in another terminal)
--          ./dev run examples/ports.lua [HOST [FIRST [LAST]]]   (127.0.0.1 8070 8090)
local rt = require "rt"
local net = require "rt.net"

local host, first, last = arg[1] or "127.0.0.1", tonumber(arg[2] or 8070), tonumber(arg[3] or 8090)
assert(first and last and first >= 1 and last <= 65535 and first <= last, "ports are numbers from 1 to 65535")
local ports, found = rt.sync.channel(), rt.sync.channel(last - first + 1)

local function work()
  for port in ports:iter() do
    local conn = net.tcp.connect(host, port, {timeout = 1})
    if conn then
      conn:close()
      found:send(port)
    end
  end
end

local done, message = rt.scope(function(scope)
  for _ = 1, 4 do scope:spawn(work) end
  for port = first, last do ports:send(port) end
  ports:close()
  return true
end, {timeout = 5})
found:close()

local open = {}
for port in found:iter() do open[#open + 1] = port end
table.sort(open)
for _, port in ipairs(open) do print(port .. " is open") end
print(("%d of %d ports are open"):format(#open, last - first + 1))
assert(done, message)
