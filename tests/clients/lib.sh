# SPDX-License-Identifier: MIT
# shellcheck shell=bash
#
# What the tests of clients share: a store, its mount, and a directory to work
# in, all of it gone at the end. To be sourced.
#
#   site_begin NAME [OPTION...]
#                       starts cubbyfs with these options; sets $dir, a new directory; $mnt, the mountpoint; $at,
#                       the client's own directory on the mount; $store
#   check NAME CMD...   a finding: CMD succeeds. Its output is shown if not
#   four CMD...         CMD 1, CMD 2, CMD 3 and CMD 4 at once
#   at_end CMD...       something to do before the mount goes away
#   site_end WHAT HITS  the findings about the store, the sizes, and the exit
#
# A client that all.sh starts finds a mount in $CLIENT_MOUNT and its store in
# $CLIENT_STORE: it then works there, beside the others, and leaves the findings
# about the store to all.sh.
#
# $CUBBYFS and $CUBBY are the programs, those in build/ if not said. Prints one line for each finding; lines that begin
# with "#" are remarks.
set -u

built=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)/build
: "${CUBBYFS:=$built/fs/cubbyfs}" "${CUBBY:=$built/core/tool/cubby}"
: "${BUILD_ROOT:=$built}"
fail=0
daemon=
endings=()

ok() {
	printf 'ok - %s\n' "$1"
}

not_ok() {
	printf 'not ok - %s\n' "$1"
	fail=1
}

# skip NAME WHY: the whole script.
skip() {
	printf 'ok - %s # SKIP %s\n' "$1" "$2"
	exit 0
}

# need NAME COMMAND...: skip the script, by name, if one is missing.
need() {
	local name=$1 command
	shift
	for command in "$@"; do
		command -v "$command" >/dev/null 2>&1 ||
			skip "$name" "$command is missing"
	done
	{ [ -r /dev/fuse ] && [ -w /dev/fuse ]; } ||
		skip "$name" "/dev/fuse cannot be opened"
}

remarks() {
	sed 's/^/# /'
}

check() {
	local name=$1
	shift
	if "$@" >"$dir/checked" 2>&1; then
		ok "$name"
		[ -z "${CLIENT_VERBOSE-}" ] || remarks <"$dir/checked"
	else
		not_ok "$name"
		tail -n 40 "$dir/checked" | remarks
	fi
}

same_number() {
	[ "$1" = "$2" ] || {
		printf '%s: %s, expected %s\n' "$3" "$1" "$2"
		return 1
	}
}

at_end() {
	endings+=("$*")
}

wait_until() {
	local end=$((SECONDS + $1))
	shift
	until "$@"; do
		[ "$SECONDS" -lt "$end" ] || return 1
		sleep 0.05
	done
}

# shellcheck disable=SC2317 # called through wait_until
daemon_is_gone() {
	! kill -0 "$daemon" 2>/dev/null
}

# shellcheck disable=SC2317 # called through wait_until
is_mounted() {
	daemon_is_gone ||
		[ "$(stat -c %d "$mnt")" != "$(stat -c %d "$dir")" ]
}

# shellcheck disable=SC2317 # called through wait_until
unmounted() {
	fusermount3 -u -q "$mnt" 2>/dev/null || umount "$mnt"
}

# shellcheck disable=SC2317 # called through wait_until
only_daemon_is_left() {
	local pid
	for pid in $(jobs -pr); do
		[ "$pid" = "$daemon" ] || return
	done
}

