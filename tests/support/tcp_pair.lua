-- SPDX-License-Identifier: MIT
-- What the tests of TCP share: pairs of connections, resets, data that does not fit into buffers.

local rt = require "rt"
local ffi = require "ffi"
local tcp = rt.net.tcp

local M = {}

ffi.cdef [[
struct linger { int l_onoff; int l_linger; };
int setsockopt(int fd, int level, int name, const void *value, unsigned size);
]]
local SOL_SOCKET, SO_LINGER = 1, 13

-- More than the system buffers: writing it waits for a reader.
M.BIG = 24000000
M.big = ("0123456789abcdef"):rep(M.BIG / 16)

-- Closing it then sends a reset.
function M.reset(conn)
  assert(ffi.C.setsockopt(conn:fd(), SOL_SOCKET, SO_LINGER, ffi.new("struct linger", {1, 0}), 8) == 0)
  conn:close()
end

-- Two ends of a connection.
function M.pair()
  local listener = assert(tcp.listen("127.0.0.1:0"))
  local conn = assert(tcp.connect(listener:local_addr()))
  local peer = assert(listener:accept())
  listener:close()
  return conn, peer
end

function M.test(name, fn)
  rt.test(name, function(t)
    local a, b = M.pair()
    fn(t, a, b)
    a:close()
    b:close()
  end)
end

function M.wait_until(condition)
  local limit = rt.now() + 30
  while not condition() do
    if rt.now() > limit then error("waited in vain", 2) end
    rt.sleep(0.001)
  end
end

return M
