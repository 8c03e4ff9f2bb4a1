-- SPDX-License-Identifier: MIT
-- TCP: connections and listeners.
--
--   local conn = assert(net.tcp.connect("127.0.0.1:8080"))
--   conn:write("hello\n")
--   print(conn:read_line())
--
-- One task may read from a connection while another writes to it; a second reader or writer
-- gets nil, message, "EBUSY". The end of the stream is nil, "closed", "EOF"; a use after
-- close() is nil, "closed", "EBADF".
--
-- Cancel safety: when rt.cancelled is raised, or a timeout given, accept has taken no connection,
-- connect has closed its own, and reads have lost nothing: what they had gathered stays for the
-- next one. A write may have sent a part, which nobody can tell: close the connection.

local core = require "rt.core"
local addr = require "rt.addr"
local failure = require "rt.failure"
local quick = require "rt.quick"

local CANCELLED, cancelled = core.CANCELLED, core.cancelled
local stopped = core.conn_stopped
local error, select, type = error, select, type
local metatable_of = debug.getmetatable

local tcp = {}
local Conn = core.Conn
local Listener = core.Listener

local function stop(conn, what, code)
  local _, message, name = stopped(conn, what, code)
  if code == CANCELLED then error(cancelled, 0) end
  return nil, message, name
end

-- The C half tries, and if there is nothing waits in the same call, after which it gives nothing:
-- to be tried again. A reason instead of the event comes second.
--
-- This is shaped by two things. Compiled code inlines calls but no loops: tail calls take their
-- place. And an idle connection shall get by with the 39 slots that a coroutine's stack starts with,
-- 20 of them for the C function and three more where compiled code calls it.
local function reader(try)
  local function again(self, a, reason)
    if reason then return stop(self, "read", reason) end
    local data, message, code = try(self, a)
    if data then return data end
    if code then return nil, message, code end
    return again(self, a, message)
  end
  return function(self, a)
    local data, message, code = try(self, a)
    if data then return data end
    if code then return nil, message, code end
    return again(self, a, message)
  end
end

local read = reader(core.conn_read)

-- read([max]) -> what is there, at most max bytes. Waits.
Conn.read = read

if quick then
  local try_read, buffer, size, string = quick.read, quick.buffer, quick.size, quick.string
  local wait_readable, AGAIN, SLOW = core.conn_wait_readable, core.AGAIN, core.CONN_SLOW

  local function wait_and_read(self)
    local _, reason = wait_readable(self)
    if reason then return stop(self, "read", reason) end
    return self:read()
  end

  function Conn:read(max)
    if max ~= nil or metatable_of(self) ~= Conn then return read(self, max) end
    local got = try_read(self, buffer, size)
    if got > 0 then return string(buffer, got) end
    if got == AGAIN then return wait_and_read(self) end
    if got == 0 then return nil, "closed", "EOF" end
    if got == SLOW then return read(self) end
    return stop(self, "read", got)
  end
end

-- read_exactly(size). What was there before the end of the stream or a timeout stays for the next
-- read, here and in all that follow. Waits.
Conn.read_exactly = reader(core.conn_read_exactly)

-- read_until(delimiter[, max]) -> everything up to and with the delimiter. More than max bytes
-- without it: nil, message, "EMSGSIZE". Waits.
function Conn:read_until(delimiter, max)
  while true do
    local data, message, code = core.conn_read_until(self, delimiter, max)
    if data then return data end
    if code then return nil, message, code end
    if message then return stop(self, "read", message) end
  end
end

-- read_line() -> the next line without its "\n" or "\r\n"; the last one may lack it. Waits.
Conn.read_line = reader(core.conn_read_line)

-- read_all([max]) -> everything up to the end of the stream. Waits.
Conn.read_all = reader(core.conn_read_all)

-- for line in conn:lines() do: up to the end of the stream or close(); raises on failures. Waits.
function Conn:lines()
  return function()
    local line, message, code = self:read_line()
    if line or message == "closed" then return line end
    error(("%s (%s)"):format(message, code), 2)
  end
end

local try_write, try_more = core.conn_write, core.conn_write_more

local function write_more(message, ...)
  if message then return stop((...), "write", message) end
  local done, code
  done, message, code = try_more(...)
  if done then return true end
  if code then return nil, message, code end
  return write_more(message, ...)
end

local function write(...)
  local done, message, code = try_write(...)
  if done then return true end
  if code then return nil, message, code end
  return write_more(message, ...)
end

-- write(...) -> true: sends all of the strings. Waits. (self is one of the dots: a slot less.)
Conn.write = write

