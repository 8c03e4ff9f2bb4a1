#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Several workers, on both runtimes, in C and in Lua, next to tokio. Run by ./dev bench cores; --help tells more.

here=$(cd "$(dirname "$0")" && pwd) || exit 1
# shellcheck source=bench/lib.sh
. "$here/lib.sh"

usage() {
  cat <<'END_OF_USAGE'
usage: run-cores.sh [--quick] [--rounds N] [--wait S]
  --quick     a short run: less exact
  --rounds N  rounds (7); every program has a turn in each
  --wait S    waits for up to S seconds before each turn until other programs leave the CPUs alone (5)
environment: as for run-echo.sh; TOKIO_CORES: the tokio program, if there is one
END_OF_USAGE
}

rounds=7 ms=200 wait=5
while [ $# -gt 0 ]; do
  case $1 in
    --quick) rounds=3 ms=100 wait=0 ;;
    --rounds) rounds=${2:?} && shift ;;
    --wait) wait=${2:?} && shift ;;
    -h | --help) usage && exit 0 ;;
    *) usage >&2 && exit 2 ;;
  esac
  shift
done

: "${BENCH:?names the folder with the built bench programs}" "${RTLUA:?names the rtlua binary}"
need_program "$BENCH/cores"
need_program "$RTLUA"
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
cpu_last= # nothing is pinned: it is about all CPUs
: >"$dir/results"

# ---- Noise ----

# Prints busy and all ticks of the CPUs so far; what a hypervisor takes is busy.
ticks() {
  awk '/^cpu / { for (i = 2; i <= 9; i++) all += $i; print all - $5 - $6, all; exit }' /proc/stat
}

# Sets others: the per cent of the CPUs that others take while this script sleeps.
look_at_others() {
  local busy all busy_then all_then
  read -r busy all <<<"$(ticks)"
  sleep 0.2
  read -r busy_then all_then <<<"$(ticks)"
  others=$(((busy_then - busy) * 100 / (all_then - all + 1)))
}

await_quiet() {
  local tries
  for ((tries = 0; tries <= wait * 5; tries++)); do
    look_at_others
    [ "$others" -gt 5 ] || break
  done
  echo "noise others $others" >>"$dir/results"
}

# ---- Measuring ----

# turn GROUP COMMAND...
turn() {
  progress "cores: round $round of $rounds: $1"
  await_quiet
  run_once "$@" >>"$dir/results" || fail "$1 failed"
}

measure_round() {
  local runtime workers
  for workers in 1 2; do
    for runtime in native stealing; do
      turn "c:$runtime:$workers" "$BENCH/cores" $runtime $workers $ms
      turn "lua:$runtime:$workers" "$RTLUA" --runtime=$runtime --workers=$workers "$here/cores.lua" $ms
    done
    [ -z "${TOKIO_CORES-}" ] || turn "tokio::$workers" "$TOKIO_CORES" $workers $ms
  done
  for runtime in native stealing; do
    turn "compute:$runtime" "$BENCH/compute" $runtime 2 3
    turn "parallel:$runtime" "$RTLUA" --runtime=$runtime --workers=2 "$here/parallel.lua" 3 2
    turn "delay:$runtime" "$BENCH/delay" $runtime 2
  done
  turn delay:same "$BENCH/delay" native 2 same
}

# ---- The tables ----

value() { # GROUP KEY [COLUMN: 3 median, 4 min, 5 max]
  awk -v group="$1" -v key="$2" -v column="${3:-3}" \
    '$1 == group && $2 == key { print $column; found = 1 } END { if (!found) print "-" }' "$dir/medians"
}

row() { # TITLE KEY
  local language runtime workers
  printf '%-30s' "$1"
  for language in c lua tokio; do
    for runtime in native stealing; do
      for workers in 1 2; do
        case $language:$runtime in
          tokio:native) continue ;;
          tokio:*) printf ' %7.0f' "$(number "tokio::$workers" "$2")" ;;
          *) printf ' %7.0f' "$(number "$language:$runtime:$workers" "$2")" ;;
        esac
      done
    done
  done | sed 's/     nan/       -/g'
  echo
}

number() {
  value "$@" | sed 's/^-$/nan/'
}

operations() {
  echo "ns per operation, medians of $rounds rounds; workers: 1 and 2"
  printf '%-30s %15s %15s %15s %15s %15s\n' "" "C, native" "C, stealing" "Lua, native" "Lua, stealing" tokio
  row "spawn and join" spawn_join_ns
  row "100 spawned, then joined" spawn_many_ns
  row "yield, 2 tasks" yield_ns
  row "ping-pong, rendezvous" rendezvous_ns
  row "ping-pong, buffered" buffered_ns
  row "stream, 64 buffered" stream_ns
  row "rt.parallel, there and back" parallel_ns
}

ratios() {
  local group
  echo "two CPU-bound jobs on two workers, as a multiple of one after the other (expected: >= 1.8)"
  printf '%-30s %8s %8s %s\n' "" median best "CPUs they had"
  for group in compute:native compute:stealing parallel:native parallel:stealing; do
    printf '%-30s %8.2f %8.2f %8.2f\n' "$group" "$(number $group ratio)" "$(number $group ratio 5)" \
      "$(number $group cpus)"
  done
}

delays() {
  local group
  echo "an echo over loopback, us, without and with a task that computes for a second; 2 workers"
  printf '%-30s %8s %8s %12s %8s %8s\n' "" p50 p99 "busy: p50" p99 max
  for group in delay:native delay:stealing delay:same; do
    printf '%-30s %8.1f %8.1f %12.1f %8.1f %8.0f\n' "${group/same/native, on one worker}" \
      "$(number $group quiet_p50_us)" "$(number $group quiet_p99_us)" "$(number $group busy_p50_us)" \
      "$(number $group busy_p99_us)" "$(number $group busy_max_us)"
  done
}

jobs_table() {
  local group
  echo "10,000 rt.parallel jobs of 10 us at once, 2 workers; overhead: time x 2 - work"
  printf '%-30s %10s %10s %8s %12s %10s\n' "" "us per job" "CPU alone" threads "KiB before" after
  for group in parallel:native parallel:stealing; do
    printf '%-30s %10.2f %10.2f %8.0f %12.0f %10.0f\n' "$group" "$(number $group job_overhead_us)" \
      "$(number $group job_cpu_overhead_us)" "$(number $group job_threads)" \
      "$(number $group resident_before_kib)" "$(number $group resident_after_kib)"
  done
}

for ((round = 1; round <= rounds; round++)); do measure_round; done
progress
medians "$dir/results" >"$dir/medians"
operations
echo
ratios
echo
delays
echo
jobs_table
echo
echo "$(nproc) CPUs; others took $(value noise others) % of them before the turns, at most $(value noise others 5) %"
[ -n "${TOKIO_CORES-}" ] || echo "note: no tokio: it could not be installed or built"
