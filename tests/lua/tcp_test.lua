-- SPDX-License-Identifier: MIT
-- rt.net.tcp: connections and listeners: connecting, writing, ends, options, misuse.

local rt = require "rt"
local program = require "program"
local tcp_pair = require "tcp_pair"
local failure = require "failure"
local tcp = rt.net.tcp
local BIG, big = tcp_pair.BIG, tcp_pair.big
local pair, reset, test, wait_until = tcp_pair.pair, tcp_pair.reset, tcp_pair.test, tcp_pair.wait_until

rt.test("listen, connect, accept", function(t)
  local listener = assert(tcp.listen("127.0.0.1:0"))
  local address = listener:local_addr()
  t:equal(address.host, "127.0.0.1")
  t:ok(address.port > 0)
  t:equal(tostring(listener), "listener (" .. tostring(address) .. ")")
  t:ok(listener:fd() > 2)
  local conn = assert(tcp.connect(tostring(address)))
  local peer, from = listener:accept()
  t:equal(from, conn:local_addr())
  t:equal(peer:peer_addr(), from)
  t:equal(conn:peer_addr(), address)
  t:equal(peer:local_addr(), address)
  t:equal(tostring(conn), "connection (" .. tostring(conn:local_addr()) .. ")")
  t:equal(getmetatable(conn), "connection")
  t:equal(getmetatable(listener), "listener")
  t:ok(conn:fd() > 2 and conn:fd() ~= peer:fd())
  conn:close()
  peer:close()
  listener:close()
end)

rt.test("IPv6 and names", function(t)
  local listener, message = tcp.listen("::1", 0)
  if not listener then return t:ok(message) end -- no IPv6 here
  t:equal(listener:local_addr().host, "::1")
  local conn = assert(tcp.connect("::1", listener:local_addr().port))
  assert(assert(listener:accept()):write("six"))
  t:equal(conn:read(), "six")
  conn:close()
  listener:close()
  listener = assert(tcp.listen("127.0.0.1:0"))
  conn = assert(tcp.connect("localhost", listener:local_addr().port))
  conn:close()
  listener:close()
end)

rt.test("accept waits", function(t)
  local listener = assert(tcp.listen("127.0.0.1", 0, {backlog = 5, reuseport = false}))
  local task = rt.spawn(function() return listener:accept() end)
  rt.yield()
  t:equal(task:status(), "waiting")
  failure("timeout", "ETIMEDOUT", task:join(0.01))
  local conn = assert(tcp.connect(listener:local_addr(), {nodelay = true, timeout = 30}))
  local peer, from = task:await()
  t:equal(from, conn:local_addr())
  failure("timeout", "ETIMEDOUT", rt.timeout(0.01, listener.accept, listener))
  peer:close()
  conn:close()
  listener:close()
end)

rt.test("incoming ends when the listener is closed", function(t)
  local listener = assert(tcp.listen("127.0.0.1:0"))
  local count = 0
  local server = rt.spawn(function()
    for conn, peer in listener:incoming() do
      t:equal(conn:peer_addr(), peer)
      count = count + 1
      conn:close()
    end
    return "ended"
  end)
  for _ = 1, 5 do
    local conn = assert(tcp.connect(listener:local_addr()))
    failure("closed", "EOF", conn:read())
    conn:close()
  end
  t:equal(server:status(), "waiting")
  listener:close()
  t:equal(server:await(), "ended")
  t:equal(count, 5)
  for _ in listener:incoming() do error("a closed listener gave something") end
end)

rt.test("a second accept at once gets EBUSY", function(t)
  local listener = assert(tcp.listen("127.0.0.1:0"))
  local first = rt.spawn(function() return listener:accept() end)
  rt.yield()
  failure("accept: ", "EBUSY", listener:accept())
  t:error(function() for _ in listener:incoming() do break end end, "EBUSY")
  local conn = assert(tcp.connect(listener:local_addr()))
  t:ok(first:await())
  conn:close()
  listener:close()
end)

rt.test("two listeners on one port with reuseport, and not without", function(t)
  local first = assert(tcp.listen("127.0.0.1:0", {reuseport = true}))
  local second = assert(tcp.listen(first:local_addr(), {reuseport = true}))
  t:equal(first:local_addr(), second:local_addr())
  failure("listen " .. tostring(first:local_addr()) .. ": address already in use", "EADDRINUSE",
    tcp.listen(first:local_addr()))
  first:close()
  second:close()
end)

