# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# shellcheck disable=SC2154 # $dir, $cache, $top and $picked are of record.sh
#
# Some days of work on this project itself, with ccache: its last commits, one
# after the other, edits between them, some of them of headers, a second and a
# third type of build now and then, going back to an older commit, and fresh
# clones that are built from nothing.

for name in "${!CCACHE_@}"; do
	unset "$name"
done
export CCACHE_CONFIGPATH=$dir/ccache.conf
printf '%s\n' "cache_dir = $dir/local" \
	"remote_storage = file:$cache|layout=subdirs" 'remote_only = true' \
	"base_dir = $dir" 'hash_dir = false' 'sloppiness = time_macros' \
	>"$CCACHE_CONFIGPATH"

export CC='ccache gcc'
git clone -q "$top" "$dir/src"
cd "$dir/src" || exit 1
mapfile -t commits < <(git rev-list --reverse --first-parent HEAD | tail -n 6)

# configured NAME OPTION...: a build directory. ccache is not traced here.
configured() {
	local name=$1
	shift
	meson setup "$dir/src/build-$name" "$dir/src" "$@" >/dev/null
}

# build NAME: what ninja finds to be done.
build() {
	[ -d "build-$1" ] || case $1 in
	release) configured release --buildtype=release ;;
	asan) configured asan -Db_sanitize=address,undefined -Db_lundef=false ;;
	*) configured "$1" --buildtype=debugoptimized ;;
	esac
	ninja -C "build-$1" fs/cubbyfs core/tool/cubby
}

edits=0
# edit KIND: one of the files *.c or *.h gets another line.
edit() {
	local files
	mapfile -t files < <(git ls-files "core/*.$1" "fs/*.$1")
	pick ${#files[@]}
	edits=$((edits + 1))
	printf '\nextern int some_value_%s;\n' "$edits" >>"${files[$picked]}"
}

export -f build configured
export dir

git checkout -q "${commits[0]}"
step 0 build debug
day=0
for commit in "${commits[@]:1}"; do
	day=$((day + 1))
	# At night, from nothing: what a CI job does.
	rm -rf build-night
	step 36000 build night
	git checkout -q "$commit"
	step 3600 build debug
	for _ in 1 2 3 4; do
		edit c
		step $((60 + RANDOM % 400)) build debug
	done
	edit h
	step 300 build debug
	git stash -q
	case $((day % 3)) in
	1)
		git checkout -q "${commits[0]}"
		step 900 build debug
		git checkout -q "$commit"
		;;
	2) step 900 build release ;;
	0) step 900 build asan ;;
	esac
	step 600 build debug
	[ $((day % 2)) = 1 ] || git stash drop -q
	[ $((day % 2)) = 0 ] || {
		git stash pop -q
		step 1200 build debug
		git checkout -q .
	}
done
