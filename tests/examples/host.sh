#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
. "$(dirname "$0")/common.bash"

example host C
run "${command[@]}"
equal "$status" 0 "exit code"
equal "$stderr" "" "stderr"
equal "$(grep -v '^fetched$' <<<"$stdout")" "$(printf 'tick %d\n' 1 2 3 4 5 6 7 8 9 10)" "the host's ticks"
equal "$(grep -c '^fetched$' <<<"$stdout")" 3 "lines of the script"

# The script waits three times for 10 ms, the host ticks every 5 ms: even on a machine that
# stalls, there are ticks before the last of its lines.
case $stdout in
$'fetched\nfetched\nfetched'*) fail "the host did not tick while the script waited" ;;
esac
echo "ok host"