# shellcheck disable=SC2317 # called by the trap
clean_up() {
	local command pid
	[ "$BASHPID" = $$ ] || return # a child that ends by an error
	for command in ${endings[@]+"${endings[@]}"}; do
		eval "$command" >/dev/null 2>&1
	done
	for pid in $(jobs -p); do
		[ "$pid" = "$daemon" ] || kill "$pid" 2>/dev/null
	done
	wait_until 20 only_daemon_is_left
	if [ -n "$daemon" ]; then
		fusermount3 -u -z -q "$mnt" 2>/dev/null ||
			umount -l "$mnt" 2>/dev/null
		# It ends by itself when it is unmounted.
		wait_until 5 daemon_is_gone || kill -9 "$daemon" 2>/dev/null
		wait "$daemon" 2>/dev/null
	fi
	# What was just ended may still write for a moment.
	rm -rf --one-file-system "$dir" 2>/dev/null ||
		{ sleep 1 && rm -rf --one-file-system "$dir"; }
}

site_begin() {
	local name=$1
	shift
	dir=$(mktemp -d "${TMPDIR:-/tmp}/cubby-XXXXXX") || exit 1
	trap clean_up EXIT
	trap 'exit 1' INT TERM HUP
	mkdir "$dir/home" "$dir/tmp"
	export HOME=$dir/home TMPDIR=$dir/tmp
	if [ -n "${CLIENT_MOUNT-}" ]; then
		mnt=$CLIENT_MOUNT
		store=$CLIENT_STORE
	else
		mnt=$dir/mnt
		store=$dir/store
		mkdir "$mnt"
		"$CUBBYFS" "$store" "$mnt" -f "$@" 2>"$dir/log" &
		daemon=$!
		if ! wait_until 20 is_mounted || daemon_is_gone; then
			not_ok "the store is mounted"
			remarks <"$dir/log"
			exit 1
		fi
	fi
	at=$mnt/$name
	mkdir "$at" || exit 1
}

four() {
	local n pid pids=() bad=0
	for n in 1 2 3 4; do
		"$@" "$n" >"$dir/said-four$n" 2>&1 &
		pids+=($!)
	done
	for pid in "${pids[@]}"; do
		wait "$pid" || bad=1
	done
	[ "$bad" = 0 ] || tail -n 15 "$dir"/said-four[1-4]
	return "$bad"
}

# total NAME: of the totals of the store.
total() {
	"$CUBBY" stats --json "$store" | tr ',' '\n' |
		sed -nE "s/.*\"$1\":([0-9]+).*/\\1/p"
}

# shellcheck disable=SC2317 # called through check
ends_cleanly() {
	if ! wait_until 10 unmounted; then
		echo "cannot unmount"
		return 1
	fi
	wait "$daemon" || {
		echo "cubbyfs ended with status $?"
		cat "$dir/log"
		return 1
	}
	daemon=
}

# shellcheck disable=SC2317 # called through check
nothing_damaged() {
	same_number "$(total quarantined)" 0 "quarantined" &&
		same_number "$(find "$store/quarantine" -type f | wc -l)" 0 \
			"files in quarantine/"
}

# shellcheck disable=SC2317 # called through check
drafts_are_plain_files() {
	same_number "$(find "$store/drafts" -type f | wc -l)" \
		"$(total plain_files)" "files in drafts/"
}

# site_end WHAT HITS: WHAT is the client and its version, and HITS what it said
# about its second run; both are for the table of table.sh.
site_end() {
	local raw entries_raw stored
	if [ -n "${CLIENT_MOUNT-}" ]; then
		exit $fail
	fi
	raw=$(find "$mnt" -type f -printf '%s\n' | awk '{n += $1} END {print n + 0}')
	check "the mount ends cleanly" ends_cleanly
	check "nothing is in quarantine" nothing_damaged
	check "no draft is left but plain files" drafts_are_plain_files
	# What is not in an entry is in a plain file, stored as it is.
	entries_raw=$(total raw_bytes)
	stored=$(($(total stored_bytes) + raw - entries_raw))
	printf '# %s entries and %s plain files: %s bytes, stored in %s; of these entries %s in %s\n' \
		"$(total entries)" "$(total plain_files)" "$raw" "$stored" \
		"$entries_raw" "$(total stored_bytes)"
	printf '# row: | %s | %s | %s | %s |\n' "$1" "$2" "$raw" "$stored"
	exit $fail
}

