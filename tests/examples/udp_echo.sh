#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The program is the one of the README, so it has a fixed port: UDP 8080 must be free.
. "$(dirname "$0")/common.bash"

# On a pipe, unlike on a terminal, stdio would keep the lines to itself: hence
# stdbuf. It preloads a library, which AddressSanitizer must not take amiss.
export ASAN_OPTIONS="verify_asan_link_order=0${ASAN_OPTIONS:+:$ASAN_OPTIONS}"

# Sends stdin as a datagram, prints the answer.
ask() {
	timeout -k 5 "$patience" nc -u -W 1 127.0.0.1 8080
}

check() {
	background server stdbuf -oL "$@"
	if ! IFS= read -r -t "$patience" -u "$out" got; then
		grep -qi "address already in use" "$dir/server.stderr" &&
			fail "UDP port 127.0.0.1:8080 is taken; this test needs it"
		fail "no 'Listening on' line"
	fi
	equal "$got" "Listening on 127.0.0.1:8080" "first line"

	equal "$(printf hi | ask)" hi "echo"
	expect 'Sent 2 out of 2 bytes to 127.0.0.1:*' "first datagram"
	equal "$(printf 'another one' | ask)" "another one" "echo"
	expect 'Sent 11 out of 11 bytes to 127.0.0.1:*' "second datagram"

	run "$@"
	equal "$status" 1 "exit code when the port is taken"
	[[ ${stderr,,} == *"address already in use"* ]] || fail "a taken port is not reported"
}

both udp_echo
