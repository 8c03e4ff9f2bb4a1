-- SPDX-License-Identifier: MIT
-- rt.net: its modules, and wait_fd on descriptors of other libraries.

local rt = require "rt"
local ffi = require "ffi"
local failure = require "failure"
local net = rt.net

ffi.cdef [[
int pipe2(int fds[2], int flags);
long read(int fd, void *buf, size_t size);
long write(int fd, const void *buf, size_t size);
int close(int fd);
]]
local O_NONBLOCK = 2048

local function pipe()
  local fds = ffi.new("int[2]")
  assert(ffi.C.pipe2(fds, O_NONBLOCK) == 0)
  return fds[0], fds[1]
end

local function close(...)
  for _, fd in ipairs {...} do ffi.C.close(fd) end
end

rt.test("the modules are where they should be", function(t)
  t:equal(rt.net, require "rt.net")
  t:equal(rt.wait_fd, net.wait_fd)
  t:equal(type(rt.version), "string")
  for _, name in ipairs {"spawn", "sleep", "sleep_until", "interval", "now", "yield", "timeout", "main", "runtime"} do
    t:equal(type(rt[name]), "function")
  end
  for _, name in ipairs {"connect", "listen"} do t:equal(type(net.tcp[name]), "function") end
  t:equal(type(net.udp.bind), "function")
  t:equal(type(net.resolve), "function")
end)

rt.test("wait_fd waits until a pipe can be read", function(t)
  local reader, writer = pipe()
  local task = rt.spawn(function() return rt.wait_fd(reader, "r") end)
  rt.yield()
  t:equal(task:status(), "waiting")
  t:equal(tonumber(ffi.C.write(writer, "x", 1)), 1)
  t:equal(task:await(), true)
  t:equal(rt.wait_fd(reader, "r"), true)
  t:equal(rt.wait_fd(reader, "r", 0), true)
  close(reader, writer)
end)

rt.test("wait_fd waits until a pipe can be written", function(t)
  local reader, writer = pipe()
  t:equal(rt.wait_fd(writer, "w"), true)
  local block = ("x"):rep(65536)
  while ffi.C.write(writer, block, #block) > 0 do end
  failure("timeout", "ETIMEDOUT", rt.wait_fd(writer, "w", 0.01))
  local task = rt.spawn(function() return rt.wait_fd(writer, "w") end)
  rt.yield()
  local buffer = ffi.new("char[?]", #block)
  while ffi.C.read(reader, buffer, #block) > 0 do end
  t:equal(task:await(), true)
  close(reader, writer)
end)

rt.test("wait_fd is told of the end of a stream", function(t)
  local reader, writer = pipe()
  local task = rt.spawn(function() return rt.wait_fd(reader, "r") end)
  rt.yield()
  close(writer)
  t:equal(task:await(), true)
  close(reader)
end)

rt.test("wait_fd gives up", function(t)
  local reader, writer = pipe()
  for _, seconds in ipairs {0.01, 0, -1, -math.huge} do
    failure("timeout", "ETIMEDOUT", rt.wait_fd(reader, "r", seconds))
  end
  failure("timeout", "ETIMEDOUT", rt.timeout(0.01, rt.wait_fd, reader, "r", math.huge))
  close(reader, writer)
end)

rt.test("wait_fd again and again, with the number used anew in between", function(t)
  for _ = 1, 50 do
    local reader, writer = pipe()
    failure("timeout", "ETIMEDOUT", rt.wait_fd(reader, "r", 0))
    ffi.C.write(writer, "x", 1)
    t:equal(rt.wait_fd(reader, "r", 30), true)
    close(reader, writer)
  end
end)

rt.test("wait_fd beside a socket's own waits", function(t)
  local socket = assert(net.udp.bind("127.0.0.1:0"))
  local reader = rt.spawn(function() return socket:recv() end)
  rt.yield()
  local other = assert(net.udp.bind("127.0.0.1:0"))
  failure("timeout", "ETIMEDOUT", rt.wait_fd(other:fd(), "r", 0))
  assert(other:send_to("hello", socket:local_addr()))
  t:equal(reader:await(), "hello")
  socket:close()
  other:close()
end)

rt.test("what is no descriptor", function(t)
  failure("closed", "EBADF", rt.wait_fd(-1, "r"))
  failure("closed", "EBADF", rt.wait_fd(999999, "r"))
  local file = assert(io.open("/dev/null"))
  t:equal(rt.wait_fd(0, "r", 30), true)
  file:close()
end)

rt.test("wait_fd's arguments raise, naming them", function(t)
  local function raises(message, ...)
    local n, args = select("#", ...), {...}
    local err = t:error(function() rt.wait_fd(unpack(args, 1, n)) end, message)
    t:ok(err:find("net_test.lua:%d+: "), err)
  end
  raises("bad argument #1 to 'wait_fd' (number expected, got ")
  raises("bad argument #1 to 'wait_fd' (number expected, got userdata)", io.stdout, "r")
  raises("bad argument #1 to 'wait_fd' (not a descriptor)", 1.5, "r")
  raises("bad argument #1 to 'wait_fd' (not a descriptor)", 1e300, "r")
  raises("bad argument #1 to 'wait_fd' (not a descriptor)", 0 / 0, "r")
  raises("bad argument #2 to 'wait_fd' (string expected, got nil)", 0)
  raises([[bad argument #2 to 'wait_fd' ("r" or "w" expected)]], 0, "rw")
  raises("bad argument #3 to 'wait_fd' (number expected, got string)", 0, "r", "soon")
  raises("bad argument #3 to 'wait_fd' (number expected, got NaN)", 0, "r", 0 / 0)
end)

rt.test("rt.runtime says which one runs", {runtime = "native"}, function(t)
  t:equal(rt.runtime(), "native")
  t:equal(rt.runtime("native"), "native")
  t:error(function() rt.runtime("nonsense") end, "net_test.lua:%d+: unknown runtime 'nonsense'")
  t:error(function() rt.runtime({}) end, "bad argument #1 to 'runtime' (string expected, got table)")
end)

rt.test("a second main is an error", function(t)
  t:error(function() rt.main(function() end) end, "net_test.lua:%d+: .*already running on this thread")
  t:error(function() rt.main() end, "bad argument #1 to 'main'")
end)
