#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
. "$(dirname "$0")/common.bash"

example parallel_echo Lua
serve server "${command[@]}" 127.0.0.1:0

# A connection that says nothing holds up nobody.
dial "$port"
expect 'Serving 127.0.0.1:*' "first connection"

equal "$(echo hello | talk "$port")" hello "echo"
expect 'Serving 127.0.0.1:*' "second connection"

head -c 1000000 /dev/urandom >"$dir/sent"
talk "$port" <"$dir/sent" >"$dir/received"
cmp "$dir/sent" "$dir/received" || fail "1 MB came back changed"

echo "still here" >&"$conn"
answer "the first connection"
equal "$got" "still here" "the first connection"
hang_up

run "${command[@]}" "127.0.0.1:$port"
equal "$status" 1 "exit code when the port is taken"
[[ ${stderr,,} == *"address already in use"* ]] || fail "a taken port is not reported"
echo "ok parallel_echo"
