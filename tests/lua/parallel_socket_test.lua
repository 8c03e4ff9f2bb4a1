-- SPDX-License-Identifier: MIT
-- Sockets that are handed over to other VMs, and listener:serve().
local program = require "program"
local rt = require "rt"
local failure = require "failure"
local net = require "rt.net"

local function pair()
  local listener = assert(net.tcp.listen("127.0.0.1:0"))
  local client = assert(net.tcp.connect(listener:local_addr()))
  local server = assert(listener:accept())
  listener:close()
  return client, server
end

local function echo(conn)
  while true do
    local line = conn:read_line()
    if not line then return "end" end
    conn:write("<" .. line .. ">\n")
  end
end

rt.test("a connection is handed over", function(t)
  local client, server = pair()
  local fd = server:fd()
  local task = rt.parallel(function(conn)
    local same = conn:fd()
    conn:write("hello\n")
    return same, conn:read_line(), tostring(conn:peer_addr())
  end, server)
  failure("closed", "EBADF", server:read())
  failure("closed", "EBADF", server:write("x"))
  failure("closed", "EBADF", server:fd())
  t:equal(tostring(server), "connection (closed)")
  server:close()
  t:equal(client:read_line(), "hello")
  client:write("answer\n")
  local same, line, peer = task:await()
  t:equal(same, fd)
  t:equal(line, "answer")
  t:equal(peer, tostring(client:local_addr()))
end)

rt.test("what was read ahead and the timeout go along", function(t)
  local client, server = pair()
  server:set_timeout(0.02)
  client:write("one\ntwo\nthr")
  t:equal(server:read_line(), "one")
  local task = rt.parallel(function(conn)
    local line = conn:read_line()
    local more, message, code = conn:read_line()
    return line, more == nil and message == "timeout" and code, conn
  end, server)
  local line, code, back = task:await()
  t:equal(line, "two")
  t:equal(code, "ETIMEDOUT")
  client:write("ee\n")
  t:equal(back:read_line(), "three") -- and back again
end)

rt.test("one that was waited on here is waited on there", function(t)
  local client, server = pair()
  local reader = rt.spawn(function() return server:read_line() end)
  rt.sleep(0.005)
  client:write("here\n")
  t:equal(reader:await(), "here")
  local task = rt.parallel(echo, server)
  rt.sleep(0.005)
  for i = 1, 10 do
    client:write(i .. "\n")
    t:equal(client:read_line(), "<" .. i .. ">")
  end
  client:close()
  t:equal(task:await(), "end")
end)

rt.test("one that a task is waiting on is refused", function(t)
  local client, server = pair()
  local reader = rt.spawn(function() return server:read_line() end)
  rt.sleep(0.005)
  t:error(function() rt.parallel(echo, server) end,
    "argument #2: a connection that a task is waiting on cannot be sent")
  client:write("still here\n")
  t:equal(reader:await(), "still here")
  server:close()
  t:error(function() rt.parallel(echo, server) end, "argument #2: a closed connection cannot be sent")
end)

rt.test("what cannot go leaves the others alone", function(t)
  local client, server = pair()
  t:error(function() rt.parallel(echo, server, coroutine.create(print)) end, "argument #3: coroutine")
  t:ok(server:write("mine\n"))
  t:equal(client:read_line(), "mine")
end)

rt.test("a job that is dropped closes its sockets", function(t)
  local client, server = pair()
  rt.parallel(function(conn) -- with several workers it may begin
    pcall(conn.read, conn)
    conn:close()
  end, server):cancel()
  failure("closed", "EOF", client:read())
end)

rt.test("a result that nobody takes closes its sockets", function(t)
  local client, server = pair()
  local task = rt.parallel(function(conn) return conn end, server)
  task:join()
  task, server = nil, nil -- luacheck: ignore
  rt.spawn(function() end):await()
  collectgarbage()
  collectgarbage()
  client:set_timeout(5)
  failure("closed", "EOF", client:read())
end)

rt.test("through a channel", function(t)
  local ch = rt.sync.channel()
  local task = rt.parallel(function()
    local conn = ch:recv().conn
    return echo(conn)
  end)
  local client, server = pair()
  ch:send({conn = server})
  client:write("a\n")
  t:equal(client:read_line(), "<a>")
  client:close()
  t:equal(task:await(), "end")
end)

rt.test("what has not been sent through a channel is still the sender's", function(t)
  local ch = rt.sync.channel()
  rt.parallel(function() return ch end):await()
  local client, server = pair()
  client:write("one\ntwo\n")
  t:equal(server:read_line(), "one")
  failure("would block", "EAGAIN", ch:try_send({server}))
  failure("timeout", "ETIMEDOUT", ch:send(server, 0.005))
  t:equal(select(2, rt.select {{ch, {server, server}}, timeout = 0.005}), "timeout")
  local task = rt.spawn(ch.send, ch, server)
  rt.yield()
  failure("closed", "EBADF", server:read()) -- on its way
  task:cancel()
  task:join()
  t:equal(server:read_line(), "two")
  client:close()
end)

rt.test("twice in a message it is one connection", function(t)
  local client, server = pair()
  t:equal(rt.parallel(function(a, b) return a == b end, server, server):await(), true)
  client:close()
end)

rt.test("a listener is handed over", function(t)
  local listener = assert(net.tcp.listen("127.0.0.1:0"))
  local address = listener:local_addr()
  local task = rt.parallel(function(l)
    local conn = l:accept()
    conn:write("accepted there\n")
    conn:close()
    return l
  end, listener)
  failure("closed", "EBADF", listener:accept())
  t:equal(assert(net.tcp.connect(address)):read_line(), "accepted there")
  local back = task:await()
  t:equal(tostring(back:local_addr()), tostring(address))
  local client = assert(net.tcp.connect(address))
  t:ok(back:accept())
  client:close()
  back:close()
end)

