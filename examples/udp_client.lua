-- SPDX-License-Identifier: MIT
-- A UDP client: sends one datagram and prints the reply, which may be five
-- seconds under way.
--
-- Try it:  ./dev run examples/udp_echo.lua                      (in another terminal)
--          ./dev run examples/udp_client.lua [ADDRESS]          (127.0.0.1:8080)
local net = require "rt.net"

local message = "hello world"
local socket = assert(net.udp.bind("127.0.0.1:0"))
socket:set_timeout(5)
assert(socket:connect(arg[1] or "127.0.0.1:8080"))
assert(socket:send(message))
print("<- " .. message)
print("-> " .. assert(socket:recv()))
socket:close()
