-- SPDX-License-Identifier: MIT
-- A TCP server that sends back what it gets: a task for each connection.
--
-- Try it:  ./dev run examples/tcp_echo.lua [ADDRESS]            (127.0.0.1:8080)
--          nc 127.0.0.1 8080                                    (in other terminals)
local rt = require "rt"
local net = require "rt.net"

local function echo(conn)
  conn:pipe_to(conn)
  conn:close() -- a client that hangs up is no error
end

local listener = assert(net.tcp.listen(arg[1] or "127.0.0.1:8080"))
io.stdout:setvbuf("line")
print("Listening on " .. tostring(listener:local_addr()))
for conn, peer in listener:incoming() do
  print("Accepting from " .. tostring(peer))
  rt.spawn(echo, conn)
end
