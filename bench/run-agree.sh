#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Whether the runner's figure for an operation of fixed cost is that of a loop timed by hand: within 5 %,
# the fastest of several turns of each, since other programs only make them slower. Run by ./dev bench agree.

here=$(cd "$(dirname "$0")" && pwd) || exit 1
# shellcheck source=bench/lib.sh
. "$here/lib.sh"

: "${BENCH:?names the folder with the built bench programs}" "${RTLUA:?names the rtlua binary}"
need_program "$BENCH/agree"
need_program "$RTLUA"
choose_cpus
# Samples of half a millisecond: most fit between the turns of other programs.
turns=15

# p50 of the benchmark's JSON.
p50() {
  sed -n 's/.*"p50":\([0-9.e+]*\).*/\1/p'
}

# agree LANGUAGE "RUNNER COMMAND" "LOOP COMMAND"
agree() {
  local turn runner loop results=""
  for ((turn = 1; turn <= turns; turn++)); do
    progress "$1: turn $turn of $turns"
    # shellcheck disable=SC2086 # commands with arguments
    runner=$(pinned "$cpu_last" timeout 60 $2 | p50)
    # shellcheck disable=SC2086
    loop=$(pinned "$cpu_last" timeout 60 $3)
    [ -n "$runner" ] && [ -n "$loop" ] || fail "$1: a program failed"
    results+="$1 runner $runner"$'\n'"$1 loop $loop"$'\n'
  done
  progress
  echo "$results" | sed '/^$/d' | medians | awk '
    { fastest[$2] = $4 }
    END {
      off = fastest["runner"] / fastest["loop"] - 1
      printf "%-4s runner %8.1f ns  loop %8.1f ns  off by %+.1f %%\n", $1, fastest["runner"], fastest["loop"], off * 100
      exit off > 0.05 || off < -0.05
    }'
}

status=0
agree C "$BENCH/agree --json --time=0.025" "$BENCH/agree loop" || status=1
agree Lua "$RTLUA bench --json --time=0.025 $here/agree.lua" "$RTLUA $here/agree.lua loop" || status=1
[ $status -eq 0 ] || fail "the runner and the loop differ by more than 5 %"
