-- SPDX-License-Identifier: MIT
-- A TCP server on all cores with a listener in every VM: the kernel spreads the connections, and nothing
-- goes from one VM to another.
--
-- Try it:  ./dev run --workers=2 examples/reuseport_echo.lua [ADDRESS [VMS]]    (127.0.0.1:8080, 2)
--          nc 127.0.0.1 8080                                                    (in other terminals)
local rt = require "rt"
local net = require "rt.net"

local function echo(conn)
  conn:pipe_to(conn)
end

-- Runs in each VM: net is the module there, echo a copy.
local function serve(address)
  local listener = assert(net.tcp.listen(address, {reuseport = true}))
  return listener:serve(echo)
end

-- This VM has one as well. If the address leaves the port to the system, this is where it is chosen.
local first = assert(net.tcp.listen(arg[1] or "127.0.0.1:8080", {reuseport = true}))
local address = first:local_addr()
local tasks = {}
for i = 1, tonumber(arg[2] or 2) do tasks[i] = rt.parallel(serve, address) end
io.stdout:setvbuf("line")
print("Listening on " .. tostring(address))
tasks[#tasks + 1] = rt.spawn(first.serve, first, echo)
for _, task in ipairs(tasks) do task:await() end
