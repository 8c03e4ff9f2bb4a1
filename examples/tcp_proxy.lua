-- SPDX-License-Identifier: MIT
-- A TCP proxy: passes every connection on to another server. Two tasks for each
-- copy both directions at the same time. When one side has sent all it will, the
-- other side is told so, and may still answer.
--
-- Try it:  ./dev run examples/tcp_echo.lua                           (in another terminal)
--          ./dev run examples/tcp_proxy.lua [LISTEN [UPSTREAM]]      (127.0.0.1:8081, 127.0.0.1:8080)
--          ./dev run examples/tcp_client.lua 127.0.0.1:8081          (in a third one)
local rt = require "rt"
local net = require "rt.net"

local upstream = arg[2] or "127.0.0.1:8080"

local function copy(from, to)
  from:pipe_to(to)
  to:shutdown("write")
end

local function proxy(client)
  local server, message = rt.timeout(10, net.tcp.connect, upstream)
  if not server then
    io.stderr:write(message, "\n")
    client:close() -- the client sees its connection closed
    return
  end
  local upload = rt.spawn(copy, client, server)
  local download = rt.spawn(copy, server, client)
  upload:await()
  download:await()
  server:close()
  client:close()
end

local listener = assert(net.tcp.listen(arg[1] or "127.0.0.1:8081"))
io.stdout:setvbuf("line")
print("Listening on " .. tostring(listener:local_addr()))
for conn, peer in listener:incoming() do
  print("Accepting from " .. tostring(peer))
  rt.spawn(proxy, conn)
end
