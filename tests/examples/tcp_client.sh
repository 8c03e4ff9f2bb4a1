#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
. "$(dirname "$0")/common.bash"

check() {
	local server
	for server in C Lua; do
		example tcp_echo "$server"
		serve "echo_$server" "${command[@]}" 127.0.0.1:0
		run "$@" "$addr"
		equal "$status" 0 "exit code"
		equal "$stdout" "Connected to $addr"$'\n<- hello world\n-> hello world' "output"
		equal "$stderr" "" "stderr"
		stop_all

		run "$@" "$addr"
		equal "$status" 1 "exit code without a server"
		[[ ${stderr,,} == *"connection refused"* ]] || fail "a refused connection is not reported"
	done
}

both tcp_client
