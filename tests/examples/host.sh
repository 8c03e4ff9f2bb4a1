#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
. "$(dirname "$0")/common.bash"

example host C
run "${command[@]}"
equal "$status" 0 "exit code"
equal "$stderr" "" "stderr"
equal "$(grep -v '^fetched$' <<<"$stdout")" "$(printf 'tick %d\n' 1 2 3 4 5 6 7 8 9 10)" "the host's ticks"
equal "$(grep -c '^fetched$' <<<"$stdout")" 1 "lines of the script"

# The script waits for 10 ms, the host ticks every 5 ms: ticks before and after.
case $stdout in
fetched* | *fetched) fail "the host did not tick while the script waited" ;;
esac
echo "ok host"
