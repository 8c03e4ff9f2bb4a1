#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Switches between tasks and short-lived tasks, in C and in Lua. Run by ./dev bench switch.

here=$(cd "$(dirname "$0")" && pwd) || exit 1
# shellcheck source=bench/lib.sh
. "$here/lib.sh"

runs=5 scale=1
while [ $# -gt 0 ]; do
  case $1 in
    --quick) runs=3 scale=0.1 ;;
    *)
      echo "usage: run-switch.sh [--quick]; environment as for run-echo.sh" >&2
      exit 2
      ;;
  esac
  shift
done

compare switch "$scale"
echo "tasks on one CPU: medians of $runs runs"
echo
table "yield_2_ns yield, 2 tasks, ns
yield_10000_ns yield, 10000 tasks, ns
spawn_join_ns spawn and join, ns"