if quick then
  local quick_write, AGAIN, SLOW = quick.write, core.AGAIN, core.CONN_SLOW

  local function write_rest(self, sent, data)
    local done, message, code = core.conn_write_rest(self, sent, data)
    if done then return true end
    if code then return nil, message, code end
    return write_more(message, self, data)
  end

  function Conn.write(...)
    local self, data = ...
    if select("#", ...) ~= 2 or type(data) ~= "string" or metatable_of(self) ~= Conn then return write(...) end
    local sent = quick_write(self, data, #data)
    if sent == #data then return true end
    if sent > 0 then return write_rest(self, sent, data) end
    if sent == AGAIN or sent == SLOW then return write(self, data) end
    return stop(self, "write", sent)
  end
end

-- pipe_to(conn) -> how many bytes: copies everything up to the end of the stream, which is not
-- passed on: shutdown("write") does that. Waits.
function Conn:pipe_to(target)
  if getmetatable(target) ~= "connection" then
    error(("bad argument #1 to 'pipe_to' (connection expected, got %s)"):format(type(target)), 2)
  end
  local bytes = 0
  while true do
    local data, message, code = self:read()
    if not data then
      if code == "EOF" then return bytes end
      return nil, message, code
    end
    local ok
    ok, message, code = target:write(data)
    if not ok then return nil, message, code end
    bytes = bytes + #data
  end
end

local function describe(kind)
  return function(self)
    local address = self:local_addr()
    return address and ("%s (%s)"):format(kind, address) or ("%s (closed)"):format(kind)
  end
end

Conn.__index = Conn
Conn.__tostring = describe("connection")
Conn.__metatable = "connection"

local function end_connecting(conn, address)
  local _, reason = core.conn_wait_connected(conn)
  if reason then
    conn:close()
    if reason == CANCELLED then error(cancelled, 0) end
    return core.failure(reason)
  end
  local connected, message, code = core.conn_connect_end(conn, address)
  if connected == false then return end_connecting(conn, address) end
  return connected, message, code
end

local function connect_one(address, timeout)
  local conn, waits, code = core.conn_connect_begin(address)
  if not conn then return nil, waits, code end
  if not waits then return conn end
  conn:set_timeout(timeout)
  return end_connecting(conn, address)
end

-- The options that follow an address.
local function check_options(port, options, name)
  local index = type(port) == "number" and 3 or 2
  if index == 2 then options = port end
  if options ~= nil and type(options) ~= "table" then
    error(("bad argument #%d to '%s' (table expected, got %s)"):format(index, name, type(options)), 3)
  end
  return options
end

-- connect(addr[, {timeout=, nodelay=}]) -> conn. timeout: seconds for each address that the name
-- has; it does not outlast connect. Waits.
function tcp.connect(host, port, options)
  local target = addr.target(host, port, 1, "connect", true)
  options = check_options(port, options, "connect")
  local conn, message, code = addr.each(target, connect_one, options and options.timeout)
  if not conn then return nil, message, code end
  if options then
    conn:set_timeout(nil)
    if options.nodelay then conn:set_nodelay(true) end
  end
  return conn
end

-- listen(addr[, {backlog=, reuseport=}]) -> listener. Waits only for names.
function tcp.listen(host, port, options)
  local target = addr.target(host, port, 1, "listen", true)
  return addr.each(target, core.listen, check_options(port, options, "listen"))
end

local accept = core.accept

-- accept() -> conn, peer. While the process is out of descriptors it waits for one. Waits.
function Listener:accept()
  while true do
    local conn, peer, code = accept(self)
    if conn then return conn, peer end
    if code then return nil, peer, code end
    if conn == false then
      local _
      _, peer = core.sleep(core.ACCEPT_BACKOFF)
      if peer ~= CANCELLED then peer = nil end
    end
    if peer then return failure(peer, "accept") end
  end
end

-- for conn, peer in listener:incoming() do: until close(); raises on failures. Waits.
function Listener:incoming()
  return function()
    local conn, peer, code = self:accept()
    if conn then return conn, peer end
    if code == "EBADF" then return nil end
    error(("%s (%s)"):format(peer, code), 2)
  end
end

-- serve(handler[, {parallel=, max_connections=}]) -> true once the listener has been closed, or nil,
-- message, code if accepting fails; in any case when all handlers have ended. Runs handler(conn, peer) for each
-- connection in a task of its own, and closes the connection after it. With parallel the connection
-- is handed over and the handler runs in another VM, sent as by rt.parallel(): see rt/parallel.lua. At most
-- max_connections are served at once; others wait to be accepted. A handler that fails is reported on
-- stderr, and counts as a failed task. Cancelled, the handlers are too. Waits.
function Listener:serve(handler, options)
  return require("rt.serve").serve(self, handler, options)
end

Listener.__index = Listener
Listener.__tostring = describe("listener")
Listener.__metatable = "listener"

return tcp
