#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
. "$(dirname "$0")/common.bash"

check() {
	local server
	example tcp_echo C
	serve echo "${command[@]}" 127.0.0.1:0
	server=$port

	run "$@" 127.0.0.1 "$server" "$server"
	equal "$status" 0 "exit code"
	equal "$stdout" "$server is open"$'\n1 of 1 ports are open' "an open port"
	equal "$stderr" "" "stderr"

	run "$@" 127.0.0.1 $((server - 20)) $((server + 20))
	equal "$status" 0 "exit code"
	[[ $stdout == *"$server is open"*" of 41 ports are open" ]] || fail "a range: $stdout"
	stop_all

	run "$@" 127.0.0.1 "$server" "$server"
	equal "$stdout" "0 of 1 ports are open" "a closed port"
	run "$@" 127.0.0.1 9 8
	equal "$status" 1 "exit code for ports that are none"
}

both ports
