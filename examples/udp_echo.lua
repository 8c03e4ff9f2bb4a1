-- SPDX-License-Identifier: MIT
-- A UDP server that sends every datagram back to whoever sent it.
--
-- Try it:  ./dev run examples/udp_echo.lua
--          nc -u 127.0.0.1 8080                (in other terminals)
--
-- examples/udp_echo.lua: rtlua examples/udp_echo.lua
local net = require "rt.net"

local socket = assert(net.udp.bind("127.0.0.1:8080"))
print("Listening on " .. tostring(socket:local_addr()))
while true do
  local data, peer = assert(socket:recv_from())
  local sent = assert(socket:send_to(data, peer))
  print(("Sent %d out of %d bytes to %s"):format(sent, #data, tostring(peer)))
end
