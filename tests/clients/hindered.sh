#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Clients that cannot add: on a read-only mount, as a user who may not write,
# and on a disk that gets full. Each is also done with a plain directory: what a
# build can do with that, it can do with the mount.
#
#   hindered.sh [CLIENT...]
# shellcheck disable=SC2317 # functions are called through check
# shellcheck source=tests/clients/lib.sh
. "$(dirname "$0")/lib.sh"

writers=54321 user=54322
need "clients may be hindered" fusermount3 setpriv mkfs.ext4
[ "$(id -u)" -eq 0 ] || skip "clients may be hindered" "needs root"
site_begin hindered -o allow_other,writers=$writers
clients=("$@")
[ $# -gt 0 ] || clients=("${driven[@]}")
disk=$dir/disk

# What the other user needs is where he can read it.
tools() {
	local replay=tests/clients/wazero_replay bazel
	bazel=$(bazel_program)
	chmod 711 "$dir" && mkdir -p "$dir/tools/tests/clients" || return
	cp "$(dirname "$0")"/{drive,lib}.sh "$dir/tools/" &&
		cp "$BUILD_ROOT/$replay" "$dir/tools/$replay" || return
	export BUILD_ROOT=$dir/tools BAZEL_INSTALL=$dir/bazel
	[ -z "$bazel" ] ||
		{ cp "$bazel" "$dir/tools/bazel" && export CLIENT_BAZEL=$dir/tools/bazel; }
}

drive_as_user() {
	mkdir "$5" && chown "$user:$user" "$5" &&
		setpriv --reuid="$user" --regid="$user" --clear-groups \
			env PATH=/usr/local/bin:/usr/bin:/bin \
			USER=other BAZEL_INSTALL="$dir/user/install" \
			"$dir/tools/drive.sh" "$@"
}

# read_only FROM TO: a bind mount, as a plain directory is made read-only.
read_only() {
	mkdir "$2" && mount --bind "$1" "$2" && at_end "umount '$2'" &&
		mount -o remount,bind,ro "$2"
}

empty_small_disk() {
	mkfs.ext4 -q -F -m 0 "$dir/image" && mount -o loop "$dir/image" "$disk" &&
		"$CUBBYFS" "$disk/store" "$dir/full"
}

small_disk() {
	mkdir "$disk" "$dir/full" && truncate -s 96M "$dir/image" &&
		empty_small_disk &&
		at_end "umount '$dir/full'; wait_until 10 umount '$disk'"
}

# For each client: what others have left in the index would be room for it.
another_small_disk() {
	umount "$dir/full" && wait_until 10 umount "$disk" && empty_small_disk
}

# fill CLIENT: its cache on the mount, and a copy of it.
fill() {
	drive prepare "$1" "$dir/top.$1" && mkdir -p "$at/filled/$1" "$at/empty/$1" &&
		drive build "$1" "$dir/top.$1" "$at/filled/$1" "$dir/out/$1" &&
		wait_until 10 settled && mkdir -p "$dir/plain/filled" "$dir/plain/empty/$1" &&
		cp -r "$at/filled/$1" "$dir/plain/filled/" &&
		chmod -R a+rX "$dir/plain" "$dir/top.$1" "$dir/out/$1"
}

# All that a client could change.
state() {
	"$CUBBY" list "$store"
	find "$mnt" -printf '%p %s %T@\n' | sort
	find "$store"/{blobs,drafts,quarantine} -type f | sort
}

# build NAME DRIVE CLIENT CACHE: sets $status and $made.
build() {
	"$2" build "$3" "$dir/top.$3" "$4" "$dir/out/$1" >"$dir/out.$1" 2>&1
	status=$?
	made=$(cat "$dir/out/$1/made" 2>/dev/null)
	echo "$1: status $status, made ${made:-nothing}" | tee -a "$dir/summary"
	[ "$status" -eq 0 ] || tail -n 5 "$dir/out.$1" "$dir/out/$1/said"
}

# as_plain NAME DRIVE CLIENT PLAIN CACHE: what ends well with the plain
# directory does so with the cache on the mount, with no less hits and the same
# result.
as_plain() {
	local plain plainly_made
	build "$1.plain" "$2" "$3" "$4"
	plain=$status plainly_made=$made
	build "$1.mount" "$2" "$3" "$5"
	if [ "$status" -ne 0 ]; then
		[ "$plain" -ne 0 ]
		return
	fi
	diff -r "$dir/out/$3/result" "$dir/out/$1.mount/result" &&
		{ [ "$plain" -ne 0 ] || [ "$made" -le "$plainly_made" ]; }
}

# works_as_user CLIENT: with a cache of his own.
works_as_user() {
	mkdir "$dir/user/$1" && chown "$user:$user" "$dir/user/$1" &&
		build "$1.user" drive_as_user "$1" "$dir/user/$1" &&
		[ "$status" -eq 0 ] && diff -r "$dir/out/$1/result" "$dir/out/$1.user/result"
}

# unchanged NAME DRIVE CLIENT PLAIN CACHE: that, and the store is as before.
unchanged() {
	state >"$dir/before"
	as_plain "$@" || return
	state >"$dir/after"
	diff "$dir/before" "$dir/after"
}

# leave KILOBYTES: on the small disk, besides a filler.
leave() {
	rm -f "$disk/filler"
	sync -f "$disk"
	fallocate -l "$(($(df -k --output=avail "$disk" | tail -n 1) - $1))k" \
		"$disk/filler"
}

no_space_is_left() {
	local full=1
	head -c 1000000 /dev/urandom >"$dir/full/probe" && full=0
	rm -f "$dir/full/probe"
	[ "$full" = 1 ]
}

# How many entries the small store has given up to make room.
evictions() {
	"$CUBBY" stats "$disk/store" --json |
		python3 -c 'import json, sys
print(json.load(sys.stdin)["figures"]["evictions"])'
}

# cache_for CLIENT DIRECTORY: Go makes these anyway, and needs more than is left
# for them.
cache_for() {
	mkdir "$2" || return
	[ "$1" != go ] || mkdir "$2"/{{0..9},{a..f}}{{0..9},{a..f}}
}

# full CLIENT: half of what it needs is left.
full() {
	local kilobytes plain before
	another_small_disk || return
	kilobytes=$("$CUBBY" list "$store" "hindered/filled/$1" |
		awk '{n += $2} END {print int(n / 2048)}')
	[ "$kilobytes" -ge 64 ] || kilobytes=64
	cache_for "$1" "$disk/plain" && cache_for "$1" "$dir/full/$1" &&
		leave "$kilobytes" || return
	build "$1.full.plain" drive "$1" "$disk/plain"
	rm -r "$disk/plain"
	plain=$status
	leave "$kilobytes"
	before=$(evictions)
	build "$1.full.mount" drive "$1" "$dir/full/$1"
	if [ "$status" -ne 0 ]; then
		[ "$plain" -ne 0 ] || return
	else
		diff -r "$dir/out/$1/result" "$dir/out/$1.full.mount/result" || return
	fi
	was_full=no
	if [ "$(evictions)" -gt "$before" ] || no_space_is_left; then
		was_full=yes
	fi
}

of_small_disk() {
	local store=$disk/store mnt=$dir/full is_settled=drafts_are_shown
	"$@"
}

# The disk was full, or something was given up that is made now.
room_again() {
	rm "$disk/filler" &&
		build "$1.room" drive "$1" "$dir/full/$1" && [ "$status" -eq 0 ] &&
		{ [ "$was_full" = yes ] || [ "$made" -gt 0 ]; } &&
		diff -r "$dir/out/$1/result" "$dir/out/$1.room/result" &&
		of_small_disk nothing_in_part "$1" "$1" && of_small_disk nothing_damaged
}

mkdir "$dir/out" "$dir/plain" "$dir/mounted" "$dir/user"
chmod 755 "$dir/out" && chown "$user:$user" "$dir/user"
check "the other user can run the clients" tools
check "a plain directory is mounted read-only" read_only "$dir/plain" "$dir/plain.ro"
check "the store is mounted read-only" "$CUBBYFS" "$store" "$dir/mounted" -o ro
at_end "umount '$dir/mounted'"
check "a small disk has a store" small_disk
for client in "${clients[@]}"; do
	why=$(cannot_drive "$client")
	if [ -n "$why" ]; then
		printf 'ok - %s is hindered # SKIP %s\n' "$client" "$why"
		continue
	fi
	check "$client fills a cache" fill "$client"
	check "$client works as the other user" works_as_user "$client"
	for kind in filled empty; do
		check "$client as a user who may not write, cache $kind" \
			unchanged "$client.user.$kind" drive_as_user "$client" \
			"$dir/plain/$kind/$client" "$at/$kind/$client"
	done
	check "$client on a read-only mount" \
		unchanged "$client.ro" drive "$client" \
		"$dir/plain.ro/filled/$client" "$dir/mounted/hindered/filled/$client"
	check "$client on a disk that gets full" full "$client"
	check "$client on a full disk leaves nothing in part" \
		of_small_disk nothing_in_part "$client" "$client"
	check "$client works when there is room again" room_again "$client"
done
remarks <"$dir/summary"
site_end "hindered" "none"
