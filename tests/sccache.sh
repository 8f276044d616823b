#!/bin/sh
# SPDX-License-Identifier: MIT
#
# A real compiler cache on a mount: sccache fills it in a first pass and hits
# in a second, and what it hands out is what the compiler makes.
#
# Needs $CUBBYFS and $CUBBY. Prints one line for each finding.
set -u

fail=0
ok() { echo "ok - $1"; }
not_ok() {
	echo "not ok - $1"
	fail=1
}
skip() {
	echo "ok - sccache runs on the mount # SKIP $1"
	exit 0
}

command -v sccache >/dev/null 2>&1 || skip "sccache is missing"
command -v gcc >/dev/null 2>&1 || skip "gcc is missing"
command -v python3 >/dev/null 2>&1 || skip "python3 is missing"
[ -r /dev/fuse ] && [ -w /dev/fuse ] || skip "/dev/fuse cannot be opened"

dir=$(mktemp -d "${TMPDIR:-/tmp}/cubby-XXXXXX") || exit 1
mnt=$dir/mnt
daemon=
server_started=

clean_up() {
	[ -z "$server_started" ] || sccache --stop-server >/dev/null 2>&1
	if [ -n "$daemon" ]; then
		fusermount3 -u -z -q "$mnt" 2>/dev/null ||
			umount -l "$mnt" 2>/dev/null
		# It ends by itself when it is unmounted.
		n=0
		while kill -0 "$daemon" 2>/dev/null && [ $n -lt 50 ]; do
			sleep 0.1
			n=$((n + 1))
		done
		kill -9 "$daemon" 2>/dev/null
		wait "$daemon" 2>/dev/null
	fi
	rm -rf --one-file-system "$dir"
}
trap clean_up EXIT
trap 'exit 1' INT TERM HUP

mkdir "$mnt" "$dir/src" "$dir/direct" "$dir/one" "$dir/two" || exit 1
"$CUBBYFS" "$dir/store" "$mnt" -f 2>"$dir/log" &
daemon=$!
n=0
until [ "$(stat -c %d "$mnt")" != "$(stat -c %d "$dir")" ]; do
	n=$((n + 1))
	if [ $n -gt 200 ] || ! kill -0 "$daemon" 2>/dev/null; then
		not_ok "the store is mounted"
		sed 's/^/# /' "$dir/log"
		exit 1
	fi
	sleep 0.05
done

# A port that is free now, and settings that are nobody else's.
: >"$dir/sccache.conf"
SCCACHE_SERVER_PORT=$(python3 -c 'import socket
s = socket.socket()
s.bind(("127.0.0.1", 0))
print(s.getsockname()[1])')
SCCACHE_DIR=$mnt/sccache
SCCACHE_CONF=$dir/sccache.conf
SCCACHE_IDLE_TIMEOUT=60
export SCCACHE_SERVER_PORT SCCACHE_DIR SCCACHE_CONF SCCACHE_IDLE_TIMEOUT
unset SCCACHE_BUCKET SCCACHE_REDIS SCCACHE_MEMCACHED SCCACHE_GHA_CACHE_URL \
	SCCACHE_ENDPOINT RUSTC_WRAPPER 2>/dev/null

files=12
i=0
while [ $i -lt $files ]; do
	{
		echo "#include <stdio.h>"
		j=0
		while [ $j -lt $((i * 20 + 1)) ]; do
			echo "int f${i}_$j(int x) { return x * $j + puts(\"$i\"); }"
			j=$((j + 1))
		done
	} >"$dir/src/f$i.c"
	i=$((i + 1))
done

# Compile all into $1, with the compiler "$2".
compile() {
	i=0
	while [ $i -lt $files ]; do
		(cd "$dir/src" && $2 -O1 -c "f$i.c" -o "$dir/$1/f$i.o") ||
			return 1
		i=$((i + 1))
	done
}

# The statistic "$1" of the server, a sum over languages.
statistic() {
	sccache --show-stats --stats-format=json | python3 -c '
import json, sys
value = json.load(sys.stdin)["stats"][sys.argv[1]]
print(sum(value["counts"].values()) if isinstance(value, dict) else value)' "$1"
}

server_started=yes
if ! sccache --start-server >"$dir/server" 2>&1; then
	not_ok "the server of sccache starts"
	sed 's/^/# /' "$dir/server"
	exit 1
fi
compile direct gcc || not_ok "gcc compiles"

if compile one "sccache gcc" && [ "$(statistic cache_misses)" = $files ] &&
	[ "$(statistic cache_write_errors)" = 0 ]; then
	ok "sccache fills a cache on the mount"
else
	not_ok "sccache fills a cache on the mount"
	sccache --show-stats | sed 's/^/# /'
fi

# Writing goes on behind the compiler's back.
n=0
while [ "$(statistic cache_writes)" != $files ] && [ $n -lt 100 ]; do
	sleep 0.1
	n=$((n + 1))
done

sccache --zero-stats >/dev/null
if compile two "sccache gcc" && [ "$(statistic cache_hits)" = $files ] &&
	[ "$(statistic cache_misses)" = 0 ]; then
	ok "the second pass of sccache is all hits"
else
	not_ok "the second pass of sccache is all hits"
	sccache --show-stats | sed 's/^/# /'
fi

# A new server walks the directory when it starts and finds all there again.
sccache --stop-server >/dev/null 2>&1
sccache --start-server >/dev/null 2>&1
rm -f "$dir"/two/*
if compile two "sccache gcc" && [ "$(statistic cache_hits)" = $files ] &&
	[ "$(statistic cache_misses)" = 0 ]; then
	ok "a new server of sccache hits what the old one added"
else
	not_ok "a new server of sccache hits what the old one added"
	sccache --show-stats | sed 's/^/# /'
fi

if diff -r "$dir/direct" "$dir/one" && diff -r "$dir/direct" "$dir/two"; then
	ok "objects out of the cache are those that gcc makes"
else
	not_ok "objects out of the cache are those that gcc makes"
fi

entries=$("$CUBBY" list "$dir/store" | wc -l)
if [ "$entries" = $files ]; then
	ok "the store has one entry for each object"
else
	not_ok "the store has one entry for each object"
	"$CUBBY" list "$dir/store" | sed 's/^/# /'
fi

# A mount that is new shows the same to a server that is new.
sccache --stop-server >/dev/null 2>&1
server_started=
fusermount3 -u -q "$mnt" || umount "$mnt"
if wait "$daemon"; then
	ok "the mount ends cleanly"
else
	not_ok "the mount ends cleanly"
	sed 's/^/# /' "$dir/log"
fi
daemon=
exit $fail
