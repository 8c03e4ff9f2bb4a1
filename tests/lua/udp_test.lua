-- SPDX-License-Identifier: MIT
-- rt.net.udp: every method and option, datagrams of unusual sizes, and what goes wrong.

local rt = require "rt"
local program = require "program"
local failure = require "failure"
local udp = rt.net.udp

local function bind(address)
  return assert(udp.bind(address or "127.0.0.1:0"))
end

-- Two sockets, each connected to the other.
local function pair()
  local a, b = bind(), bind()
  assert(a:connect(b:local_addr()))
  assert(b:connect(a:local_addr()))
  return a, b
end

local function test(name, fn)
  rt.test(name, function(t)
    local a, b = bind(), bind()
    fn(t, a, b)
    a:close()
    b:close()
  end)
end

test("send_to and recv_from", function(t, a, b)
  t:equal(a:send_to("hello", b:local_addr()), 5)
  local data, peer, more = b:recv_from()
  t:equal(data, "hello")
  t:equal(peer, a:local_addr())
  t:equal(more, nil)
  t:equal(b:send_to("back", tostring(peer)), 4)
  t:equal(a:recv(), "back")
  t:equal(b:send_to("again", "127.0.0.1", peer.port), 5)
  t:equal(select("#", a:recv_from()), 2)
  t:equal(a:send_to("name", "localhost", b:local_addr().port), 4)
  t:equal(b:recv(), "name")
  t:equal(a:send_to(12.5, b:local_addr()), 4)
  t:equal(b:recv(), "12.5")
end)

test("tostring, fd, metatable", function(t, a)
  t:equal(tostring(a), "UDP socket (" .. tostring(a:local_addr()) .. ")")
  t:ok(a:fd() > 2)
  t:equal(getmetatable(a), "UDP socket")
end)

rt.test("IPv6", function(t)
  local a, message = udp.bind("[::1]:0")
  if not a then return t:ok(message) end -- no IPv6 here
  local b = bind("[::1]:0")
  t:equal(a:send_to("six", b:local_addr()), 3)
  local data, peer = b:recv_from()
  t:equal(data, "six")
  t:equal(peer.host, "::1")
  t:equal(a:set_multicast_loop_v6(false), true)
  t:equal(a:multicast_loop_v6(), false)
  t:equal(a:set_multicast_loop_v6(true), true)
  t:equal(a:multicast_loop_v6(), true)
  t:equal(a:set_ttl(9), true)
  t:equal(a:ttl(), 9)
  local ok, _, code = a:join_multicast_v6("ff02::114", "lo")
  if ok then
    t:equal(a:leave_multicast_v6("ff02::114", "lo"), true)
    failure("leave_multicast_v6: ", "EADDRNOTAVAIL", a:leave_multicast_v6("ff02::114", "lo"))
    t:equal(a:join_multicast_v6("ff02::114", 1), true)
  else
    t:equal(type(code), "string")
  end
  failure("join_multicast_v6: ", "EINVAL", a:join_multicast_v6("::1"))
  a:close()
  b:close()
end)

test("receiving waits", function(t, a, b)
  local task = rt.spawn(function() return b:recv_from() end)
  rt.yield()
  t:equal(task:status(), "waiting")
  a:send_to("late", b:local_addr())
  local data, peer = task:await()
  t:equal(data, "late")
  t:equal(peer, a:local_addr())
end)

test("empty datagrams are datagrams", function(t, a, b)
  t:equal(a:send_to("", b:local_addr()), 0)
  t:equal(a:send_to("next", b:local_addr()), 4)
  local data, peer = b:recv_from()
  t:equal(data, "")
  t:equal(peer, a:local_addr())
  t:equal(b:recv(), "next")
  a:connect(b:local_addr())
  t:equal(a:send(""), 0)
  t:equal(b:recv(), "")
end)

test("a datagram that is larger than the buffer is cut, and its size told", function(t, a, b)
  a:send_to("0123456789", b:local_addr())
  a:send_to("next", b:local_addr())
  a:send_to("third", b:local_addr())
  local data, peer, size = b:recv_from(4)
  t:equal(data, "0123")
  t:equal(peer, a:local_addr())
  t:equal(size, 10)
  data, size = b:recv(0)
  t:equal(data, "")
  t:equal(size, 4)
  data, peer, size = b:recv_from(5)
  t:equal(data, "third")
  t:equal(size, nil)
  t:equal(peer, a:local_addr())
end)

test("the largest datagram, and one that is larger", function(t, a, b)
  local data = ("x"):rep(65507)
  t:equal(a:send_to(data, b:local_addr()), 65507)
  t:equal(b:recv() == data, true)
  local text = tostring(b:local_addr())
  failure("send " .. text .. ": message too long", "EMSGSIZE", a:send_to(data .. "x", text))
  a:send_to("small", text)
  t:equal(b:recv(1e9), "small")
end)

