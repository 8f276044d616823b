#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# fuzz.sh TARGET: run a target of libFuzzer over its corpus and on, for 500,000
# runs or 40 seconds, whichever comes first; with DEEP=1 in the environment for
# 20,000,000 runs. An input that fails is kept, and its path is told.
#
#   CORPUS=1 fuzz.sh TARGET   instead: take what covers more into the corpus
#
# Needs $SOURCE_ROOT and $BUILD_ROOT; builds in $BUILD_ROOT/fuzz.
set -euo pipefail

target=$1
corpus=$SOURCE_ROOT/tests/fuzz/corpus/$target
build=$BUILD_ROOT/fuzz
runs=500000
seconds=40
if [ -n "${DEEP-}" ]; then
	runs=20000000
	seconds=0
fi

echo 1..1
work=$(mktemp -d "${TMPDIR:-/tmp}/cubby-fuzz.XXXXXX")
trap 'rm -rf -- "$work"' EXIT

skip() {
	echo "ok - fuzz_$target # SKIP $*"
	exit 0
}

command -v clang >/dev/null || skip "clang is not installed"
echo 'int LLVMFuzzerTestOneInput(const char *d, long n);
int LLVMFuzzerTestOneInput(const char *d, long n) { return d[0] == n; }' \
	>"$work/probe.c"
clang -fsanitize=fuzzer,address,undefined -o "$work/probe" "$work/probe.c" \
	2>"$work/log" ||
	skip "clang has no runtime for fuzzing (Debian: libclang-rt-14-dev)"

# One at a time: the targets share the build.
exec 9>"$BUILD_ROOT/fuzz.lock"
flock 9
if [ ! -e "$build/build.ninja" ]; then
	CC=clang meson setup --buildtype=release \
		-Db_sanitize=address,undefined -Db_lundef=false \
		-Dc_args='-fsanitize=fuzzer-no-link -fno-sanitize-recover=all -g1' \
		"$build" "$SOURCE_ROOT" >"$work/log" 2>&1 </dev/null ||
		{ cat "$work/log" && echo "not ok - fuzz_$target" && exit 1; }
fi
ninja -C "$build" "tests/fuzz/fuzz_$target" >"$work/log" 2>&1 </dev/null ||
	{ cat "$work/log" && echo "not ok - fuzz_$target" && exit 1; }
flock -u 9
exec 9>&-
program=$build/tests/fuzz/fuzz_$target

if [ -n "${CORPUS-}" ]; then
	mkdir -p "$work/found"
	"$program" -max_total_time="$CORPUS" -max_len=4096 "$work/found" \
		"$corpus" 2>&1 | tail -n 1
	"$program" -merge=1 -max_len=1024 "$corpus" "$work/found" 2>&1 |
		tail -n 1
	exit
fi

mkdir "$work/found"
status=0
"$program" -runs="$runs" -max_total_time="$seconds" -timeout=10 \
	-rss_limit_mb=1024 -print_final_stats=1 \
	-artifact_prefix="$BUILD_ROOT/fuzz_$target-" \
	"$work/found" "$corpus" >"$work/log" 2>&1 </dev/null || status=$?
if [ "$status" -ne 0 ]; then
	tail -n 60 "$work/log" | sed 's/^/# /'
	echo "not ok - fuzz_$target"
	exit 1
fi
sed -nE 's/^stat::(number_of_executed_units|average_exec_per_sec|peak_rss_mb)/# \1/p' \
	"$work/log"
grep -E '^#[0-9]+[[:space:]]+DONE' "$work/log" | sed 's/^#/# DONE /' || true
done_runs=$(sed -nE 's/^stat::number_of_executed_units: //p' "$work/log")
if [ "${done_runs:-0}" -lt 1000 ]; then
	echo "not ok - fuzz_$target made only ${done_runs:-no} runs"
	exit 1
fi
echo "ok - fuzz_$target"
