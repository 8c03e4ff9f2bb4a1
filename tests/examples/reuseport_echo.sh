#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
. "$(dirname "$0")/common.bash"

example reuseport_echo Lua
serve server "${command[@]}" 127.0.0.1:0 3

# Connections spread over all the listeners.
for i in {1..20}; do
	equal "$(echo "hello $i" | talk "$port")" "hello $i" "echo"
done

head -c 1000000 /dev/urandom >"$dir/sent"
talk "$port" <"$dir/sent" >"$dir/received"
cmp "$dir/sent" "$dir/received" || fail "1 MB came back changed"

run "${command[@]}" "no address"
equal "$status" 1 "exit code when the address is wrong"
echo "ok reuseport_echo"
