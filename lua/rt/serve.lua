-- SPDX-License-Identifier: MIT
-- A listener's connections, each in a task of its own: listener:serve().

local core = require "rt.core"
local parallel = require "rt.parallel"
local scope = require "rt.scope"
local sync = require "rt.sync"
local keep_traceback = require "rt.traceback"

local cancelled = core.cancelled
local error, rawequal, tostring, type, xpcall = error, rawequal, tostring, type, xpcall

local serve = {}

local function close(conn, ok, ...)
  conn:close()
  if not ok then error((...), 0) end
end

-- handle(handler, conn, peer): what runs in the task, here or in a job VM, to which it goes by its name.
function serve.handle(handler, conn, peer)
  close(conn, xpcall(handler, keep_traceback, conn, peer))
end

local known = {parallel = "boolean", max_connections = "number"}

local function check(handler, options)
  if type(handler) ~= "function" then
    error(("bad argument #1 to 'serve' (function expected, got %s)"):format(type(handler)), 3)
  end
  if type(options) ~= "table" then
    error(("bad argument #2 to 'serve' (table expected, got %s)"):format(type(options)), 3)
  end
  for name, value in pairs(options) do
    if not known[name] then error(("bad option '%s' to 'serve'"):format(tostring(name)), 3) end
    if type(value) ~= known[name] then
      error(("bad option '%s' to 'serve' (%s expected, got %s)"):format(name, known[name], type(value)), 3)
    end
  end
  local most = options.max_connections
  if most and not (most >= 1 and most <= 2^31 and most % 1 == 0) then
    error("bad option 'max_connections' to 'serve' (an integer from 1 to 2^31 expected)", 3)
  end
end

-- Runs handle in a task of the scope; its failure is reported, and is no failure of the scope.
local function work(run, permits, peer, ...)
  local ok, err = xpcall(run, keep_traceback, ...)
  if permits then permits:release() end
  if ok then return end
  if rawequal(err, cancelled) then error(err, 0) end
  core.report(("the handler for %s failed: %s"):format(tostring(peer), tostring(err)))
end

local function run_parallel(handler, conn, peer)
  return parallel.run(serve.handle, handler, conn, peer)
end

local function accept_all(scope_, listener, handler, run, permits)
  while true do
    if permits then permits:acquire() end
    local conn, peer, code = listener:accept()
    if not conn then
      if code == "EBADF" then return true end
      return nil, peer, code
    end
    scope_:spawn(work, run, permits, peer, handler, conn, peer)
  end
end

-- serve(listener, handler[, options]): see rt/tcp.lua.
function serve.serve(listener, handler, options)
  options = options or {}
  check(handler, options)
  local run = serve.handle
  if options.parallel then
    parallel.check(handler)
    run = run_parallel
  end
  local permits = options.max_connections and sync.semaphore(options.max_connections)
  return scope.scope(function(scope_) return accept_all(scope_, listener, handler, run, permits) end)
end

return serve
