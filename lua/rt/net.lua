-- SPDX-License-Identifier: MIT
-- The network: TCP, UDP, names, and any other descriptor.
--
-- An address is "127.0.0.1:80", "[::1]:80", "name:80", (host, port), or an address object. A
-- name's addresses are tried in order.

local core = require "rt.core"
local addr = require "rt.addr"
local failure = require "rt.failure"

local net = {
  tcp = require "rt.tcp",
  udp = require "rt.udp",
}

-- resolve(host[, port]) -> the list of its address objects, in the order to try them. Waits.
function net.resolve(host, port)
  local target = addr.target(host, port, 1, "resolve")
  if target == host and type(host) == "string" and (not host:find(":%d+$") or host:find("^[^[:]*:.*:")) then
    target = addr.target(host, 0)
  end
  return addr.resolve(target)
end

-- wait_fd(fd, "r"|"w"[, timeout]) -> true: waits until a descriptor of any kind is ready. Waits.
function net.wait_fd(fd, direction, timeout)
  local watch, began = core.fd_watch(), core.now()
  local _, code = core.fd_wait(fd, direction, timeout, watch)
  core.fd_end(watch)
  if code then return failure(code, "wait_fd", tostring(fd)) end
  if not core.fd_was_misled(fd, direction) then return true end
  return net.wait_fd(fd, direction, timeout and math.max(timeout - (core.now() - began), 0))
end

return net
