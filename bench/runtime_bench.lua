-- SPDX-License-Identifier: MIT
-- The four benchmarks of the Rust crate runtime, and what the same costs without a runtime
-- (_plain); runtime_bench.c has them in C. An operation is all of the tasks. Run by
-- ./dev bench runtime.

local rt = require "rt"
local bit = require "bit"
local ffi = require "ffi"

local TASKS, TURNS, MANY = 300, 300, 25000

local function nothing() end

local function spawn_all(count, fn)
  local tasks = {}
  for i = 1, count do tasks[i] = rt.spawn(fn, i) end
  return tasks
end

local function await_all(tasks)
  for i = 1, #tasks do tasks[i]:await() end
end

-- ---- smoke: a task that does nothing ----

rt.bench("smoke", function(b)
  for _ = 1, b.n do rt.spawn(nothing):await() end
end)

rt.bench("smoke_plain", function(b)
  for _ = 1, b.n do coroutine.resume(coroutine.create(nothing)) end
end)

-- ---- notify_self: 300 tasks, each of which wakes itself 300 times ----

rt.bench("notify_self", function(b)
  local function yield_often()
    for _ = 1, TURNS do rt.yield() end
  end
  for _ = 1, b.n do await_all(spawn_all(TASKS, yield_often)) end
end)

rt.bench("notify_self_plain", function(b)
  local function yield_often()
    for _ = 1, TURNS do coroutine.yield() end
  end
  for _ = 1, b.n do
    local coroutines = {}
    for i = 1, TASKS do coroutines[i] = coroutine.create(yield_often) end
    for _ = 0, TURNS do
      for i = 1, TASKS do coroutine.resume(coroutines[i]) end
    end
  end
end)

-- ---- spawn_many: 25,000 tasks that do nothing, all there at once ----

rt.bench("spawn_many", function(b)
  for _ = 1, b.n do await_all(spawn_all(MANY, nothing)) end
end)

rt.bench("spawn_many_plain", function(b)
  for _ = 1, b.n do
    local coroutines = {}
    for i = 1, MANY do coroutines[i] = coroutine.create(nothing) end
    for i = 1, MANY do coroutine.resume(coroutines[i]) end
  end
end)

-- ---- poll_reactor: 300 descriptors that become ready 300 times, all of them at once ----

-- The event of epoll is packed on x86-64 only.
ffi.cdef(([[
int eventfd(unsigned value, int flags);
int eventfd_write(int fd, uint64_t value);
int eventfd_read(int fd, uint64_t *value);
int close(int fd);
struct bench_epoll_event { uint32_t events; int32_t fd; int32_t rest; } %s;
int epoll_create1(int flags);
int epoll_ctl(int epoll, int command, int fd, struct bench_epoll_event *event);
int epoll_wait(int epoll, struct bench_epoll_event *events, int count, int timeout);
]]):format(ffi.arch == "x64" and "__attribute__((packed))" or "__attribute__((aligned(8)))"))

local C = ffi.C
local EFD_NONBLOCK, EPOLL_CTL_ADD, EPOLLIN, EPOLLET = 2048, 1, 1, 0x80000000
local value = ffi.new "uint64_t[1]"
local fds, left = {}, 0

local function open_events()
  for i = 1, TASKS do
    fds[i] = C.eventfd(0, EFD_NONBLOCK)
    assert(fds[i] >= 0, "eventfd")
  end
end

local function close_events()
  for i = 1, TASKS do C.close(fds[i]) end
end

local function begin_round()
  left = TASKS
  for i = 1, TASKS do C.eventfd_write(fds[i], 1) end
end

local function await_often(index)
  local fd = fds[index]
  for i = 1, TURNS do
    assert(rt.wait_fd(fd, "r"))
    assert(C.eventfd_read(fd, value) == 0, "eventfd_read")
    left = left - 1
    if left == 0 and i < TURNS then begin_round() end
  end
end

rt.bench("poll_reactor", function(b)
  b:stop()
  open_events()
  b:start()
  for _ = 1, b.n do
    local tasks = spawn_all(TASKS, await_often)
    rt.yield()
    begin_round()
    await_all(tasks)
  end
  b:stop()
  close_events()
end)

local function poll_round(epoll, events)
  begin_round()
  while left > 0 do
    local count = C.epoll_wait(epoll, events, TASKS, -1)
    for i = 0, count - 1 do assert(C.eventfd_read(events[i].fd, value) == 0, "eventfd_read") end
    left = left - count
  end
end

rt.bench("poll_reactor_plain", function(b)
  b:stop()
  open_events()
  local epoll = C.epoll_create1(0)
  local event, events = ffi.new "struct bench_epoll_event", ffi.new("struct bench_epoll_event[?]", TASKS)
  for i = 1, TASKS do
    event.events = bit.bor(EPOLLIN, EPOLLET)
    event.fd = fds[i]
    assert(C.epoll_ctl(epoll, EPOLL_CTL_ADD, fds[i], event) == 0, "epoll_ctl")
  end
  b:start()
  for _ = 1, b.n * TURNS do poll_round(epoll, events) end
  b:stop()
  C.close(epoll)
  close_events()
end)
