#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
. "$(dirname "$0")/common.bash"

# nc_udp REDIRECTIONS: starts nc as a UDP server on any port. Sets $addr.
nc_udp() {
	background "$1" bash -c "exec nc -ulv 127.0.0.1 0 2>&1 $2" bash "$dir/loop"
	expect 'Bound on *' "nc"
	addr=127.0.0.1:${got##* }
}

check() {
	# An echo: what nc receives goes into the pipe that it sends from.
	mkfifo "$dir/loop"
	# shellcheck disable=SC2016 # for the inner shell
	nc_udp echo '0<>"$1" 1>"$1"'
	run "$@" "$addr"
	equal "$status" 0 "exit code"
	equal "$stdout" $'<- hello world\n-> hello world' "output"
	equal "$stderr" "" "stderr"
	stop_all

	run "$@" "$addr"
	equal "$status" 1 "exit code without a server"
	[[ ${stderr,,} == *"connection refused"* ]] || fail "a refused datagram is not reported"

	# A server that never answers.
	nc_udp mute '-d 1>/dev/null'
	run "$@" "$addr"
	equal "$status" 1 "exit code without an answer"
	[[ ${stderr,,} == *"timed out"* || ${stderr,,} == *timeout* ]] || fail "the timeout is not reported"
}

both udp_client
