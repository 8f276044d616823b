#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# A disk that gets full: adding evicts; where there is nothing to evict it says
# so and leaves nothing half done, and deleting makes room again.
# shellcheck disable=SC2317 # called by expect and by the trap
set -euo pipefail

work=$(mktemp -d "${TMPDIR:-/tmp}/full-disk.XXXXXX")
disk=$work/disk
mnt=$work/mnt
tell=$work/said
failed=0

clean_up() {
	! mountpoint -q "$mnt" || umount "$mnt" || umount -l "$mnt"
	for ((i = 0; i < 100; i++)); do
		mountpoint -q "$disk" || break
		umount "$disk" 2>/dev/null || sleep 0.1
	done
	rm -rf --one-file-system -- "$work"
}
trap clean_up EXIT
trap 'exit 130' INT TERM

skip() {
	echo "ok - a full disk # SKIP $*"
	exit 0
}

# expect NAME COMMAND...
expect() {
	local name=$1
	shift
	if "$@"; then
		echo "ok - $name"
	else
		echo "not ok - $name"
		failed=1
	fi
}

mkdir "$disk" "$mnt"
[ "$(id -u)" -eq 0 ] || skip "needs root, to mount a file system"
[ -c /dev/fuse ] || skip "there is no /dev/fuse"
truncate -s 24M "$work/image"
mkfs.ext4 -q -F "$work/image" >/dev/null 2>&1 || skip "there is no mkfs.ext4"
mount -o loop "$work/image" "$disk" 2>/dev/null || skip "there is no loop device"
"${CUBBYFS:?}" "$disk/store" "$mnt"

# Noise, which is stored as it is, under its hash.
add() {
	local key status=0
	head -c "$1" /dev/urandom >"$work/noise"
	key=$(sha256sum "$work/noise" | cut -c 1-64)
	{ cp "$work/noise" "$mnt/t.tmp" && mv "$mnt/t.tmp" "$mnt/$key"; } \
		2>>"$tell" || status=1
	rm -f "$mnt/t.tmp" 2>>"$tell" || echo "rm: failed" >>"$tell"
	return $status
}

no_space_is_all_that_is_said() {
	grep -q 'No space left on device' "$tell" &&
		! grep -v 'No space left on device' "$tell"
}

# What is compressed later may evict meanwhile.
all_right() {
	local file hash
	for file in "$mnt"/*; do
		hash=$(sha256sum "$file" | cut -c 1-64) || true
		[ "$hash" = "${file##*/}" ] || [ ! -e "$file" ] || return 1
	done
}

count() {
	find "$mnt" -type f | wc -l
}

added=0
: >"$tell"
for ((i = 0; i < 50; i++)); do
	! add 700000 || added=$((added + 1))
done
said_nothing() {
	[ ! -s "$tell" ]
}
expect 'on a full disk every add makes room for itself' [ "$added" -eq 50 ]
expect 'nobody is told' said_nothing
left=$(count)
expect 'more than half of the disk is entries' [ "$left" -gt 17 ]
expect 'what is there is right' all_right

# What is no entry is not evicted, and in the end there is nothing left to be.
! head -c 30000000 /dev/urandom >"$mnt/plain" 2>>"$tell" || left=0
sleep 1
expect 'a file that is larger than the disk fails' [ "$left" -gt 0 ]
: >"$tell"
for ((i = 0; i < 3; i++)); do
	! add 700000 || added=0
done
expect 'a disk full of other files refuses adds, with "no space" and nothing else' \
	no_space_is_all_that_is_said
expect 'on the full disk files can be deleted' rm "$mnt/plain"
sleep 1 # what was deleted is kept until the mount has been told
expect 'then there is room again' add 300000
expect 'and all of it is right' all_right
expect 'everything can be deleted' rm -r "$mnt"/*
umount "$mnt"
# The daemon has ended when nothing is kept any more.
for ((i = 0; i < 100; i++)); do
	! "${CUBBY:?}" stats --json "$disk/store" | grep -q '"displaced":0' || break
	sleep 0.1
done
expect 'no draft is left' \
	[ "$(find "$disk/store/drafts" -type f | wc -l)" -eq 0 ]

# A power cut may leave holes in the index, and no lock file.
fill() {
	local size
	for size in 65536 4096 1024; do
		! dd if=/dev/zero bs=$size 2>/dev/null >>"$disk/filler" || return 1
		sync
	done
}
"${CUBBYFS:?}" "$disk/holes" "$mnt" -f &
daemon=$!
for ((i = 0; i < 200; i++)); do
	! mountpoint -q "$mnt" || break
	sleep 0.1
done
for ((i = 0; i < 10; i++)); do
	! add 3000 || added=$((added + 1))
done
expect 'there is room for another store' [ "$added" -ge 10 ]
index=$disk/holes/index
size=$(stat -c %s "$index/data.mdb")
# LMDB gets a part of what it writes at once on the disk then, and says EIO.
for ((i = 1; i < 256; i += 2)); do
	fallocate --punch-hole --offset $((size - i * 4096)) --length 4096 \
		"$index/data.mdb"
done
fill
: >"$tell"
for ((i = 0; i < 60; i++)); do
	! add 3000 || added=$((added + 1))
done
expect 'an index with holes on a full disk is "no space" and nothing else' \
	no_space_is_all_that_is_said
rm "$disk/filler"
expect 'and with room it is as it was' add 3000
umount "$mnt"
wait "$daemon"
rm "$index/lock.mdb"
fill
status=0
"${CUBBY:?}" list "$disk/holes" >"$tell" 2>&1 || status=$?
no_room_for_it() {
	[ "$status" -eq 2 ] && grep -q 'no space' "$tell"
}
expect 'no room for the lock file is "no space"' no_room_for_it
rm "$disk/filler"
expect 'and with room all is there' "${CUBBY:?}" list "$disk/holes"

# Without a single free block, by processes that have not written before.
all_gone() {
	local key
	for key in $("$CUBBY" list "$disk/holes" | awk '{ print $NF }'); do
		"$CUBBY" delete "$disk/holes" "$key" || return 1
	done
	[ -z "$("$CUBBY" list "$disk/holes")" ]
}
fill
expect 'a disk that is full to the last block can be emptied' all_gone
exit $failed
