-- SPDX-License-Identifier: MIT
-- An operation of fixed cost, as a benchmark, and, with "loop" as its argument, in a loop timed by hand,
-- which prints nanoseconds per operation: see run-agree.sh.

local rt = require "rt"
local bit = require "bit"

local STEPS, ROUNDS, OPERATIONS = 200, 50, 1600
local bxor, lshift, rshift = bit.bxor, bit.lshift, bit.rshift

-- Steps that depend on each other: xorshift.
local function work()
  local state = 2463534242
  for _ = 1, STEPS do
    state = bxor(state, lshift(state, 13))
    state = bxor(state, rshift(state, 17))
    state = bxor(state, lshift(state, 5))
  end
  return state
end

rt.bench("fixed_cost", function(b)
  local sum = 0
  for _ = 1, b.n do sum = bxor(sum, work()) end
  return sum
end)

-- The median of as many rounds as the runner takes samples.
if ... == "loop" then
  local rounds, sum = {}, 0
  for round = 1, ROUNDS do
    local began = rt.now()
    for _ = 1, OPERATIONS do sum = bxor(sum, work()) end
    rounds[round] = (rt.now() - began) * 1e9 / OPERATIONS
  end
  table.sort(rounds)
  print(("%.3f"):format((rounds[ROUNDS / 2] + rounds[ROUNDS / 2 + 1]) / 2))
end
