#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Many tasks that wait at once, in C and in Lua: memory and time per task. Run by ./dev bench park.

here=$(cd "$(dirname "$0")" && pwd) || exit 1
# shellcheck source=bench/lib.sh
. "$here/lib.sh"

runs=3 tasks=100000
while [ $# -gt 0 ]; do
  case $1 in
    --quick) runs=1 ;;
    --tasks) tasks=${2:?} && shift ;;
    *)
      echo "usage: run-park.sh [--quick] [--tasks N]; environment as for run-echo.sh" >&2
      exit 2
      ;;
  esac
  shift
done

compare park "$tasks"
echo "$tasks tasks parked at once: medians of $runs run(s), each in a process of its own"
echo
table "bytes resident memory, bytes per task
page_table_bytes page tables, bytes per task
spawn_ns spawn, ns per task
start_ns first run until it waits, ns per task
cancel_join_ns cancel and join, ns per task"
