#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Our echo servers in C and in Lua, and one on bare libevent, against raw epoll. Run by ./dev bench echo; --help tells more.

here=$(cd "$(dirname "$0")" && pwd) || exit 1
# shellcheck source=bench/lib.sh
. "$here/lib.sh"

usage() {
  cat <<'END'
usage: run-echo.sh [--quick] [--rounds N] [--seconds S] [--only SERVERS]
  --quick         a short run: less exact
  --rounds N      rounds per number of connections (101); every server has a turn in each
  --seconds S     the length of a turn (0.1); short and many is steadier than long and few
  --only SERVERS  which of epoll,libevent,c,lua (all); epoll always runs
environment:
  RTLUA      the rtlua binary
  BENCH      the folder with the built echo_load, echo_epoll, echo_libevent and echo_tcp
  BENCH_SRC  the folder of echo_tcp.lua (this script's)
END
}

# Of connections; "=": all messages are the same, which spares Lua making a new string of each.
rounds=101 seconds=0.1 idle=10000 counts="64 1000 64= 1000=" traced="5000 25000" only=epoll,libevent,c,lua
while [ $# -gt 0 ]; do
  case $1 in
    --quick) rounds=15 seconds=0.1 traced="2000 8000" ;;
    --rounds) rounds=${2:?} && shift ;;
    --seconds) seconds=${2:?} && shift ;;
    --only) only=epoll,${2:?} && shift ;;
    -h | --help) usage && exit 0 ;;
    *) usage >&2 && exit 2 ;;
  esac
  shift
done

: "${BENCH:?names the folder with the built bench programs}" "${BENCH_SRC:=$here}"
servers=
for name in epoll libevent c lua; do
  case ,$only, in *,$name,*) servers="$servers $name" ;; esac
done
need_program "$BENCH/echo_load"

# ---- Servers ----

declare -A pid port
dir=$(mktemp -d) || exit 1
finish() {
  local status=$? name
  trap - EXIT
  for name in "${!pid[@]}"; do
    # Under strace the server is not our child: it told its pid.
    if [ -s "$dir/traced" ]; then stop "$name" "$(cat "$dir/traced")"; else stop "$name"; fi
  done
  rm -rf "$dir"
  exit $status
}
trap finish EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

title() {
  case $1 in epoll) echo "raw epoll" ;; libevent) echo "libevent" ;; c) echo "ours, C" ;; lua) echo "ours, Lua" ;; esac
}

# Sets command to the one that runs the server.
command_of() {
  case $1 in
    epoll | libevent) command=("$BENCH/echo_$1") ;;
    c) command=("$BENCH/echo_tcp") ;;
    lua) command=("${RTLUA:?names the rtlua binary}" "$BENCH_SRC/echo_tcp.lua") ;;
  esac
  need_program "${command[0]}"
}

# Says what the server said, and ends.
server_failed() {
  progress
  echo "bench: $(title "$1"): $2" >&2
  sed 's/^/  /' "$dir/$1.err" >&2
  exit 1
}

# start SERVER [WRAPPER...]: waits until it listens; sets port and pid (the wrapper's, if there is one).
start() {
  local name=$1 command tries line=""
  shift
  command_of "$name"
  : >"$dir/$name.out"
  # CPU seconds are bounded too: a server that this script could not stop does not spin for ever.
  (ulimit -t 900 && pinned "$cpu_last" "$@" "${command[@]}") >"$dir/$name.out" 2>"$dir/$name.err" </dev/null &
  pid[$name]=$!
  for ((tries = 0; tries < 200; tries++)); do
    read -r line <"$dir/$name.out" && break
    kill -0 "${pid[$name]}" 2>/dev/null || server_failed "$name" "ended before it listened"
    sleep 0.05
  done
  case $line in
    "listening on "*:[0-9]*) port[$name]=${line##*:} ;;
    *) server_failed "$name" "did not say where it listens within 10 s" ;;
  esac
}

