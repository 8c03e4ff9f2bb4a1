#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Synchronisation between C tasks. Run by ./dev bench sync.

here=$(cd "$(dirname "$0")" && pwd) || exit 1
# shellcheck source=bench/lib.sh
. "$here/lib.sh"

runs=5 scale=1
while [ $# -gt 0 ]; do
  case $1 in
    --quick) runs=3 scale=0.1 ;;
    *)
      echo "usage: run-sync.sh [--quick]; environment as for run-echo.sh" >&2
      exit 2
      ;;
  esac
  shift
done

: "${BENCH:?names the folder with the built bench programs}"
need_program "$BENCH/sync"
choose_cpus
results=""
for ((run = 1; run <= runs; run++)); do
  progress "sync: run $run of $runs"
  results+=$(run_once c "$BENCH/sync" "$scale") || fail "sync: the program failed"
  results+=$'\n'
done
progress
medians_text=$(sed '/^$/d' <<<"$results" | medians)

# row KEY DESCRIPTION
row() {
  printf '%-42s %10.1f\n' "$2" "$(awk -v key="$1" '$2 == key { print $3 }' <<<"$medians_text")"
}

echo "C tasks on one CPU, ns: medians of $runs runs"
echo
row mutex_ns "mutex: lock and unlock, free"
row mutex_contended_ns "mutex: lock, yield and unlock, 10 tasks"
row semaphore_ns "semaphore: acquire and release, free"
row chan_buffered_ns "channel: one element, 64 buffered"
row chan_rendezvous_ns "channel: one element, rendezvous"
row chan_ping_pong_ns "channel: there and back, rendezvous"
row select_2_ns "select: one element, 2 channels"
row spawn_join_ns "spawn and join"
