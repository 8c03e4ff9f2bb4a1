-- SPDX-License-Identifier: MIT
-- Addresses: what stands for one, address objects, names, and those that are none.

local rt = require "rt"
local net = rt.net

local function bound(...)
  local socket, message, code = net.udp.bind(...)
  if not socket then return nil, message, code end
  local address = socket:local_addr()
  socket:close()
  return address
end

rt.test("an address object has host, port and a text", function(t)
  local address = assert(net.resolve("127.0.0.1:80"))[1]
  t:equal(address.host, "127.0.0.1")
  t:equal(address.port, 80)
  t:equal(tostring(address), "127.0.0.1:80")
  t:equal(address.nonsense, nil)
  t:equal(getmetatable(address), "address")
  t:error(function() address.port = 90 end)
end)

rt.test("IPv6 addresses stand in brackets", function(t)
  local address = assert(net.resolve("[::1]:80"))[1]
  t:equal(address.host, "::1")
  t:equal(address.port, 80)
  t:equal(tostring(address), "[::1]:80")
end)

rt.test("an empty host is every address", function(t)
  t:equal(bound(":0").host, "0.0.0.0")
  t:equal(bound("", 0).host, "0.0.0.0")
  t:equal(tostring(net.resolve(":80")[1]), "0.0.0.0:80")
end)

rt.test("addresses are equal by value", function(t)
  local function parse(text) return assert(net.resolve(text))[1] end
  t:equal(parse("127.0.0.1:80") == parse("127.0.0.1:80"), true)
  t:equal(parse("127.0.0.1:80") == parse("127.0.0.1:81"), false)
  t:equal(parse("127.0.0.1:80") == parse("127.0.0.2:80"), false)
  t:equal(parse("[::1]:80") == parse("[::1]:80"), true)
  t:equal(parse("[::1]:80") == parse("127.0.0.1:80"), false)
end)

rt.test("one text, (host, port) and an address object are the same", function(t)
  t:equal(bound("127.0.0.1:0").host, "127.0.0.1")
  t:equal(bound("127.0.0.1", 0).host, "127.0.0.1")
  t:equal(bound("::1", 0).host, "::1")
  t:equal(bound("[::1]", 0).host, "::1")
  local address = bound("127.0.0.1:0")
  t:equal(bound(address), address)
  t:equal(bound("localhost", 0).port > 0, true)
end)

rt.test("resolve takes a host alone", function(t)
  t:equal(tostring(net.resolve("127.0.0.1")[1]), "127.0.0.1:0")
  t:equal(tostring(net.resolve("::1")[1]), "[::1]:0")
  t:equal(tostring(net.resolve("[::1]")[1]), "[::1]:0")
  t:equal(tostring(net.resolve("fe80::1:80")[1]), "[fe80::1:80]:0")
  t:equal(tostring(net.resolve("::1", 80)[1]), "[::1]:80")
  t:equal(tostring(net.resolve("127.0.0.1", 65535)[1]), "127.0.0.1:65535")
  local address = net.resolve("127.0.0.1:80")[1]
  t:equal(net.resolve(address)[1], address)
end)

