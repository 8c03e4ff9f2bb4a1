-- SPDX-License-Identifier: MIT
-- A TCP client: connects, sends a greeting, prints the reply. Nothing takes
-- longer than five seconds: any function can get a timeout, and so can a socket.
--
-- Try it:  ./dev run examples/tcp_echo.lua                      (in another terminal)
--          ./dev run examples/tcp_client.lua [ADDRESS]          (127.0.0.1:8080)
local rt = require "rt"
local net = require "rt.net"

local message = "hello world"
local conn = assert(rt.timeout(5, net.tcp.connect, arg[1] or "127.0.0.1:8080"))
conn:set_timeout(5)
print("Connected to " .. tostring(assert(conn:peer_addr())))
assert(conn:write(message))
print("<- " .. message)
print("-> " .. assert(conn:read()))
conn:close()
