-- SPDX-License-Identifier: MIT
-- folder() -> the path of a new folder, which lasts as long as the Lua state.

local function remove(path)
  os.execute(("rm -rf '%s'"):format(path))
end

local guards = {} -- their finalizers remove the folders when the state is closed

return function()
  local path = os.tmpname()
  os.remove(path)
  assert(os.execute(("mkdir '%s'"):format(path)) == 0)
  local guard = newproxy(true)
  getmetatable(guard).__gc = function() remove(path) end
  guards[path] = guard
  return path
end
