-- SPDX-License-Identifier: MIT
-- The echo in Lua, a task per connection. rtlua echo_tcp.lua [ADDRESS]; run-echo.sh measures it.
local rt = require "rt"

local function serve(conn)
  while true do
    local data = conn:read()
    if not data then break end
    if data == "gc\n" then collectgarbage() end -- the load generator asks before it looks at the memory
    if not conn:write(data) then break end
  end
  conn:close()
end

local listener = assert(rt.net.tcp.listen(arg[1] or "127.0.0.1:0"))
print("listening on " .. tostring(listener:local_addr()))
io.stdout:flush()
for conn in listener:incoming() do
  rt.spawn(serve, conn)
end
