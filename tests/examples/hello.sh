#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
. "$(dirname "$0")/common.bash"

check() {
	run "$@"
	equal "$status" 0 "exit code"
	equal "$stdout" $'waiting for the task\nhello, world\nthe task returned 42' "output"
	equal "$stderr" "" "stderr"

	run "$@" "you there"
	equal "$status" 0 "exit code with a name"
	equal "$stdout" $'waiting for the task\nhello, you there\nthe task returned 42' "output with a name"
}

both hello
