# SPDX-License-Identifier: MIT
# What the runners share: CPUs, a folder for results, medians. Sourced by run-*.sh.
# shellcheck shell=bash

set -u
export LC_ALL=C

fail() {
  echo "bench: $*" >&2
  exit 1
}

# Shown on a terminal only, on one line that the next one overwrites.
progress() {
  [ ! -t 2 ] || printf '\r\033[K%s' "$*" >&2
}

need_program() {
  [ -x "$1" ] || fail "$1 is missing: build it first, with ./dev build"
}

# Sets cpu_first and cpu_last, of those this process may use; empty without taskset.
choose_cpus() {
  cpu_first= cpu_last=
  command -v taskset >/dev/null || return 0
  local list
  list=$(awk '/^Cpus_allowed_list:/ { print $2 }' /proc/self/status)
  cpu_first=${list%%[-,]*}
  cpu_last=${list##*[-,]}
}

# pinned CPU COMMAND...: replaces this (sub)shell, so that $! is the command's own.
pinned() {
  local cpu=$1
  shift
  [ -z "$cpu" ] || exec taskset -c "$cpu" "$@"
  exec "$@"
}

# Reads "group key value" lines, prints "group key median min max", in the order of the first ones.
medians() {
  awk '
    { id = $1 " " $2; if (!(id in n)) order[++ids] = id; v[id, ++n[id]] = $3 + 0 }
    END {
      for (i = 1; i <= ids; i++) {
        id = order[i]
        for (a = 2; a <= n[id]; a++)
          for (b = a; b > 1 && v[id, b - 1] > v[id, b]; b--) {
            t = v[id, b]; v[id, b] = v[id, b - 1]; v[id, b - 1] = t
          }
        m = n[id]
        print id, (v[id, int((m + 1) / 2)] + v[id, int((m + 2) / 2)]) / 2, v[id, 1], v[id, m]
      }
    }' OFMT=%.10g CONVFMT=%.10g "$@"
}

# compare NAME ARGUMENT: runs $BENCH/NAME and NAME.lua in turns, $runs times each; sets medians_text.
compare() {
  local run results=""
  : "${BENCH:?names the folder with the built bench programs}" "${RTLUA:?names the rtlua binary}"
  : "${BENCH_SRC:=$here}"
  need_program "$BENCH/$1"
  need_program "$RTLUA"
  choose_cpus
  for ((run = 1; run <= runs; run++)); do
    progress "$1: run $run of $runs: C"
    results+=$(run_once c "$BENCH/$1" "$2") || fail "$1: the C program failed"
    results+=$'\n'
    progress "$1: run $run of $runs: Lua"
    results+=$(run_once lua "$RTLUA" "$BENCH_SRC/$1.lua" "$2") || fail "$1: the Lua program failed"
    results+=$'\n'
  done
  progress
  medians_text=$(echo "$results" | sed '/^$/d' | medians)
}

# run_once GROUP COMMAND...: prints its key=value lines as "group key value". Two minutes at most.
run_once() {
  local group=$1 output
  shift
  output=$(pinned "$cpu_last" timeout 120 "$@") || return 1
  echo "$output" | sed -n "s/^\([a-z0-9_]*\)=\(.*\)/$group \1 \2/p"
}

# table "KEY DESCRIPTION" lines: one row each, with what compare found.
table() {
  local key description
  printf '%-42s %10s %10s\n' "" C Lua
  while read -r key description; do
    printf '%-42s %10.1f %10.1f\n' "$description" \
      "$(awk -v key="$key" '$1 == "c" && $2 == key { print $3 }' <<<"$medians_text")" \
      "$(awk -v key="$key" '$1 == "lua" && $2 == key { print $3 }' <<<"$medians_text")"
  done <<<"$1"
}
