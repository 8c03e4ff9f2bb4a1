-- SPDX-License-Identifier: MIT
-- Finds test files.

local core = require "rt.core"

local function join(folder, name)
  if folder == "." then return name end
  return folder:gsub("/+$", "") .. "/" .. name
end

-- In the order of their names; hidden folders are left out. A link that leads back is not followed for ever.
local function search(folder, files, problems, depth)
  local names, message = core.path_list(folder)
  if not names then problems[#problems + 1] = message return end
  table.sort(names)
  for _, name in ipairs(names) do
    local path = join(folder, name)
    local kind = core.path_kind(path)
    if kind == "folder" and name:sub(1, 1) ~= "." and depth < 40 then
      search(path, files, problems, depth + 1)
    elseif kind == "file" and name:find("_test%.lua$") then
      files[#files + 1] = path
    end
  end
end

-- find(paths) -> the files given and the *_test.lua below the folders given, each once; what is wrong
-- with the paths, an array of messages
return function(paths)
  local found, problems, files, seen = {}, {}, {}, {}
  for _, path in ipairs(paths) do
    local kind, message = core.path_kind(path)
    if kind == "folder" then
      search(path, found, problems, 0)
    elseif kind then
      found[#found + 1] = path
    else
      problems[#problems + 1] = message
    end
  end
  for _, path in ipairs(found) do
    if not seen[path] then files[#files + 1] = path end
    seen[path] = true
  end
  return files, problems
end