# stop SERVER [PID]: ends it by the pid, if it is not the wrapper's, and waits for what start started.
stop() {
  local process=${2:-${pid[$1]}} tries
  kill "$process" 2>/dev/null
  for ((tries = 0; tries < 100; tries++)); do
    kill -0 "$process" 2>/dev/null || break
    sleep 0.02
  done
  kill -KILL "$process" 2>/dev/null
  wait "${pid[$1]}" 2>/dev/null
  unset "pid[$1]" "port[$1]"
}

# load SERVER ARGUMENTS...: prints echo_load's key=value lines.
load() {
  local name=$1 same=
  shift
  case $* in *=*) same=--same ;; esac
  # shellcheck disable=SC2086 # nothing, or an option
  (pinned "$cpu_first" "$BENCH/echo_load" "${port[$name]}" $same "${@//=/}") 2>>"$dir/$name.err" ||
    server_failed "$name" "the load generator gave up"
}

# ---- Measurements: each appends "group key value" lines to results ----

record() {
  sed -n "s/^\([a-z0-9_]*\)=\(.*\)/$1 \1 \2/p" >>"$dir/results"
}

# One turn of every server; every second round goes the other way, so that a drift evens out.
measure_round() {
  local connections=$1 round=$2 order=$servers name
  local -A cpu
  [ $((round % 2)) = 1 ] || order=$(echo "$servers" | awk '{ for (i = NF; i; i--) printf "%s ", $i }')
  for name in $order; do
    progress "echo: $connections connections, round $round of $rounds: $(title "$name")"
    load "$name" --connections "$connections" --seconds "$seconds" --pid "${pid[$name]}" >"$dir/turn"
    record "$connections:$name" <"$dir/turn"
    cpu[$name]=$(sed -n 's/^cpu_us=//p' "$dir/turn")
  done
  for name in $servers; do
    awk -v group="$connections:$name" -v a="${cpu[$name]}" -v b="${cpu[epoll]}" \
      'BEGIN { printf "%s ratio %.4f\n", group, a / b }' >>"$dir/results"
  done
}

measure_load() {
  local name connections round
  for name in $servers; do start "$name"; done
  for connections in $counts; do
    for name in $servers; do
      progress "echo: warming up: $(title "$name")"
      load "$name" --connections "$connections" --seconds 0.3 >/dev/null
    done
    for ((round = 1; round <= rounds; round++)); do measure_round "$connections" "$round"; done
  done
  for name in $servers; do stop "$name"; done
}

# Sets calls: all the system calls of a server that answers so many requests, under strace.
count_calls() {
  local name=$1 connections=$2 requests=$3
  # The inner shell tells the server's pid: strace, being told to end, would not wait for its summary.
  # shellcheck disable=SC2016
  start "$name" strace -f -c -o "$dir/calls" sh -c 'echo $$ >"$0" && exec "$@"' "$dir/traced"
  load "$name" --connections "$connections" --requests "$requests" --seconds 60 >/dev/null
  stop "$name" "$(cat "$dir/traced")"
  rm "$dir/traced"
  calls=$(awk '$1 ~ /^[0-9.]+$/ && $NF != "total" { n += $4 } END { print n + 0 }' "$dir/calls")
}

# Two runs that differ in the requests alone: what they differ in, start-up and connections cancel out.
measure_calls() {
  local name connections few many calls first
  read -r few many <<<"$traced"
  for connections in $counts; do
    case $connections in *=) continue ;; esac
    for name in $servers; do
      progress "echo: system calls, $connections connections: $(title "$name")"
      count_calls "$name" "$connections" $((few + connections))
      first=$calls
      count_calls "$name" "$connections" $((many + connections))
      awk -v group="$connections:$name" -v calls=$((calls - first)) -v requests=$((many - few)) \
        'BEGIN { printf "%s calls %.3f\n", group, calls / requests }' >>"$dir/results"
    done
  done
}

measure_idle() {
  local name
  for name in $servers; do
    progress "echo: $idle idle connections: $(title "$name")"
    start "$name"
    load "$name" --connections "$idle" --idle --pid "${pid[$name]}" >"$dir/turn"
    record "idle:$name" <"$dir/turn"
    stop "$name"
  done
}

