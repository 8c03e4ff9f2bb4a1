-- SPDX-License-Identifier: MIT
-- A TCP server on all cores with one listener: each connection is handed over to a VM that has the
-- fewest of them, where a copy of the handler runs.
--
-- Try it:  ./dev run --workers=2 examples/parallel_echo.lua [ADDRESS]     (127.0.0.1:8080)
--          nc 127.0.0.1 8080                                              (in other terminals)
local net = require "rt.net"

local function echo(conn, peer)
  print("Serving " .. tostring(peer))
  conn:pipe_to(conn) -- and then serve() closes it
end

local listener = assert(net.tcp.listen(arg[1] or "127.0.0.1:8080"))
io.stdout:setvbuf("line")
print("Listening on " .. tostring(listener:local_addr()))
assert(listener:serve(echo, {parallel = true, max_connections = 1000}))
