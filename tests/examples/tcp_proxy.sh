#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
. "$(dirname "$0")/common.bash"

check() {
	local idle upstream proxy server

	example tcp_echo "$language"
	serve echo "${command[@]}" 127.0.0.1:0
	upstream=$addr
	serve proxy "$@" 127.0.0.1:0 "$upstream"
	proxy=$port

	dial "$proxy"
	idle=$conn
	expect 'Accepting from 127.0.0.1:*' "first connection"

	# The echo ends its stream only when it is told that ours has ended.
	equal "$(echo hello | talk "$proxy")" hello "through the proxy"
	head -c 1000000 /dev/urandom >"$dir/sent"
	talk "$proxy" <"$dir/sent" >"$dir/received"
	cmp "$dir/sent" "$dir/received" || fail "1 MB came back changed"

	example tcp_client "$language"
	run "${command[@]}" "127.0.0.1:$proxy"
	equal "$status" 0 "exit code of the client"

	conn=$idle
	echo "still here" >&"$conn"
	answer "the first connection"
	equal "$got" "still here" "the first connection"
	hang_up
	stop_all

	# Nobody listens upstream any more: the client is hung up on, the proxy goes on.
	serve deserted "$@" 127.0.0.1:0 "$upstream"
	equal "$(talk "$port" </dev/null)" "" "no upstream"
	equal "$(talk "$port" </dev/null)" "" "no upstream, once more"
	grep -qi "$upstream: connection refused" "$dir/deserted.stderr" || fail "no upstream: not reported"

	# The other half: a server that ends its stream first still gets what we send.
	background half_server bash -c 'echo "from the server" | nc -lvN 127.0.0.1 0 2>&1'
	server=$out
	expect 'Listening on *' "nc"
	serve half "$@" 127.0.0.1:0 "127.0.0.1:${got##* }"
	dial "$port"
	answer "the server's say"
	equal "$got" "from the server" "the server's say"
	IFS= read -r -t "$patience" -u "$conn" got
	[ $? -eq 1 ] || fail "the end of the server's stream does not arrive"
	echo "from the client" >&"$conn"
	hang_up
	out=$server
	expect 'Connection received*' "nc"
	expect 'from the client' "what comes after the end of the server's stream"
}

both tcp_proxy