# ---- The tables ----

value() { # GROUP KEY [COLUMN: 3 median, 4 min, 5 max]
  awk -v group="$1" -v key="$2" -v column="${3:-3}" \
    '$1 == group && $2 == key { print $column }' "$dir/medians"
}

row() { # CONNECTIONS SERVER
  local group=$1:$2 calls ratio="" goal=""
  calls=$(value "$group" calls)
  case $2 in
    c) goal="<= 1.05" ;;
    lua) goal="<= 1.10" ;;
  esac
  [ "$2" = epoll ] || ratio=$(printf '%.3f (%.3f to %.3f)' "$(value "$group" ratio)" \
    "$(value "$group" ratio 4)" "$(value "$group" ratio 5)")
  printf '%11s  %-10s %10.0f %10.2f  %-24s %-8s %8.0f %8.0f  %8s\n' "${1/=/ same}" "$(title "$2")" \
    "$(value "$group" rate)" "$(value "$group" cpu_us)" "$ratio" "$goal" \
    "$(value "$group" p50_us)" "$(value "$group" p99_us)" \
    "$([ -z "$calls" ] && echo - || printf %.2f "$calls")"
}

# A server alone on its CPU is busy nearly all the time: the load is made so.
note_contention() {
  local connections
  for connections in $counts; do
    value "$connections:epoll" busy | awk '{ exit $1 < 0.7 }' && continue
    note "raw epoll got little of its CPU at $connections connections: other work competed, trust no ratio"
  done
}

report() {
  local name connections goal
  medians "$dir/results" >"$dir/medians"
  note_contention
  echo "TCP echo, 64-byte messages over loopback, one server thread: medians of $rounds rounds of $seconds s"
  echo "$placement; $(uname -sr)"
  echo
  printf '%11s  %-10s %10s %10s  %-24s %-8s %8s %8s  %8s\n' "" "" "" "server CPU" \
    "CPU, as a multiple of raw" "" latency "" "system"
  printf '%11s  %-10s %10s %10s  %-24s %-8s %8s %8s  %8s\n' connections server requests/s us/request \
    "epoll's in the same round" " goal" "p50 us" "p99 us" calls/rq
  for connections in $counts; do
    for name in $servers; do row "$connections" "$name"; done
  done
  echo '"same": all messages are the same; else all differ, and Lua makes a string of each'
  echo
  printf '%11s  %-10s %s\n' "idle" server "resident bytes per connection"
  for name in $servers; do
    case $name in c) goal="(goal: < 9216)" ;; lua) goal="(goal: < 1024)" ;; *) goal= ;; esac
    printf '%11s  %-10s %10.0f  %s\n' "$(value "idle:$name" connections)" "$(title "$name")" \
      "$(value "idle:$name" bytes)" "$goal"
  done
  printf '%s' "$notes"
}

notes=
note() {
  notes="${notes}note: $*"$'\n'
}

prepare() {
  local limit
  choose_cpus
  if [ -z "$cpu_first" ]; then
    placement="nothing pinned"
    note "no taskset (package util-linux): server and load generator share the CPUs"
  elif [ "$cpu_first" = "$cpu_last" ]; then
    placement="server and load generator on CPU $cpu_first"
    note "only one CPU: server and load generator compete for it"
  else
    placement="server on CPU $cpu_last, load generator on CPU $cpu_first"
  fi
  ulimit -n "$(ulimit -Hn)"
  limit=$(ulimit -n)
  if [ "$limit" != unlimited ] && [ "$limit" -lt $((idle + 100)) ]; then
    note "$idle idle connections need ulimit -n $((idle + 100)), which is $limit here: fewer are used"
    idle=$((limit - 100))
  fi
}

prepare
measure_load
measure_idle
if command -v strace >/dev/null && strace -f -c -o /dev/null true 2>/dev/null; then
  measure_calls
else
  note "system calls are not counted: strace is missing or not allowed here"
fi
progress
report
