-- SPDX-License-Identifier: MIT
-- UDP sockets.
--
--   local socket = assert(net.udp.bind("127.0.0.1:8080"))
--   local data, peer = socket:recv_from()
--
-- Besides the methods here a socket has broadcast(), ttl(), multicast_loop_v4(),
-- multicast_ttl_v4(), multicast_loop_v6() with their set_ counterparts, join_multicast_v4(group
-- [, interface address]), join_multicast_v6(group[, interface name or index]), leave_..., and
-- local_addr(), peer_addr(), set_timeout(seconds), fd(), close().
--
-- Cancel safety: when rt.cancelled is raised, or a timeout given, no datagram has been received or sent.

local core = require "rt.core"
local addr = require "rt.addr"
local failure = require "rt.failure"

local udp = {}
local Udp = core.Udp
local recv, send = core.udp_recv, core.udp_send
local wait_readable, wait_writable = core.udp_wait_readable, core.udp_wait_writable

-- bind(addr) -> socket. Waits only for names.
function udp.bind(host, port)
  return addr.each(addr.target(host, port, 1, "bind"), core.udp_bind)
end

-- recv_from([max]) -> data, peer. A datagram of more than max bytes is cut off, and its whole size
-- is the third result. Waits.
function Udp:recv_from(max)
  local data, peer, more = recv(self, max)
  while data == false do
    local _, code = wait_readable(self)
    if code then return failure(code, "recv") end
    data, peer, more = recv(self, max)
  end
  if more == nil then return data, peer end
  return data, peer, more
end

-- recv([max]) -> data[, the whole size if it was cut off]. Waits.
function Udp:recv(max)
  local data, peer, more = self:recv_from(max)
  if not data then return nil, peer, more end
  if more then return data, more end
  return data
end

local function send_to(address, self, data)
  local sent, message, code = send(self, data, address)
  while sent == false do
    local _, reason = wait_writable(self)
    if reason then return failure(reason, "send") end
    sent, message, code = send(self, data, address)
  end
  if sent then return sent end
  return nil, message, code
end

-- send_to(data, addr) -> the size: a datagram goes as a whole or not at all. Waits.
function Udp:send_to(data, host, port)
  return addr.each(addr.target(host, port, 2, "send_to"), send_to, self, data)
end

-- connect(addr) -> true: the peer of send and recv. Waits only for names.
function Udp:connect(host, port)
  local target = addr.target(host, port, 1, "connect")
  return addr.each(target, function(address) return core.udp_connect(self, address) end)
end

-- send(data) -> the size. Waits.
function Udp:send(data)
  return send_to(nil, self, data)
end

function Udp:__tostring()
  local address = self:local_addr()
  return address and ("UDP socket (%s)"):format(address) or "UDP socket (closed)"
end

Udp.__index = Udp
Udp.__metatable = "UDP socket"

return udp