rt.test("a port in use, an address that is not ours, a connection that is refused", function(t)
  local listener = assert(tcp.listen("127.0.0.1:0"))
  local text = tostring(listener:local_addr())
  failure("listen " .. text .. ": address already in use", "EADDRINUSE", tcp.listen(text))
  failure("listen 203.0.113.1:1", "EADDRNOTAVAIL", tcp.listen("203.0.113.1:1"))
  listener:close()
  local again = assert(tcp.listen(text))
  again:close()
  failure("connect " .. text .. ": connection refused", "ECONNREFUSED", tcp.connect(text))
  failure("connection refused", "ECONNREFUSED", tcp.connect("localhost", again and tonumber(text:match("%d+$"))))
end)

rt.test("a connection that takes too long", function(t)
  -- A full backlog: the system answers no more.
  local listener = assert(tcp.listen("127.0.0.1:0", {backlog = 1}))
  local conns = {}
  local value, message, code
  for i = 1, 20 do
    value, message, code = tcp.connect(listener:local_addr(), {timeout = 0.05})
    if not value then break end
    conns[i] = value
  end
  failure("timeout", "ETIMEDOUT", value, message, code)
  failure("timeout", "ETIMEDOUT", rt.timeout(0.02, tcp.connect, listener:local_addr()))
  local task = rt.spawn(tcp.connect, listener:local_addr())
  rt.yield()
  task:cancel()
  t:equal(select(2, task:join()), rt.cancelled)
  for _, conn in ipairs(conns) do conn:close() end
  listener:close()
end)

test("a write that takes too long", function(t, a, b)
  a:set_timeout(0.02)
  failure("timeout", "ETIMEDOUT", a:write(big))
end)

rt.test("the timeout of connect does not last", function(t)
  local listener = assert(tcp.listen("127.0.0.1:0"))
  local conn = assert(tcp.connect(listener:local_addr(), {timeout = 0.05}))
  local peer = assert(listener:accept())
  rt.sleep(0.06)
  failure("timeout", "ETIMEDOUT", rt.timeout(0.01, conn.read, conn))
  conn:set_timeout(30)
  local writer = rt.spawn(function() return conn:write(big) end)
  rt.yield()
  t:equal(writer:status(), "waiting")
  t:equal(peer:read_exactly(BIG) == big, true)
  t:equal(writer:await(), true)
  conn:close()
  peer:close()
  listener:close()
end)