rt.test("resolve looks names up", function(t)
  local list = assert(net.resolve("localhost", 80))
  t:ok(#list >= 1)
  for _, address in ipairs(list) do
    t:equal(address.port, 80)
    t:ok(address.host == "127.0.0.1" or address.host == "::1", address.host)
  end
  t:equal(assert(net.resolve("localhost:81"))[1].port, 81)
  t:equal(assert(net.resolve("localhost"))[1].port, 0)
end)

rt.test("resolve lets other tasks run", function(t)
  local ran = 0
  local task = rt.spawn(function() for _ = 1, 3 do ran = ran + 1 rt.yield() end end)
  assert(net.resolve("localhost", 80))
  task:await()
  t:equal(ran, 3)
end)

rt.test("many names at once", function(t)
  local tasks = {}
  for i = 1, 50 do tasks[i] = rt.spawn(function() return assert(net.resolve("localhost", i))[1].port end) end
  for i = 1, 50 do t:equal(tasks[i]:await(), i) end
end)

rt.test("a name that does not resolve", function(t)
  -- Names under .invalid never do: RFC 6761. Without a network the answer is that it cannot be told.
  local value, message, code = net.resolve("no-such-name.invalid", 80)
  t:equal(value, nil)
  t:ok(message:find("resolve no-such-name.invalid:80: ", 1, true) == 1, message)
  t:ok(code == "ENOENT" or code == "EAGAIN" or code == "EIO", code)
  for _, fn in ipairs {net.tcp.connect, net.tcp.listen, net.udp.bind} do
    value, message = fn("no-such-name.invalid:80")
    t:equal(value, nil)
    t:ok(message:find("no-such-name.invalid:80", 1, true), message)
  end
end)

rt.test("a name that no one waits for any more", function(t)
  for _ = 1, 10 do
    local task = rt.spawn(function() return net.resolve("localhost", 80) end)
    rt.yield()
    task:cancel()
    task:join()
  end
  rt.timeout(0, function() return net.resolve("localhost", 80) end)
  t:ok(net.resolve("localhost", 80), "the next one is fine")
end)

rt.test("what is no address fails with it in the message", function(t)
  local long = ("x"):rep(300)
  for _, text in ipairs {
    "", ":", "nonsense", "127.0.0.1", "127.0.0.1:", ":80x", "127.0.0.1:99999", "127.0.0.1:-1", "127.0.0.1:80x",
    "127.0.0.1:0x50", "[::1]", "[::1:80", "[::1]80", "[127.0.0.1]:80", "::1", "[::zz]:80", "[]:80", "a b:80",
    "127.0.0.1: 80", "127.0.0.1:8 0", long .. ":80",
  } do
    for _, fn in ipairs {net.udp.bind, net.tcp.listen, net.tcp.connect} do
      local value, message, code = fn(text)
      if value ~= nil then error(("%q was taken for an address"):format(text)) end
      t:equal(type(code), "string")
      t:ok(message:find(text, 1, true), message)
    end
  end
end)

rt.test("a NUL byte does not cut an address off", function(t)
  local value, message = net.udp.bind("127.0.0.1:0\0junk")
  t:equal(value, nil)
  t:equal(type(message), "string")
end)

rt.test("hosts that are none, with a port apart", function(t)
  for _, host in ipairs {"127.0.0.1:80", "[::1]:80", "[127.0.0.1]", "[", " "} do
    local value, message, code = net.udp.bind(host, 0)
    if value ~= nil then error(("%q was taken for a host"):format(host)) end
    t:equal(type(message), "string")
    t:equal(type(code), "string")
  end
end)

rt.test("wrong types raise, naming function and argument", function(t)
  local functions = {bind = net.udp.bind, listen = net.tcp.listen, connect = net.tcp.connect, resolve = net.resolve}
  for name, fn in pairs(functions) do
    local function raises(message, ...)
      local n, args = select("#", ...), {...}
      local err = t:error(function() fn(unpack(args, 1, n)) end, message)
      t:ok(err:find("addr_test.lua:%d+: "), err)
    end
    raises(("bad argument #1 to '%s' (address expected, got nil)"):format(name))
    raises(("bad argument #1 to '%s' (address expected, got number)"):format(name), 80)
    raises(("bad argument #1 to '%s' (address expected, got table)"):format(name), {})
    raises(("bad argument #1 to '%s' (address expected, got userdata)"):format(name), io.stdout)
    raises(("bad argument #2 to '%s' (number expected, got string)"):format(name), "127.0.0.1", "80")
    raises(("bad argument #2 to '%s' (number expected, got boolean)"):format(name), "127.0.0.1", true)
    for _, port in ipairs {-1, 65536, 80.5, 1e300, 0 / 0, math.huge} do
      raises(("bad argument #2 to '%s' (port out of range)"):format(name), "127.0.0.1", port)
    end
  end
  t:error(function() net.udp.bind("127.0.0.1", {}) end, "bad argument #2 to 'bind' (number expected, got table)")
  t:error(function() net.resolve("127.0.0.1", {}) end, "bad argument #2 to 'resolve' (number expected, got table)")
end)
