-- SPDX-License-Identifier: MIT
-- A TCP number-guessing game: each player is a task, with a number of their own.
-- The server says whether the number is less or greater than the guess.
--
-- Try it:  ./dev run examples/guessing.lua [ADDRESS [NUMBER]]      (127.0.0.1:8080, random)
--          nc 127.0.0.1 8080                                       (in other terminals)
local rt = require "rt"
local net = require "rt.net"

local chosen = arg[2] and tonumber(arg[2]) -- the number of every game; nil: random
local won = "you win\n"

local function judge(line, number)
  local guess = tonumber(line:match("^%s*([+-]?%d+)%s*$"))
  if not guess or guess < 0 or guess > 100 then
    return "please type a number from 0 to 100\n"
  elseif number < guess then
    return "less\n"
  elseif number > guess then
    return "greater\n"
  end
  return won
end

local function play(conn)
  local number = chosen or math.random(0, 100)
  conn:write("guess a number from 0 to 100\n")
  for line in conn:lines() do
    local verdict = judge(line, number)
    if not conn:write(verdict) or verdict == won then break end
  end
  conn:close() -- a player who leaves is no error
end

local listener = assert(net.tcp.listen(arg[1] or "127.0.0.1:8080"))
math.randomseed(os.time())
io.stdout:setvbuf("line")
print("Listening on " .. tostring(listener:local_addr()))
for conn, peer in listener:incoming() do
  print("Accepting from " .. tostring(peer))
  rt.spawn(play, conn)
end
