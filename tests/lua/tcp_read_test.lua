-- SPDX-License-Identifier: MIT
-- Reading from TCP connections: every way to, and their timeouts.

local rt = require "rt"
local tcp_pair = require "tcp_pair"
local failure = require "failure"
local test = tcp_pair.test

test("write and read", function(t, a, b)
  t:equal(a:write("hello"), true)
  t:equal(b:read(), "hello")
  t:equal(b:write("a", 1, "", 2.5, "c"), true)
  t:equal(a:read_exactly(6), "a12.5c")
  t:equal(a:write(), true)
  t:equal(a:write(""), true)
  t:equal(a:write("\0\255\n"), true)
  t:equal(b:read(), "\0\255\n")
end)

test("read takes what is there, at most so much", function(t, a, b)
  a:write("abcdef")
  t:equal(b:read(2), "ab")
  t:equal(b:read(1e15), "cdef")
  a:write("line\nrest")
  t:equal(b:read_line(), "line")
  t:equal(b:read(1), "r")
  t:equal(b:read(), "est")
end)

test("read_exactly collects", function(t, a, b)
  local reader = rt.spawn(function() return b:read_exactly(6) end)
  for _, part in ipairs {"a", "bc", "def"} do
    a:write(part)
    rt.sleep(0.002)
  end
  t:equal(reader:await(), "abcdef")
  t:equal(b:read_exactly(0), "")
  a:write(("x"):rep(100000), "end")
  t:equal(#b:read_exactly(100000), 100000)
  t:equal(b:read_exactly(3), "end")
end)

test("what came before the end stays for the next read", function(t, a, b)
  a:write("abc")
  a:close()
  failure("closed", "EOF", b:read_exactly(10))
  t:equal(b:read_exactly(2), "ab")
  failure("closed", "EOF", b:read_until("\n"))
  t:equal(b:read(), "c")
  failure("closed", "EOF", b:read())
  t:equal(b:read_all(), "")
end)

test("read_line with either ending, and a last line without", function(t, a, b)
  a:write("one\ntwo\r\n\n\r\nwith\rinside\nlast")
  a:shutdown("write")
  for _, line in ipairs {"one", "two", "", "", "with\rinside", "last"} do t:equal(b:read_line(), line) end
  failure("closed", "EOF", b:read_line())
  failure("closed", "EOF", b:read_line())
end)

test("read_line where the ending comes in two parts", function(t, a, b)
  local reader = rt.spawn(function() return b:read_line(), b:read_line() end)
  for _, part in ipairs {"he", "llo\r", "\nwo", "rld", "\n"} do
    a:write(part)
    rt.sleep(0.002)
  end
  local first, second = reader:await()
  t:equal(first, "hello")
  t:equal(second, "world")
end)

test("a last line that ends in a carriage return keeps it", function(t, a, b)
  a:write("last\r")
  a:close()
  t:equal(b:read_line(), "last\r")
end)

test("lines", function(t, a, b)
  a:write("1\n2\r\n3")
  a:close()
  local lines = {}
  for line in b:lines() do lines[#lines + 1] = line end
  t:equal(table.concat(lines, ","), "1,2,3")
  b:close()
  for _ in b:lines() do error("a closed connection gave a line") end
end)

test("lines raises on failures", function(t, a, b)
  b:set_timeout(0.01)
  t:error(function() for _ in b:lines() do break end end, "tcp_read_test.lua:%d+: timeout %(ETIMEDOUT%)")
end)

test("read_until with a delimiter that is split over packets", function(t, a, b)
  local reader = rt.spawn(function() return b:read_until("\r\n\r\n") end)
  for _, part in ipairs {"head", "er\r", "\n\r", "\nbody"} do
    a:write(part)
    rt.sleep(0.002)
  end
  t:equal(reader:await(), "header\r\n\r\n")
  t:equal(b:read(), "body")
end)

test("read_until with delimiters of any kind", function(t, a, b)
  a:write("aab\0c\0\0d", ("y"):rep(40), "e")
  t:equal(b:read_until("ab"), "aab")
  t:equal(b:read_until("\0\0"), "\0c\0\0")
  t:equal(b:read_until("d" .. ("y"):rep(40)), "d" .. ("y"):rep(40))
  t:equal(b:read_until("e"), "e")
end)

test("read_until one delimiter, then another", function(t, a, b)
  a:write("one;two")
  b:set_timeout(0.02)
  failure("timeout", "ETIMEDOUT", b:read_until("\n"))
  t:equal(b:read_until(";"), "one;")
  t:equal(b:read_until("w"), "tw")
  t:equal(b:read(), "o")
end)

test("read_until with a limit", function(t, a, b)
  a:write("abcdef\nrest")
  failure("message too long", "EMSGSIZE", b:read_until("\n", 3))
  failure(tostring(b:peer_addr()), "EMSGSIZE", b:read_until("\n", 6))
  t:equal(b:read_until("\n", 7), "abcdef\n")
  failure("message too long", "EMSGSIZE", b:read_until("\n", 4))
  t:equal(b:read(), "rest")
end)

test("read_all", function(t, a, b)
  local data = ("0123456789"):rep(50000)
  rt.spawn(function()
    a:write(data)
    a:shutdown("write")
  end)
  t:equal(b:read_all() == data, true)
  t:equal(b:read_all(), "")
  failure("closed", "EOF", b:read())
end)

test("read_all with a limit", function(t, a, b)
  a:write("0123456789")
  a:close()
  failure("message too long", "EMSGSIZE", b:read_all(9))
  t:equal(b:read_all(10), "0123456789")
  t:equal(b:read_all(0), "")
end)

test("a timeout of the connection, and what it had gathered", function(t, a, b)
  t:equal(b:set_timeout(0.01), true)
  a:write("abc")
  failure("timeout", "ETIMEDOUT", b:read_exactly(5))
  failure("timeout", "ETIMEDOUT", b:read_until("\n"))
  failure("timeout", "ETIMEDOUT", b:read_line())
  failure("timeout", "ETIMEDOUT", b:read_all())
  a:write("de\n")
  t:equal(b:read_exactly(5), "abcde")
  t:equal(b:read_line(), "")
  failure("timeout", "ETIMEDOUT", b:read())
  b:set_timeout(nil)
  local reader = rt.spawn(function() return b:read() end)
  failure("timeout", "ETIMEDOUT", reader:join(0.03))
  a:write("x")
  t:equal(reader:await(), "x")
end)

test("rt.timeout keeps what was gathered too", function(t, a, b)
  a:write("abc")
  failure("timeout", "ETIMEDOUT", rt.timeout(0.01, b.read_exactly, b, 5))
  a:write("de")
  t:equal(b:read_exactly(5), "abcde")
end)

test("a cancelled read keeps what was gathered", function(t, a, b)
  a:write("abc")
  local reader = rt.spawn(function() return b:read_line() end)
  rt.sleep(0.005)
  reader:cancel()
  t:equal(select(2, reader:join()), rt.cancelled)
  a:write("de\n")
  t:equal(b:read_line(), "abcde")
end)

test("a timeout is of the whole operation, not of each wait", function(t, a, b)
  b:set_timeout(0.05)
  local feeding = true
  local feeder = rt.spawn(function()
    while feeding do
      a:write("x")
      rt.sleep(0.002)
    end
  end)
  failure("timeout", "ETIMEDOUT", b:read_line())
  feeding = false
  feeder:join()
  b:set_timeout(30)
  a:write("\n")
  t:ok(b:read_line():find("^x+$"))
end)

test("timeouts that are over at once, enormous, or none", function(t, a, b)
  for _, seconds in ipairs {0, -1, -math.huge} do
    b:set_timeout(seconds)
    failure("timeout", "ETIMEDOUT", b:read())
  end
  a:write("ready")
  assert(rt.wait_fd(b:fd(), "r", 30))
  t:equal(b:read(), "ready")
  for _, seconds in ipairs {1e300, math.huge} do
    b:set_timeout(seconds)
    failure("timeout", "ETIMEDOUT", rt.timeout(0.005, b.read, b))
  end
  b:set_timeout()
  failure("timeout", "ETIMEDOUT", rt.timeout(0.005, b.read, b))
end)
