-- SPDX-License-Identifier: MIT
-- Runs rtlua test on files that are written for the purpose. For tests only: it blocks.

local program = require "program"

local runner = {}

-- What is said of a process that has written to address 0. Sanitizers have handlers of their own.
runner.crashed = ({
  none = "was killed by SIGSEGV", address = "exited with code 1", thread = "exited with code 66",
})[program.sanitizer]

-- A folder with these files, {name = text}, for as long as fn(path) runs.
function runner.folder(files, fn)
  local path = os.tmpname()
  os.remove(path)
  assert(os.execute("mkdir " .. program.quote(path)) == 0)
  for name, text in pairs(files) do
    local folder = name:match("^(.*)/")
    if folder then os.execute("mkdir -p " .. program.quote(path .. "/" .. folder)) end
    local file = assert(io.open(path .. "/" .. name, "wb"))
    file:write(text)
    file:close()
  end
  local results = {pcall(fn, path)}
  os.execute("rm -rf " .. program.quote(path))
  if not results[1] then error(results[2], 0) end
  return unpack(results, 2)
end

-- rtlua test with arguments as the shell has them, in a folder with these files.
function runner.run(files, arguments)
  return runner.folder(files, function(path)
    return program.run(("cd %s && %s test %s"):format(program.quote(path), program.quote(program.rtlua), arguments or ""))
  end)
end

-- One file, x_test.lua, of this body, in which rt and net are known.
function runner.file(body, arguments)
  return runner.run({["x_test.lua"] = 'local rt, net = require "rt", require "rt.net"; ' .. body}, arguments)
end

function runner.has(result, text)
  local all = result.stdout .. result.stderr
  if not all:find(text, 1, true) then error(("%q is not in (exit code %s):\n%s"):format(text, result.code, all), 2) end
end

function runner.lacks(result, text)
  local all = result.stdout .. result.stderr
  if all:find(text, 1, true) then error(("%q is in:\n%s"):format(text, all), 2) end
end

-- The exit code and the last line.
function runner.ends(result, code, line)
  local last = result.stdout:match("([^\n]*)\n$")
  if result.code ~= code or last ~= line then
    error(("expected %q and %d, got %s and %s:\n%s%s"):format(line, code, tostring(last), tostring(result.code), result.stdout,
      result.stderr), 2)
  end
end

return runner