test("big data against a slow reader, in many arguments", function(t, a, b)
  local parts, expected = {}, {}
  for i = 1, 300 do
    parts[i] = ("%d:"):format(i) .. (string.char(i % 256)):rep(i % 7 == 0 and 0 or 100000 + i)
    expected[i] = parts[i]
  end
  expected = table.concat(expected)
  local writer = rt.spawn(function()
    local ok, message, code = a:write(unpack(parts))
    a:shutdown("write")
    return ok, message, code
  end)
  local got, size = {}, 0
  while size < #expected do
    local data = assert(b:read(50000))
    got[#got + 1] = data
    size = size + #data
    if #got % 20 == 0 then rt.sleep(0.001) end
  end
  t:equal(writer:await(), true)
  t:equal(table.concat(got) == expected, true)
  failure("closed", "EOF", b:read())
end)

test("one reader and one writer at once, both ways", function(t, a, b)
  local tasks = {}
  for i, conn in ipairs {a, b} do
    tasks[i] = rt.spawn(function() return conn:write(big) end)
    tasks[i + 2] = rt.spawn(function() return conn:read_exactly(BIG) == big end)
  end
  for i = 1, 4 do t:equal(tasks[i]:await(), true) end
end)

test("a second reader gets EBUSY and takes nothing from the first", function(t, a, b)
  a:write("abc")
  local first = rt.spawn(function() return b:read_exactly(6) end)
  wait_until(function() return first:status() == "waiting" end)
  rt.sleep(0.005)
  local subject = "read " .. tostring(b:peer_addr()) .. ": device or resource busy"
  failure(subject, "EBUSY", b:read())
  failure(subject, "EBUSY", b:read_exactly(1))
  failure(subject, "EBUSY", b:read_line())
  failure(subject, "EBUSY", b:read_until("c"))
  failure(subject, "EBUSY", b:read_all())
  t:equal(first:status(), "waiting")
  a:write("def")
  t:equal(first:await(), "abcdef")
end)

test("a second reader does not extend the first one's timeout", function(t, a, b)
  b:set_timeout(0.05)
  local first = rt.spawn(function()
    local before = rt.now()
    failure("timeout", "ETIMEDOUT", b:read_line())
    return rt.now() - before
  end)
  rt.yield()
  local busy = 0
  while first:status() ~= "done" do
    a:write("x")
    if select(3, b:read()) == "EBUSY" then busy = busy + 1 end
    rt.sleep(0.001)
    if busy > 5000 then break end
  end
  t:ok(busy > 0)
  t:equal(first:status(), "done")
  first:await()
end)

test("a second writer gets EBUSY and the first one's data stay whole", function(t, a, b)
  local first = rt.spawn(function() return a:write(big) end)
  rt.yield()
  t:equal(first:status(), "waiting")
  failure("write " .. tostring(a:peer_addr()) .. ": device or resource busy", "EBUSY", a:write("intruder"))
  local busy = 0
  local intruder = rt.spawn(function()
    while first:status() ~= "done" do
      if select(3, a:write("!")) ~= "EBUSY" then return "written" end
      busy = busy + 1
      rt.yield()
    end
  end)
  local got, have = {}, 0
  while have < BIG do
    local part = assert(b:read(math.min(65536, BIG - have)))
    got[#got + 1], have = part, have + #part
    rt.yield()
  end
  t:equal(first:await(), true)
  intruder:await()
  t:equal(table.concat(got) == big, true)
  t:ok(busy > 0)
end)

test("a reader's end leaves the writer's deadline alone", function(t, a, b)
  a:set_timeout(0.1)
  local writer = rt.spawn(function()
    local value, message, code = a:write(big)
    return value, message, code
  end)
  rt.yield()
  local drained = rt.spawn(function() while b:read(1000) do rt.sleep(0.001) end end)
  local reads = 0
  while writer:status() ~= "done" and reads < 3000 do
    rt.timeout(0.005, a.read, a)
    reads = reads + 1
  end
  t:ok(reads < 3000, "the write never timed out")
  failure("timeout", "ETIMEDOUT", writer:await())
  b:close()
  drained:join()
end)

test("pipe_to copies to the end and says how much", function(t, a, b)
  local c, d = pair()
  local size = 1000000
  rt.spawn(function()
    a:write(("z"):rep(size))
    a:shutdown("write")
  end)
  local pipe = rt.spawn(function() return b:pipe_to(c) end)
  t:equal(d:read_exactly(size) == ("z"):rep(size), true)
  t:equal(pipe:await(), size)
  failure("timeout", "ETIMEDOUT", rt.timeout(0.005, d.read, d))
  c:close()
  failure("closed", "EBADF", c:pipe_to(d))
  d:close()
end)

test("pipe_to into a connection that fails", function(t, a, b)
  local c, d = pair()
  reset(d)
  wait_until(function() return not c:write("x") end)
  a:write("data")
  local value, message, code = b:pipe_to(c)
  t:equal(value, nil)
  t:ok(message:find("write", 1, true), message)
  t:ok(code == "EPIPE" or code == "ECONNRESET", code)
  c:close()
end)

test("an echo is pipe_to itself", function(t, a, b)
  local echo = rt.spawn(function() return b:pipe_to(b) end)
  a:write("ping")
  t:equal(a:read_exactly(4), "ping")
  a:shutdown("write")
  t:equal(echo:await(), 4)
end)

test("a half-closed stream", function(t, a, b)
  t:equal(a:shutdown("write"), true)
  failure("closed", "EOF", b:read())
  failure("closed", "EOF", b:read())
  t:equal(b:write("still there"), true)
  t:equal(a:read_exactly(11), "still there")
  local value, message, code = a:write("no more")
  t:equal(value, nil)
  t:equal(code, "EPIPE")
  t:ok(message:find("^write " .. tostring(a:peer_addr()):gsub("%p", "%%%0") .. ": broken pipe"), message)
  t:equal(b:shutdown("both"), true)
  failure("closed", "EOF", a:read())
end)

test("shutdown of the reading side", function(t, a, b)
  local reader = rt.spawn(function() return b:read() end)
  rt.yield()
  t:equal(b:shutdown("read"), true)
  failure("closed", "EOF", reader:await())
  t:equal(b:write("x"), true)
  t:equal(a:read(), "x")
  t:equal(a:shutdown(), true)
end)

test("a reset by the peer", function(t, a, b)
  local reader = rt.spawn(function() return a:read() end)
  rt.yield()
  reset(b)
  local value, message, code = reader:await()
  t:equal(value, nil)
  t:equal(code, "ECONNRESET")
  t:ok(message:find("^read.*: connection reset by peer$"), message)
  -- SIGPIPE would kill us here.
  for _ = 1, 3 do
    value, message, code = a:write("x")
    t:equal(value, nil)
    t:equal(type(message), "string")
    t:equal(code, "EPIPE")
  end
end)

test("a reset while writing", function(t, a, b)
  local writer = rt.spawn(function() return a:write(big) end)
  rt.yield()
  t:equal(writer:status(), "waiting")
  reset(b)
  local value, message, code = writer:await()
  t:equal(value, nil)
  t:ok(message:find("^write"), message)
  t:ok(code == "ECONNRESET" or code == "EPIPE", code)
end)

test("a reset with data before it, read in small parts", function(t, a, b)
  a:write("abc")
  rt.wait_fd(b:fd(), "r", 30)
  t:equal(b:read(1), "a")
  t:equal(b:read(100), "bc")
  reset(a)
  local value, _, code = b:read()
  t:equal(value, nil)
  t:equal(code, "ECONNRESET")
end)

test("the end of the stream that comes with the last data", function(t, a, b)
  a:write("last words")
  a:close()
  rt.wait_fd(b:fd(), "r", 30)
  t:equal(b:read(), "last words")
  failure("closed", "EOF", rt.timeout(30, b.read, b))
end)

test("nodelay and keepalive", function(t, a)
  for _, value in ipairs {true, false} do
    t:equal(a:set_nodelay(value), true)
    t:equal(a:set_keepalive(value), true)
  end
  for _, seconds in ipairs {0, 0.5, 30, 32767} do t:equal(a:set_keepalive(seconds), true) end
end)

test("closing wakes the reader and the writer", function(t, a, b)
  local reader = rt.spawn(function() return a:read() end)
  local writer = rt.spawn(function() return a:write(big) end)
  rt.yield()
  a:close()
  failure("closed", "EBADF", reader:await())
  failure("closed", "EBADF", writer:await())
end)

rt.test("every method of a closed connection", function(t)
  local a, b = pair()
  b:write("left over")
  a:read(1)
  a:close()
  a:close()
  t:equal(tostring(a), "connection (closed)")
  local calls = {
    read = {}, read_exactly = {1}, read_line = {}, read_until = {"\n"}, read_all = {}, write = {"x"},
    pipe_to = {b}, shutdown = {"write"}, local_addr = {}, peer_addr = {}, set_nodelay = {true},
    set_keepalive = {true}, set_timeout = {1}, fd = {},
  }
  for method, args in pairs(calls) do
    local value, message, code = a[method](a, unpack(args))
    if value ~= nil or message ~= "closed" or code ~= "EBADF" then
      error(("%s: %s, %s, %s"):format(method, value, message, code))
    end
  end
  failure("closed", "EBADF", a:write())
  failure("closed", "EBADF", a:read_exactly(0))
  failure("closed", "EBADF", a:set_timeout(nil))
  b:close()
end)

rt.test("every method of a closed listener", function(t)
  local listener = assert(tcp.listen("127.0.0.1:0"))
  local waiting = rt.spawn(function() return listener:accept() end)
  rt.yield()
  listener:close()
  listener:close()
  failure("closed", "EBADF", waiting:await())
  for _, method in ipairs {"accept", "local_addr", "fd"} do
    failure("closed", "EBADF", listener[method](listener))
  end
  t:equal(tostring(listener), "listener (closed)")
end)

rt.test("wrong arguments raise, naming function and argument", function(t)
  local a, b = pair()
  local listener = assert(tcp.listen("127.0.0.1:0"))
  local function raises(message, fn)
    local err = t:error(fn, message)
    t:ok(err:find("tcp_test.lua:%d+: "), err)
  end
  raises("bad argument #1 to 'read' (number expected, got string)", function() a:read("all") end)
  raises("bad argument #1 to 'read' (size out of range)", function() a:read(0) end)
  raises("bad argument #1 to 'read' (size out of range)", function() a:read(-1) end)
  raises("bad argument #1 to 'read' (size out of range)", function() a:read(0 / 0) end)
  raises("bad argument #1 to 'read_exactly' (number expected, got ", function() a:read_exactly() end)
  raises("bad argument #1 to 'read_exactly' (size out of range)", function() a:read_exactly(-1) end)
  raises("bad argument #1 to 'read_exactly' (size out of range)", function() a:read_exactly(math.huge) end)
  raises("bad argument #1 to 'read_until' (string expected, got nil)", function() a:read_until(nil) end)
  raises("bad argument #1 to 'read_until' (empty delimiter)", function() a:read_until("") end)
  raises("bad argument #2 to 'read_until' (number expected, got table)", function() a:read_until("x", {}) end)
  raises("bad argument #1 to 'read_all' (size out of range)", function() a:read_all(-5) end)
  raises("bad argument #1 to 'write' (string expected, got nil)", function() a:write(nil) end)
  raises("bad argument #2 to 'write' (string expected, got table)", function() a:write("x", {}) end)
  raises("bad argument #3 to 'write' (string expected, got boolean)", function() a:write("x", 1, true) end)
  raises("bad argument #1 to 'shutdown'", function() a:shutdown("everything") end)
  raises("bad argument #1 to 'set_timeout' (number expected, got string)", function() a:set_timeout("x") end)
  raises("bad argument #1 to 'set_timeout' (number expected, got NaN)", function() a:set_timeout(0 / 0) end)
  raises("bad argument #1 to 'set_keepalive'", function() a:set_keepalive() end)
  raises("bad argument #1 to 'set_keepalive'", function() a:set_keepalive(-1) end)
  raises("bad argument #1 to 'set_nodelay'", function() a:set_nodelay() end)
  raises("bad argument #2 to 'listen' (number expected, got string)", function() tcp.listen("127.0.0.1:0", "x") end)
  raises("bad argument #3 to 'listen' (table expected, got string)", function() tcp.listen("127.0.0.1", 0, "x") end)
  raises("bad argument #3 to 'connect' (table expected, got number)", function() tcp.connect("127.0.0.1", 1, 5) end)
  raises("backlog", function() tcp.listen("127.0.0.1:0", {backlog = "many"}) end)
  raises("backlog", function() tcp.listen("127.0.0.1:0", {backlog = -1}) end)
  raises("number expected, got string", function() tcp.connect(listener:local_addr(), {timeout = "soon"}) end)
  t:error(function() a.read(5) end, "connection expected, got number")
  t:error(function() a.read(listener) end, "connection expected, got userdata")
  t:error(function() listener.accept(a) end, "listener expected, got userdata")
  raises("bad argument #1 to 'pipe_to' (connection expected, got nil)", function() a:pipe_to(nil) end)
  t:error(function() listener.accept() end, "listener expected, got ")
  -- None of that has read, written or closed anything.
  t:equal(a:write("fine"), true)
  t:equal(b:read(), "fine")
  a:close()
  b:close()
  listener:close()
end)

rt.test("handles that are collected are closed", function(t)
  collectgarbage()
  collectgarbage()
  local before = program.descriptors()
  do
    local listener = assert(tcp.listen("127.0.0.1:0"))
    local conns = {}
    for i = 1, 20 do
      conns[i] = {assert(tcp.connect(listener:local_addr())), (assert(listener:accept()))}
      conns[i][1]:write("line\n")
      conns[i][2]:read_line()
    end
    t:equal(program.descriptors(), before + 41)
  end
  collectgarbage()
  collectgarbage()
  rt.yield()
  t:equal(program.descriptors(), before)
end)

rt.test("handles of failed attempts do not stay open", function(t)
  collectgarbage()
  collectgarbage()
  local before = program.descriptors()
  local listener = assert(tcp.listen("127.0.0.1:0"))
  local address = listener:local_addr()
  for _ = 1, 20 do tcp.listen(address) end
  listener:close()
  for _ = 1, 20 do tcp.connect(address) end
  t:equal(program.descriptors(), before)
end)

rt.test("a connection goes on after other tasks have failed with it", function(t)
  local a, b = pair()
  local task = rt.spawn(function()
    a:read_line()
    error("after the line")
  end)
  b:write("line\nrest")
  t:equal(task:join(), false)
  t:equal(a:read(), "rest")
  a:close()
  b:close()
end)

rt.test("a hundred connections at once", function(t)
  local listener = assert(tcp.listen("127.0.0.1:0"))
  local server = rt.spawn(function()
    for conn in listener:incoming() do
      rt.spawn(function()
        for line in conn:lines() do conn:write(line:upper(), "\n") end
        conn:close()
      end)
    end
  end)
  local tasks = {}
  for i = 1, 100 do
    tasks[i] = rt.spawn(function()
      local conn = assert(tcp.connect(listener:local_addr()))
      for j = 1, 20 do
        conn:write("line ", i, " ", j, "\n")
        t:equal(conn:read_line(), ("LINE %d %d"):format(i, j))
      end
      conn:close()
    end)
  end
  for i = 1, 100 do tasks[i]:await() end
  listener:close()
  server:await()
end)
