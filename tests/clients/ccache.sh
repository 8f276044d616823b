#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# ccache with its remote storage in files on the mount, in both layouts and
# without a local cache, and with its local cache on the mount. The names of
# ccache 4.7 are no entry names: what it stores is in plain files.
# shellcheck disable=SC2317 # functions are called through check
# shellcheck source=tests/clients/lib.sh
. "$(dirname "$0")/lib.sh"

need "ccache compiles with its cache on the mount" ccache gcc
site_begin ccache

for name in "${!CCACHE_@}"; do
	unset "$name"
done
# Never /dev/null: ccache replaces its configuration file.
export CCACHE_CONFIGPATH=$dir/ccache.conf
files=8

# configure LINE...: the configuration, for a local cache that is empty unless
# it is on the mount.
configure() {
	rm -rf "$dir/local"
	printf '%s\n' "cache_dir = $dir/local" "$@" >"$CCACHE_CONFIGPATH"
}

figure() {
	ccache --print-stats | awk -v name="$1" '$1 == name {print $2}'
}

# stats NAME VALUE...: each is what ccache says.
stats() {
	while [ $# -gt 0 ]; do
		same_number "$(figure "$1")" "$2" "$1" || {
			ccache --print-stats
			return 1
		}
		shift 2
	done
}

# pass OUT: compile all into a directory of its own, which is then what gcc
# makes.
pass() {
	rm -rf "${dir:?}/$1"
	compile_all "$dir/src" "$dir/$1" ccache gcc && diff -r "$dir/direct" "$dir/$1"
}

fills() {
	ccache --zero-stats && pass one && stats cache_miss "$files" \
		direct_cache_hit 0 "$1" 0
}

# hits FIGURE: which one counts them for this storage.
hits() {
	ccache --zero-stats && pass two && stats cache_miss 0 \
		direct_cache_hit "$files" "$1" "$files"
}


shared_pass() {
	pass "shared$1"
}

make_sources "$dir/src" "$files"
check "gcc compiles" compile_all "$dir/src" "$dir/direct" gcc

for layout in flat subdirs; do
	where="remote_storage = file:$at/$layout|layout=$layout"
	configure "$where"
	check "ccache fills a remote storage, layout $layout" \
		fills remote_storage_hit
	configure "$where"
	check "without its local cache, all are hits, layout $layout" \
		hits remote_storage_hit
done

remote_hits=$(figure remote_storage_hit)
where="remote_storage = file:$at/only"
configure "$where" "remote_only = true"
check "ccache fills a remote storage, which is all it has" \
	fills remote_storage_hit
check "with nothing but a remote storage, all are hits" hits remote_storage_hit

configure "$where-four" "remote_only = true"
check "four at once fill one remote storage" four shared_pass
check "after four at once, all are hits" hits remote_storage_hit
ccache --zero-stats >/dev/null
check "four at once compile" four shared_pass
check "four at once have hits only" stats cache_miss 0 \
	direct_cache_hit $((4 * files))

configure "cache_dir = $at/local"
check "ccache fills a local cache on the mount" fills local_storage_hit
check "with its local cache on the mount, all are hits" hits local_storage_hit
configure "cache_dir = $at/local-four"
check "four at once fill one local cache" four shared_pass
check "after four at once on a local cache, all are hits" \
	hits local_storage_hit
ccache --zero-stats >/dev/null
check "four at once compile with one local cache" four shared_pass
check "four at once have hits only in one local cache" stats cache_miss 0 \
	direct_cache_hit $((4 * files))
check "ccache cleans up its local cache" ccache --cleanup

site_end "$(ccache --version | awk 'NR == 1 {print "ccache " $3}')" \
	"$remote_hits of $files"
