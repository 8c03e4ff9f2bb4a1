#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The four benchmarks of the Rust crate runtime, in C and in Lua. Run by ./dev bench runtime; arguments
# are those of rtlua bench.

here=$(cd "$(dirname "$0")" && pwd) || exit 1
# shellcheck source=bench/lib.sh
. "$here/lib.sh"

: "${BENCH:?names the folder with the built bench programs}" "${RTLUA:?names the rtlua binary}"
need_program "$BENCH/runtime_bench"
need_program "$RTLUA"
echo "in C:"
"$BENCH/runtime_bench" "$@" || fail "the C program failed"
echo
echo "in Lua:"
"$RTLUA" bench "$@" "$here/runtime_bench.lua" || fail "the Lua program failed"