rt.test("connect, send, recv", function(t)
  local a, b = pair()
  t:equal(a:peer_addr(), b:local_addr())
  t:equal(a:send("ping"), 4)
  t:equal(b:recv(), "ping")
  local stranger = bind()
  stranger:send_to("intruder", a:local_addr())
  b:send("pong")
  t:equal(a:recv(), "pong")
  t:equal(a:connect("localhost", b:local_addr().port), true)
  stranger:close()
  a:close()
  b:close()
end)

test("send without a peer fails", function(t, a)
  failure("send", "EDESTADDRREQ", a:send("x"))
  failure("peer_addr", "ENOTCONN", a:peer_addr())
end)

test("a peer that is not there", function(t, a, b)
  local address = b:local_addr()
  b:close()
  a:connect(address)
  t:equal(a:send("x"), 1)
  failure("recv", "ECONNREFUSED", a:recv())
  failure("timeout", "ETIMEDOUT", rt.timeout(0.005, a.recv, a))
end)

test("bind fails", function(t, a)
  local text = tostring(a:local_addr())
  failure("bind " .. text .. ": address already in use", "EADDRINUSE", udp.bind(text))
  failure("bind 203.0.113.1:1", "EADDRNOTAVAIL", udp.bind("203.0.113.1:1"))
  failure("resolve nonsense", "EINVAL", udp.bind("nonsense"))
end)

test("addresses that are none", function(t, a)
  failure("resolve nonsense: ", "EINVAL", a:send_to("x", "nonsense"))
  failure("resolve 127.0.0.1: ", "EINVAL", a:connect("127.0.0.1"))
  local value, message = a:send_to("x", "no-such-name.invalid:80")
  t:equal(value, nil)
  t:ok(message:find("no-such-name.invalid:80", 1, true), message)
  t:equal(select(2, a:send_to("x", "[::1]:80")) ~= nil, true)
end)

test("a timeout of the socket", function(t, a, b)
  t:equal(a:set_timeout(0.01), true)
  failure("timeout", "ETIMEDOUT", a:recv())
  failure("timeout", "ETIMEDOUT", a:recv_from())
  for _, seconds in ipairs {0, -1, -math.huge} do
    a:set_timeout(seconds)
    failure("timeout", "ETIMEDOUT", a:recv())
  end
  a:set_timeout(30)
  local reader = rt.spawn(function() return a:recv() end)
  rt.yield()
  b:send_to("in time", a:local_addr())
  t:equal(reader:await(), "in time")
  a:set_timeout(nil)
  failure("timeout", "ETIMEDOUT", rt.timeout(0.01, a.recv, a))
  a:set_timeout(1e300)
  failure("timeout", "ETIMEDOUT", rt.timeout(0.01, a.recv_from, a))
end)

test("a second receiver gets EBUSY, a sender does not", function(t, a, b)
  local first = rt.spawn(function() return a:recv() end)
  rt.yield()
  failure("recv", "EBUSY", a:recv_from())
  t:equal(a:send_to("x", b:local_addr()), 1)
  t:equal(b:recv(), "x")
  b:send_to("y", a:local_addr())
  t:equal(first:await(), "y")
end)

test("closing wakes the receiver", function(t, a)
  local reader = rt.spawn(function() return a:recv_from() end)
  rt.yield()
  a:close()
  failure("closed", "EBADF", reader:await())
end)

test("options", function(t, a)
  for _, name in ipairs {"broadcast", "multicast_loop_v4"} do
    for _, value in ipairs {true, false, true} do
      t:equal(a["set_" .. name](a, value), true)
      t:equal(a[name](a), value)
    end
  end
  for _, name in ipairs {"ttl", "multicast_ttl_v4"} do
    for _, value in ipairs {1, 7, 255} do
      t:equal(a["set_" .. name](a, value), true)
      t:equal(a[name](a), value)
    end
  end
end)

test("multicast over IPv4", function(t, a, b)
  local ok, _, code = a:join_multicast_v4("224.0.0.114", "127.0.0.1")
  if not ok then return t:equal(type(code), "string") end
  failure("join_multicast_v4: ", "EADDRINUSE", a:join_multicast_v4("224.0.0.114", "127.0.0.1"))
  t:equal(a:leave_multicast_v4("224.0.0.114", "127.0.0.1"), true)
  failure("leave_multicast_v4: ", "EADDRNOTAVAIL", a:leave_multicast_v4("224.0.0.114", "127.0.0.1"))
  failure("join_multicast_v4: ", "EINVAL", b:join_multicast_v4("127.0.0.1"))
end)

