#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
. "$(dirname "$0")/common.bash"

hello="guess a number from 0 to 100"
please="please type a number from 0 to 100"

# Plays a whole game against a number that is not known.
search() {
	local low=0 high=100 guess
	dial "$port"
	answer "greeting"
	while [ "$low" -le "$high" ]; do
		guess=$(((low + high) / 2))
		echo "$guess" >&"$conn"
		answer "guess $guess"
		case $got in
		less) high=$((guess - 1)) ;;
		greater) low=$((guess + 1)) ;;
		"you win") break ;;
		*) fail "guess $guess: '$got'" ;;
		esac
	done
	equal "$got" "you win" "the end of a game"
	hang_up
}

check() {
	serve chosen "$@" 127.0.0.1:0 42
	local idle

	# One player is slow and types a guess in two pieces; that holds up nobody.
	dial "$port"
	idle=$conn
	answer "greeting"
	printf 4 >&"$idle"

	equal "$(printf '50\n0\n41\n43\n42\n' | talk "$port")" \
		"$hello"$'\nless\ngreater\ngreater\nless\nyou win' "a game"
	equal "$(printf '  10 \r\n42\r\n' | talk "$port")" "$hello"$'\ngreater\nyou win' "a game with CRLF"

	# Bad input.
	equal "$(printf 'abc\n\n101\n-1\n4 2\n42x\n99999999999999999999\n42\n' | talk "$port")" \
		"$hello"$'\n'"$(for _ in 1 2 3 4 5 6 7; do echo "$please"; done)"$'\nyou win' "bad input"
	equal "$({ head -c 1000 /dev/zero | tr '\0' 1; printf '\n42\n'; } | talk "$port")" \
		"$hello"$'\n'"$please"$'\nyou win' "a very long line"

	# Players who leave, at once and in the middle.
	equal "$(talk "$port" </dev/null)" "$hello" "a player who leaves at once"
	equal "$(printf '7\n' | talk "$port")" "$hello"$'\ngreater' "a player who leaves"

	conn=$idle
	printf '2\n' >&"$conn"
	answer "a guess in two pieces"
	equal "$got" "you win" "a guess in two pieces"
	hang_up
	stop_all

	serve random "$@" 127.0.0.1:0
	search
	search
	search
}

both guessing
