# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# shellcheck disable=SC2154 # $dir, $cache, $top and $picked are of record.sh
#
# A CI machine with sccache: every job builds a fresh tree from nothing. Four
# branches of a generated C program, each with commits of its own, are built
# in two types; other jobs come once and never again.

for name in "${!SCCACHE_@}"; do
	unset "$name"
done
unset RUSTC_WRAPPER
: >"$dir/sccache.conf"
SCCACHE_SERVER_PORT=$(python3 -c 'import socket
s = socket.socket()
s.bind(("127.0.0.1", 0))
print(s.getsockname()[1])')
export SCCACHE_CONF=$dir/sccache.conf SCCACHE_IDLE_TIMEOUT=0 \
	SCCACHE_DIR=$cache SCCACHE_CACHE_SIZE=10G SCCACHE_SERVER_PORT

files=40
headers=8
branches=4

# source BRANCH FILE VERSION: some files are small, some are large.
source_file() {
	local i
	printf '#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>\n'
	printf '#include "h%s.h"\n#include "h%s.h"\n' \
		$(($2 % headers)) $(($2 * 3 % headers))
	printf 'int version_%s(void) { return %s; }\n' "$2" "$3"
	for ((i = 0; i < 3 + ($2 * $2 * 7) % 90; i++)); do
		cat <<-C
			char *f$2_$i(const char *text, int n)
			{
				char *copy = malloc(strlen(text) + (size_t)n + ${i}u);
				for (int k = 0; copy && k < n * $i + $2; k++)
					copy[k % n] = (char)(text[k % (n + 1)] ^ (k * $i));
				if (!copy || n > $i)
					printf("%d %s %d\\n", n, text, h$(($2 % headers))_value(n));
				return copy;
			}
		C
	done
}

header_file() {
	printf '#pragma once\nstatic inline int h%s_value(int n) { return n * %s; }\n' \
		"$1" "$2"
}

# job TREE FLAG...: build it all, as a fresh checkout.
job() {
	local tree=$1 file
	shift
	rm -rf "$dir/checkout"
	cp -r "$tree" "$dir/checkout"
	cd "$dir/checkout" || return 1
	for file in *.c; do
		sccache gcc "$@" -c "$file" -o "${file%.c}.o" || return 1
	done
}
export -f job
export dir

version=0
# commit BRANCH: most change one to three files, some a header.
commit() {
	local n
	pick 3
	for ((n = picked; n >= 0; n--)); do
		pick $files
		version=$((version + 1))
		source_file "$1" "$picked" "$version" >"$dir/b$1/f$picked.c"
	done
	pick 6
	[ "$picked" != 0 ] || {
		pick $headers
		version=$((version + 1))
		header_file "$picked" "$version" >"$dir/b$1/h$picked.h"
	}
}

mkdir "$dir/b0"
for ((n = 0; n < files; n++)); do
	source_file 0 "$n" 0 >"$dir/b0/f$n.c"
done
for ((n = 0; n < headers; n++)); do
	header_file "$n" 1 >"$dir/b0/h$n.h"
done
for ((n = 1; n < branches; n++)); do
	cp -r "$dir/b0" "$dir/b$n"
	commit "$n"
done

at_end sccache --stop-server
SCCACHE_START_SERVER=1 SCCACHE_NO_DAEMON=1 traced server sccache \
	>"$dir/server" 2>&1 &
for _ in $(seq 100); do
	sleep 0.1
	! sccache --show-stats >/dev/null 2>&1 || break
done

for ((n = 0; n < 48; n++)); do
	pick 10
	branch=$((picked < 5 ? 0 : picked % branches))
	commit $branch
	step $((300 + RANDOM % 5000)) job "$dir/b$branch" -O2 -g
	[ $((n % 3)) != 0 ] ||
		step 60 job "$dir/b$branch" -O0 -g -fsanitize=address
	# Main is merged into a branch.
	[ $((n % 8)) != 5 ] || {
		pick $((branches - 1))
		cp "$dir/b0/"* "$dir/b$((picked + 1))"
	}
	# Somebody tries flags that nobody uses again.
	[ $((n % 12)) != 11 ] || step 600 job "$dir/b0" -O3 "-DTRIED=$n"
done
sccache --stop-server >/dev/null 2>&1
wait
