-- SPDX-License-Identifier: MIT
-- The network on every runtime: many connections, full buffers, datagrams, time limits, names.

local rt = require "rt"
local failure = require "failure"
local tcp, udp = rt.net.tcp, rt.net.udp

local function serve()
  local listener = assert(tcp.listen("127.0.0.1:0"))
  local server = rt.spawn(function()
    for conn in listener:incoming() do
      rt.spawn(function()
        conn:pipe_to(conn)
        conn:close()
      end)
    end
  end)
  return listener, server
end

local function stop(listener, server)
  server:cancel()
  server:join()
  listener:close()
end

rt.test("many connections echo", function(t)
  local listener, server = serve()
  local clients = {}
  for i = 1, 50 do
    clients[i] = rt.spawn(function()
      local conn = assert(tcp.connect(listener:local_addr()))
      for k = 1, 20 do
        local text = ("%d/%d"):format(i, k):rep(10)
        assert(conn:write(text))
        t:equal(conn:read_exactly(#text), text)
      end
      conn:shutdown("write")
      failure("closed", "EOF", conn:read())
      conn:close()
    end)
  end
  for i = 1, 50 do clients[i]:await() end
  stop(listener, server)
end)

rt.test("more than the buffers hold", function(t)
  local listener, server = serve()
  local conn = assert(tcp.connect(listener:local_addr()))
  local text = ("0123456789abcdef"):rep(500000)
  local writer = rt.spawn(function()
    assert(conn:write(text))
    assert(conn:shutdown("write"))
  end)
  t:ok(conn:read_all() == text)
  writer:await()
  conn:close()
  stop(listener, server)
end)

rt.test("a read has a time limit", function(t)
  local listener, server = serve()
  local conn = assert(tcp.connect(listener:local_addr()))
  conn:set_timeout(0.003)
  failure("timeout", "ETIMEDOUT", conn:read())
  assert(conn:write("line\n"))
  conn:set_timeout(30)
  t:equal(conn:read_line(), "line")
  conn:close()
  stop(listener, server)
end)

rt.test("closing wakes who reads", function(t)
  local listener, server = serve()
  for turns = 0, 10 do
    local conn = assert(tcp.connect(listener:local_addr()))
    local reader = rt.spawn(function() return conn:read() end)
    for _ = 1, turns do rt.yield() end
    conn:close()
    failure("closed", "EBADF", reader:await())
  end
  stop(listener, server)
end)

rt.test("nobody listens", function(t)
  local listener = assert(tcp.listen("127.0.0.1:0"))
  local address = listener:local_addr()
  listener:close()
  failure("refused", "ECONNREFUSED", tcp.connect(address))
end)

rt.test("datagrams come back", function(t)
  local server, client = assert(udp.bind("127.0.0.1:0")), assert(udp.bind("127.0.0.1:0"))
  local task = rt.spawn(function()
    while true do
      local data, peer = assert(server:recv_from())
      assert(server:send_to(data, peer))
    end
  end)
  for i = 1, 200 do
    assert(client:send_to("datagram " .. i, server:local_addr()))
    t:equal(client:recv_from(), "datagram " .. i)
  end
  task:cancel()
  task:join()
  server:close()
  client:close()
end)

rt.test("names are resolved elsewhere", function(t)
  for _ = 1, 5 do t:ok(rt.net.resolve("localhost", 80)) end
end)