# bazel_program: Bazel as it is installed by scripts/test, or $CLIENT_BAZEL;
# prints nothing if there is none.
bazel_program() {
	local program found=
	for program in "${CLIENT_BAZEL-}" \
		"$BUILD_ROOT"/clients/node_modules/@bazel/bazel-linux_x64/bazel-*-linux-x86_64; do
		[ ! -f "$program" ] || found=$program
	done
	echo "$found"
}

# The clients of drive.sh.
# shellcheck disable=SC2034 # for those who source this
driven=(go sccache ccache ccache_local git_lfs bazel wazero)

drive() {
	local what=$1
	shift
	"$(dirname "${BASH_SOURCE[0]}")/drive.sh" "$what" "$@"
}

# cannot_drive CLIENT: prints why not, or nothing.
cannot_drive() {
	local command commands=()
	case $1 in
	go) commands=(go) ;;
	sccache) commands=(sccache gcc python3) ;;
	ccache*) commands=(ccache gcc) ;;
	git_lfs) commands=(git git-lfs) ;;
	bazel) [ -n "$(bazel_program)" ] || echo "bazel is missing" ;;
	esac
	for command in "${commands[@]}"; do
		command -v "$command" >/dev/null || echo "$command is missing"
	done
}

# Whatever the kernel still had open is closed when nothing but plain files is
# left of what was being written.
settled() {
	drafts_are_plain_files >/dev/null
}

# got PATH: fetch the entries that the store has below it to $dir/got.
got() {
	local path
	rm -rf "$dir/got"
	mkdir -p "$dir/got/$1"
	while IFS= read -r path; do
		mkdir -p "$dir/got/${path%/*}" &&
			"$CUBBY" get "$store" "$path" >"$dir/got/$path" || return
	done < <("$CUBBY" list "$store" "$1" | awk '{print $NF}')
}

# What it has is on the mount, too.
got_is_shown() {
	diff -r "$dir/got/" "$mnt/" >"$dir/differ"
	! grep -v "^Only in $mnt" "$dir/differ"
}

# What the mount lists can be read, to the end that it says.
listed_is_read() {
	local file
	while IFS= read -r file; do
		same_number "$(wc -c <"$file")" "$(stat -c %s "$file")" "$file" || return
	done < <(find "$1" -type f)
}

# On a full disk a temporary file cannot be put into the store, and stays with
# the mount: what is below drafts/ is what the mount shows as a plain file.
drafts_are_shown() {
	local shown
	shown=$(find "$mnt" -type f -printf '%f\n' |
		grep -cvE '^[0-9a-f]{32,128}(-[a-z0-9]{1,8})?$' || true)
	[ "$(find "$store/drafts" -type f | wc -l)" -le "$shown" ]
}

# nothing_in_part CLIENT CACHE: of the cache, which is a path below the mount,
# in the store now, and on the mount when all is closed.
nothing_in_part() {
	local cache=$2
	got "$cache" && drive whole "$1" "$dir/top.$1" "$dir/got/$cache" &&
		wait_until 10 "${is_settled:-settled}" && got_is_shown &&
		listed_is_read "$mnt/$cache" &&
		drive whole "$1" "$dir/top.$1" "$mnt/$cache"
}

# make_sources DIRECTORY COUNT: C sources of different sizes, f0.c and so on.
make_sources() {
	local i j
	mkdir -p "$1"
	for ((i = 0; i < $2; i++)); do
		{
			echo "#include <stdio.h>"
			for ((j = 0; j <= i * 20; j++)); do
				echo "int f${i}_$j(int x) { return x * $j + puts(\"$i\"); }"
			done
		} >"$1/f$i.c"
	done
}

# compile_all SOURCES OBJECTS COMPILER...
compile_all() {
	local sources=$1 objects=$2 source
	shift 2
	mkdir -p "$objects" && cd "$sources" || return 1
	for source in *.c; do
		"$@" -O1 -c "$source" -o "$objects/${source%.c}.o" || return 1
	done
}
