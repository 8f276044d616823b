#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# sccache with its cache on the mount: SCCACHE_DIR. Each of four instances has
# a server of its own.
# shellcheck disable=SC2317 # functions are called through check
# shellcheck source=tests/clients/lib.sh
. "$(dirname "$0")/lib.sh"

need "sccache compiles with its cache on the mount" sccache gcc python3
site_begin sccache

for name in "${!SCCACHE_@}"; do
	unset "$name"
done
unset RUSTC_WRAPPER
: >"$dir/sccache.conf"
export SCCACHE_CONF=$dir/sccache.conf SCCACHE_IDLE_TIMEOUT=120
files=8

# Ports that are free now, one for each server.
mapfile -t ports < <(python3 -c 'import socket
held = [socket.socket() for _ in range(5)]
for s in held:
    s.bind(("127.0.0.1", 0))
    print(s.getsockname()[1])')

# use NUMBER CACHE: the server of that number, and its cache.
use() {
	export SCCACHE_SERVER_PORT=${ports[$1]} SCCACHE_DIR=$2
}

# sccache 0.4 now and then waits ten seconds in vain for the server that it has
# started, also with its cache on a plain directory.
start() {
	local try
	for try in 1 2 3; do
		sccache --stop-server >/dev/null 2>&1
		sccache --start-server && return
		echo "start $try failed"
	done
	return 1
}

# A figure of the server, a sum over languages.
figure() {
	sccache --show-stats --stats-format=json | python3 -c '
import json, sys
value = json.load(sys.stdin)["stats"][sys.argv[1]]
print(sum(value["counts"].values()) if isinstance(value, dict) else value)' "$1"
}

figures() {
	sccache --show-stats
	while [ $# -gt 0 ]; do
		same_number "$(figure "$1")" "$2" "$1" || return
		shift 2
	done
}

# Writing goes on behind the compiler's back.
all_is_written() {
	[ "$(figure cache_writes)" -ge "$(figure cache_misses)" ]
}

pass() {
	rm -rf "${dir:?}/$1"
	compile_all "$dir/src" "$dir/$1" sccache gcc && diff -r "$dir/direct" "$dir/$1"
}

fills() {
	start && pass "$1" && wait_until 20 all_is_written &&
		figures cache_misses "$files" cache_hits 0 cache_write_errors 0
}

# A new server walks the directory when it starts and finds all there again.
hits() {
	start && pass "$1" && figures cache_hits "$files" cache_misses 0
}

same_server_hits() {
	sccache --zero-stats && pass two &&
		figures cache_hits "$files" cache_misses 0
}


# Together they may compile a source more than once, as each does not know what
# the others are at.
one_of_four() {
	use "$1" "$at/four" && pass "four$1" && wait_until 20 all_is_written &&
		figures cache_write_errors 0
}

one_of_four_again() {
	use "$1" "$at/four" && pass "four$1" &&
		figures cache_hits "$files" cache_misses 0
}

# One after the other, as that is where sccache waits in vain.
start_four() {
	local n
	for n in 1 2 3 4; do
		use "$n" "$at/four" && start || return
	done
}

for n in "${!ports[@]}"; do
	at_end "SCCACHE_SERVER_PORT=${ports[$n]} sccache --stop-server"
done
make_sources "$dir/src" "$files"
check "gcc compiles" compile_all "$dir/src" "$dir/direct" gcc
use 0 "$at/cache"
check "sccache fills a cache on the mount" fills one
check "the second pass of sccache is all hits" same_server_hits
check "a new server of sccache hits what the old one added" hits three
second=$(figure cache_hits)
check "four servers start with one cache" start_four
check "four at once fill one cache" four one_of_four
check "four servers start again" start_four
check "four at once have hits only" four one_of_four_again
for n in "${!ports[@]}"; do
	SCCACHE_SERVER_PORT=${ports[$n]} sccache --stop-server >/dev/null 2>&1
done
site_end "$(sccache --version)" "$second of $files"
