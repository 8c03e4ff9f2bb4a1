#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Synchronisation between tasks, in C and in Lua. Run by ./dev bench sync.

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

compare sync "$scale"
echo "tasks on one CPU, ns: medians of $runs runs"
echo
table "mutex_ns mutex: lock and unlock, free
mutex_contended_ns mutex: lock, yield and unlock, 10 tasks
semaphore_ns semaphore: acquire and release, free
chan_buffered_ns channel: one element, 64 buffered
chan_rendezvous_ns channel: one element, rendezvous
chan_ping_pong_ns channel: there and back, rendezvous
select_2_ns select: one element, 2 channels
spawn_join_ns spawn and join"
