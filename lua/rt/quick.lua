-- SPDX-License-Identifier: MIT
-- The tries of src/lua/conn_quick.h as functions of the FFI: compiled code calls them without leaving
-- the trace. false where there is no JIT compiler: interpreted code calls a lua_CFunction faster.

local core = require "rt.core"

local found, ffi = pcall(require, "ffi")
if not found or not jit or not jit.status() then return false end

return {
  -- read(conn, buffer, size), write(conn, data, size): see there. conn must be a connection.
  read = ffi.cast("int (*)(void *, char *, int)", core.conn_quick_read),
  write = ffi.cast("int (*)(void *, const char *, int)", core.conn_quick_write),
  buffer = ffi.cast("char *", core.buffer),
  size = core.BUFFER,
  string = ffi.string,
}
