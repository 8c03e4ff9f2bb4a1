-- SPDX-License-Identifier: MIT
-- What a task of a job VM does: runs the function of a job (src/lua/job.h) and tells what came of it.

local core = require "rt.core"

local take, done, failed = core.job_take, core.job_done, core.job_failed
local traceback, type, xpcall = debug.traceback, type, xpcall

local function call(fn, ...) return fn(...) end

local function work(job) return call(take(job)) end

-- The traceback beside the error. (A lack of memory comes bare.)
local function keep(err) return {err, traceback("", 2):sub(2)} end

local function finish(job, ok, ...)
  if ok then return done(job, ...) end
  local err = ...
  if type(err) == "table" then return failed(job, err[1], err[2]) end
  return failed(job, err)
end

return function(job) return finish(job, xpcall(work, keep, job)) end