rt.test("a UDP socket is handed over", function(t)
  local a, b = assert(net.udp.bind("127.0.0.1:0")), assert(net.udp.bind("127.0.0.1:0"))
  local address = b:local_addr()
  local task = rt.parallel(function(socket)
    local data, peer = socket:recv_from()
    socket:send_to(data:upper(), peer)
  end, b)
  failure("closed", "EBADF", b:recv_from())
  assert(a:send_to("ping", address))
  t:equal(a:recv_from(), "PING")
  task:await()
end)

-- ---- serve ----

local function ask(address, text)
  local conn = assert(net.tcp.connect(address))
  conn:write(text .. "\n")
  local answer = conn:read_line()
  conn:close()
  return answer
end

local function serve(handler, options)
  local listener = assert(net.tcp.listen("127.0.0.1:0"))
  local task = rt.spawn(function() return listener:serve(handler, options) end)
  return listener:local_addr(), listener, task
end

for _, options in ipairs {{}, {parallel = true}} do
  local where = options.parallel and " in other VMs" or ""

  rt.test("serve: each connection has its handler" .. where, function(t)
    local address, listener, task = serve(function(conn, peer)
      conn:write(tostring(peer):match("^127") .. conn:read_line() .. "\n")
    end, options)
    local clients = {}
    for i = 1, 20 do clients[i] = rt.spawn(ask, address, tostring(i)) end
    for i = 1, 20 do t:equal(clients[i]:await(), "127" .. i) end
    listener:close()
    t:equal(task:await(), true)
  end)

  rt.test("serve: a connection is closed after its handler" .. where, function(t)
    local address, listener, task = serve(function() end, options)
    failure("closed", "EOF", assert(net.tcp.connect(address)):read())
    listener:close()
    task:await()
  end)

  rt.test("serve: at most so many at once" .. where, function(t)
    local begun, go = rt.sync.channel(10), rt.sync.channel(10)
    local address, listener, task = serve(function(conn)
      begun:send(true)
      go:recv()
      conn:write("done\n")
    end, {parallel = options.parallel, max_connections = 2})
    local clients = {}
    for i = 1, 4 do clients[i] = rt.spawn(ask, address, "x") end
    begun:recv()
    begun:recv()
    failure("timeout", "ETIMEDOUT", begun:recv(0.02))
    for _ = 1, 4 do go:send(true) end
    for i = 1, 4 do t:equal(clients[i]:await(), "done") end
    listener:close()
    t:equal(task:await(), true)
  end)

  rt.test("serve: ends when its handlers have" .. where, function(t)
    local begun = rt.sync.channel(1)
    local address, listener, task = serve(function(conn)
      begun:send(true)
      conn:read_line()
      conn:write("late\n")
    end, options)
    local client = assert(net.tcp.connect(address))
    begun:recv()
    listener:close()
    t:equal(task:join(0.01), nil)
    client:write("go on\n")
    t:equal(client:read_line(), "late")
    t:equal(task:await(), true)
  end)

  rt.test("serve: cancelled, its handlers are" .. where, function(t)
    local begun, ended = rt.sync.channel(1), rt.sync.channel(1)
    local address, listener, task = serve(function(conn)
      begun:send(true)
      local ok, err = pcall(conn.read, conn)
      ended:try_send(not ok and err == rt.cancelled)
      error(err, 0)
    end, options)
    local client = assert(net.tcp.connect(address))
    begun:recv()
    task:cancel()
    local ok, err = task:join()
    t:ok(ok == false and err == rt.cancelled)
    t:equal(ended:try_recv(), true)
    failure("closed", "EOF", client:read())
    listener:close()
  end)

  rt.test("serve: a handler that fails is reported" .. where, function(t)
    local result = program.script(([[
      local rt = require "rt"
      local net = require "rt.net"
      local listener = assert(net.tcp.listen("127.0.0.1:0"))
      local task = rt.spawn(function()
        return listener:serve(function(conn)
          if conn:read_line() == "fail" then error("as told") end
          conn:write("fine\n")
        end, {parallel = %s})
      end)
      local function ask(text)
        local conn = assert(net.tcp.connect(listener:local_addr()))
        conn:write(text, "\n")
        return conn:read_line()
      end
      print(ask("fail"))
      print(ask("work"))
      listener:close()
      print(task:await())
    ]]):format(tostring(options.parallel)))
    t:equal(result.stdout, "nil\tclosed\tEOF\nfine\ntrue\n")
    t:ok(result.stderr:find("^rtlua: the handler for 127%.0%.0%.1:%d+ failed: .-as told\n"), result.stderr)
    t:equal(result.code, 1)
  end)
end

rt.test("serve: a handler that cannot go is named at once", function(t)
  local listener = assert(net.tcp.listen("127.0.0.1:0"))
  local file = assert(io.tmpfile())
  t:error(function() listener:serve(function() return file end, {parallel = true}) end,
    "upvalue 'file' of the function at ")
  t:error(function() listener:serve("echo") end, "bad argument #1 to 'serve' (function expected, got string)")
  t:error(function() listener:serve(echo, {max = 1}) end, "bad option 'max' to 'serve'")
  t:error(function() listener:serve(echo, {max_connections = 0}) end, "max_connections")
  t:error(function() listener:serve(echo, {parallel = 1}) end, "boolean expected, got number")
  file:close()
  listener:close()
end)
