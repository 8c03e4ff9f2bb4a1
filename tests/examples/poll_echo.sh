#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
. "$(dirname "$0")/common.bash"

# on RUNTIME: the echo.
on() {
	serve "$1" "${command[@]}" "$1" 127.0.0.1:0
	expect "Running on $1" "the runtime"

	dial "$port"
	equal "$(echo hello | talk "$port")" hello "echo"
	equal "$(talk "$port" </dev/null)" "" "an empty stream"

	head -c 1000000 /dev/urandom >"$dir/sent"
	talk "$port" <"$dir/sent" >"$dir/received"
	cmp "$dir/sent" "$dir/received" || fail "1 MB came back changed"

	echo "still here" >&"$conn"
	answer "the first connection"
	equal "$got" "still here" "the first connection"
	hang_up

	run "${command[@]}" "$1" "127.0.0.1:$port"
	equal "$status" 1 "exit code when the port is taken"
	[[ ${stderr,,} == *"address already in use"* ]] || fail "a taken port is not reported"
}

label=poll_echo
example poll_echo C
for name in poll native; do
	on "$name"
	stop_all
done
run "${command[@]}" nonsense
equal "$status" 1 "exit code for an unknown runtime"
[[ $stderr == *"no runtime is called 'nonsense'; there is: native"*" poll" ]] || fail "an unknown runtime is not reported"
echo "ok $label"
