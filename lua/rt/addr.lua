-- SPDX-License-Identifier: MIT
-- Addresses: objects with host and port, and what else may stand for one.

local core = require "rt.core"
local failure = require "rt.failure"

local addr = {}

local meta = core.Addr
local getters = {host = core.addr_host, port = core.addr_port}

-- An address has the fields host ("127.0.0.1") and port (80).
function meta.__index(self, key)
  local get = getters[key]
  return get and get(self)
end

meta.__tostring = core.addr_text
meta.__eq = core.addr_equal
meta.__metatable = "address"

-- "host:port" of what a caller has given: "host:port", (host, port) or an address object, which
-- is given back. With has_options the port's place may be theirs. The error is the caller's caller's.
function addr.target(host, port, index, name, has_options)
  local is_addr = core.is_addr(host)
  if not is_addr and type(host) ~= "string" then
    error(("bad argument #%d to '%s' (address expected, got %s)"):format(index, name, type(host)), 3)
  end
  if is_addr or port == nil or (has_options and type(port) == "table") then return host end
  if type(port) ~= "number" then
    error(("bad argument #%d to '%s' (number expected, got %s)"):format(index + 1, name, type(port)), 3)
  end
  if not (port >= 0 and port <= 65535 and port % 1 == 0) then
    error(("bad argument #%d to '%s' (port out of range)"):format(index + 1, name), 3)
  end
  if host:find(":", 1, true) and host:sub(1, 1) ~= "[" then return ("[%s]:%d"):format(host, port) end
  return ("%s:%d"):format(host, port)
end

-- The address objects behind a target, in the order to try them, or nil, message, code. Waits.
function addr.resolve(target)
  if core.is_addr(target) then return {target} end
  local resolution, message, code = core.resolve_begin(target)
  if not resolution or type(resolution) == "table" then return resolution, message, code end
  local _, reason = core.resolve_wait(resolution)
  local list
  list, message, code = core.resolve_end(resolution, target, reason)
  if reason then return failure(reason, "resolve", target) end
  return list, message, code
end

-- Calls try(address, ...) for each address behind target until one gives something that is true.
-- Gives that, or the last failure. Waits.
function addr.each(target, try, ...)
  if core.is_addr(target) then return try(target, ...) end
  local list, message, code = addr.resolve(target)
  if not list then return nil, message, code end
  local result
  for i = 1, #list do
    result, message, code = try(list[i], ...)
    if result then return result end
  end
  return nil, message, code
end

return addr
