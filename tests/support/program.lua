-- SPDX-License-Identifier: MIT
-- Programs that a test runs: program.run(command) and what it prints. For tests only: it blocks.
--
-- Environment: RTLUA the binary, RT_MODULES the folder with rt.so, RT_SANITIZER what the build has.

local ffi = require "ffi"

ffi.cdef "int fcntl(int fd, int command, ...);"
local F_GETFD = 1

local program = {}

program.rtlua = assert(os.getenv("RTLUA"), "RTLUA: the binary under test")
program.sanitizer = os.getenv("RT_SANITIZER") or "none"

-- Whether a thread that only computes hears of signals: ThreadSanitizer holds them back until it calls the C library.
program.interrupts = program.sanitizer ~= "thread"

-- A word for the shell.
function program.quote(text)
  return "'" .. text:gsub("'", "'\\''") .. "'"
end

local function take(path)
  local file = assert(io.open(path, "rb"))
  local text = file:read("*a")
  file:close()
  os.remove(path)
  return text
end

-- Writes text to a new file, which the caller removes.
function program.file(text, extension)
  local path = os.tmpname()
  if extension then
    os.remove(path)
    path = path .. extension
  end
  local file = assert(io.open(path, "wb"))
  file:write(text)
  file:close()
  return path
end

-- Runs a command line of the shell, for at most a minute: {code=, stdout=, stderr=}.
function program.run(command, input)
  local out, err = os.tmpname(), os.tmpname()
  local stdin = input and program.file(input) or "/dev/null"
  local line = ("timeout -k 5 60 sh -c %s <%s >%s 2>%s; echo $?"):format(program.quote(command), stdin, out, err)
  local pipe = assert(io.popen(line))
  local code = tonumber(pipe:read("*a"))
  pipe:close()
  if input then os.remove(stdin) end
  return {code = code, stdout = take(out), stderr = take(err)}
end

-- rtlua with arguments as the shell has them.
function program.rt(arguments, input)
  return program.run(program.quote(program.rtlua) .. " " .. arguments, input)
end

-- rtlua -e code
function program.eval(code)
  return program.rt("-e " .. program.quote(code))
end

-- A script of its own name, which is gone afterwards; %s in arguments stands for its path.
function program.script(code, arguments, input)
  local path = program.file(code, ".lua")
  local result = program.rt((arguments or "%s"):format(path), input)
  os.remove(path)
  result.path = path
  return result
end

-- The stock luajit, or nil where rt.so cannot be loaded into it.
function program.luajit(code, before)
  local modules = assert(os.getenv("RT_MODULES"), "RT_MODULES: the folder with rt.so")
  local cpath = program.quote(modules .. "/?.so")
  return program.run(("%s LUA_CPATH=%s luajit -e %s"):format(before or "", cpath, program.quote(code)))
end

-- How many descriptors this process has.
function program.descriptors()
  local count = 0
  for fd = 0, 1023 do
    if ffi.C.fcntl(fd, F_GETFD) >= 0 then count = count + 1 end
  end
  return count
end

return program
