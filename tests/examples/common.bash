# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2034 # variables for the tests
# What the tests of the examples share. A test defines check(), which gets a
# command line, and calls `both NAME`: check runs once for C, once for Lua.
#
# Environment: RTLUA, EXAMPLES_BUILD and EXAMPLES_SRC; the defaults are those of
# the tree after ./dev build.

set -u
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
: "${RTLUA:=$top/build/rtlua}" "${EXAMPLES_BUILD:=$top/build/examples}" "${EXAMPLES_SRC:=$top/examples}"

patience=30 # seconds that anything may take, on a slow machine under a sanitizer
label=$(basename "$0" .sh)
dir=$(mktemp -d)
pids=()

stop_all() {
	local pid
	for pid in ${pids[@]+"${pids[@]}"}; do
		kill "$pid" && wait "$pid"
	done 2>/dev/null
	pids=()
	rm -rf "${dir:?}"/*
}
trap 'stop_all; rm -rf "$dir"' EXIT
trap 'exit 1' HUP INT TERM

# fail MESSAGE: says what failed and what the programs printed.
fail() {
	local file
	echo "FAIL $label: $1" >&2
	for file in "$dir"/*.stdout "$dir"/*.stderr; do
		[ -f "$file" ] && [ -s "$file" ] && sed "s|^|  ${file##*/}: |" "$file" >&2
	done
	exit 1
}

# equal ACTUAL EXPECTED WHAT
equal() {
	[ "$1" = "$2" ] || fail "$3: expected '$2', got '$1'"
}

# example NAME LANGUAGE: puts the command line of an example into $command.
example() {
	case $2 in
	C) command=("$EXAMPLES_BUILD/$1") ;;
	Lua) command=("$RTLUA" "$EXAMPLES_SRC/$1.lua") ;;
	esac
}

# both NAME: runs check with the C and with the Lua version. $language tells which.
both() {
	for language in C Lua; do
		label="$1 ($language)"
		example "$1" "$language"
		check "${command[@]}"
		stop_all
		echo "ok $label"
	done
}

# run COMMAND...: runs it to its end. Sets $status, $stdout and $stderr.
run() {
	timeout -k 5 "$patience" "$@" </dev/null >"$dir/run.stdout" 2>"$dir/run.stderr"
	status=$?
	stdout=$(cat "$dir/run.stdout")
	stderr=$(cat "$dir/run.stderr")
	[ "$status" -ne 124 ] || fail "not done after $patience s: $*"
}

# background NAME COMMAND...: starts it. Its output goes to the descriptor $out.
background() {
	local name=$1
	shift
	mkfifo "$dir/$name.fifo"
	timeout -k 5 $((4 * patience)) "$@" >"$dir/$name.fifo" 2>"$dir/$name.stderr" &
	pids+=($!)
	exec {out}<"$dir/$name.fifo"
}

# expect PATTERN WHAT: reads the next line from $out, which must match.
expect() {
	local line
	IFS= read -r -t "$patience" -u "$out" line || fail "$2: no line, expected '$1'"
	# shellcheck disable=SC2053 # a pattern
	[[ $line == $1 ]] || fail "$2: expected '$1', got '$line'"
	got=$line
}

# serve NAME COMMAND...: starts a server, waits until it listens. Sets $addr and $port.
serve() {
	background "$@"
	expect 'Listening on 127.0.0.1:*' "$1 starts"
	addr=${got#Listening on }
	port=${addr##*:}
	[ "$port" -gt 0 ] || fail "$1: $addr has no port"
}

# talk PORT: sends stdin to a TCP server, then ends the stream, and prints the answer to its end.
talk() {
	timeout -k 5 "$patience" nc -N 127.0.0.1 "$1"
	[ $? -ne 124 ] || echo "(and no end of the stream after $patience s)"
}

# dial PORT: opens a TCP connection, the descriptor $conn.
dial() {
	exec {conn}<>"/dev/tcp/127.0.0.1/$1" || fail "cannot connect to port $1"
}

# hang_up: closes $conn.
hang_up() {
	exec {conn}>&-
}

# answer: reads a line from $conn into $got.
answer() {
	IFS= read -r -t "$patience" -u "$conn" got || fail "no answer: $1"
}

command -v nc >/dev/null || fail "needs nc (Debian: netcat-openbsd)"