rt.test("every method of a closed socket", function(t)
  local a, b = bind(), bind()
  local address = b:local_addr()
  a:close()
  a:close()
  t:equal(tostring(a), "UDP socket (closed)")
  local calls = {
    recv_from = {}, recv = {}, send_to = {"x", address}, send = {"x"}, connect = {address}, local_addr = {},
    peer_addr = {}, fd = {}, set_timeout = {1}, broadcast = {}, set_broadcast = {true}, ttl = {}, set_ttl = {5},
    multicast_loop_v4 = {}, set_multicast_loop_v4 = {true}, multicast_ttl_v4 = {}, set_multicast_ttl_v4 = {5},
    multicast_loop_v6 = {}, set_multicast_loop_v6 = {true}, join_multicast_v4 = {"224.0.0.114"},
    leave_multicast_v4 = {"224.0.0.114"}, join_multicast_v6 = {"ff02::114"}, leave_multicast_v6 = {"ff02::114"},
  }
  for method, args in pairs(calls) do
    local value, message, code = a[method](a, unpack(args))
    if value ~= nil or message ~= "closed" or code ~= "EBADF" then
      error(("%s: %s, %s, %s"):format(method, value, message, code))
    end
  end
  b:close()
end)

rt.test("wrong arguments raise, naming function and argument", function(t)
  local a = bind()
  local address = a:local_addr()
  local function raises(message, fn)
    local err = t:error(fn, message)
    t:ok(err:find("udp_test.lua:%d+: "), err)
  end
  raises("bad argument #1 to 'recv_from' (number expected, got string)", function() a:recv_from("x") end)
  raises("bad argument #1 to 'recv_from' (size out of range)", function() a:recv_from(-1) end)
  raises("bad argument #1 to 'recv_from' (size out of range)", function() a:recv_from(0 / 0) end)
  raises("bad argument #1 to 'recv' (number expected, got table)", function() a:recv({}) end)
  raises("bad argument #1 to 'send_to' (string expected, got nil)", function() a:send_to(nil, address) end)
  raises("bad argument #1 to 'send_to' (string expected, got table)", function() a:send_to({}, address) end)
  raises("bad argument #2 to 'send_to' (address expected, got nil)", function() a:send_to("x") end)
  raises("bad argument #2 to 'send_to' (address expected, got number)", function() a:send_to("x", 80) end)
  raises("bad argument #3 to 'send_to' (port out of range)", function() a:send_to("x", "127.0.0.1", -1) end)
  raises("bad argument #3 to 'send_to' (number expected, got string)", function() a:send_to("x", "127.0.0.1", "80") end)
  raises("bad argument #1 to 'send' (string expected, got boolean)", function() a:send(true) end)
  raises("bad argument #1 to 'connect' (address expected, got nil)", function() a:connect() end)
  raises("bad argument #2 to 'connect' (port out of range)", function() a:connect("127.0.0.1", 99999) end)
  raises("bad argument #1 to 'set_broadcast' (boolean expected, got number)", function() a:set_broadcast(1) end)
  raises("bad argument #1 to 'set_ttl' (number expected, got string)", function() a:set_ttl("x") end)
  raises("bad argument #1 to 'set_ttl' (value out of range)", function() a:set_ttl(256) end)
  raises("bad argument #1 to 'set_ttl' (value out of range)", function() a:set_ttl(0 / 0) end)
  raises("bad argument #1 to 'set_timeout' (number expected, got string)", function() a:set_timeout("x") end)
  raises("bad argument #1 to 'join_multicast_v4' (IPv4 address expected)", function() a:join_multicast_v4("x") end)
  raises("bad argument #1 to 'join_multicast_v4' (string expected, got no value)", function() a:join_multicast_v4() end)
  raises("bad argument #2 to 'leave_multicast_v4' (IPv4 address expected)",
    function() a:leave_multicast_v4("224.0.0.114", "eth0") end)
  raises("bad argument #1 to 'join_multicast_v6' (IPv6 address expected)", function() a:join_multicast_v6("x") end)
  raises("bad argument #2 to 'join_multicast_v6' (no such interface)",
    function() a:join_multicast_v6("ff02::114", "no such interface") end)
  raises("bad argument #2 to 'leave_multicast_v6' (no such interface)",
    function() a:leave_multicast_v6("ff02::114", -1) end)
  t:error(function() a.recv_from(5) end, "UDP socket expected, got number")
  t:error(function() a.close(address) end, "UDP socket expected, got userdata")
  a:close()
end)

rt.test("sockets that are collected are closed", function(t)
  collectgarbage()
  collectgarbage()
  local before = program.descriptors()
  for _ = 1, 20 do bind() end
  collectgarbage()
  collectgarbage()
  t:equal(program.descriptors(), before)
end)

rt.test("a thousand datagrams there and back", function(t)
  local server, client = bind(), bind()
  local echo = rt.spawn(function()
    while true do
      local data, peer = server:recv_from()
      if not data then return end
      server:send_to(data, peer)
    end
  end)
  local address = server:local_addr()
  for i = 1, 1000 do
    assert(client:send_to(tostring(i), address))
    t:equal(client:recv(), tostring(i))
  end
  server:close()
  echo:await()
  client:close()
end)
