#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Power cuts: an ext4 file system on a loop device is ended by its shutdown
# ioctl in the middle of adds, mounted again, and looked at. The machine is not
# restarted, so a cut is told from the end of a process by the mount alone.
#
#   power_cut.sh [ROUNDS]
set -euo pipefail

rounds=${1:-12}
program=${POWER_CUT:?}
work=$(mktemp -d "${TMPDIR:-/tmp}/power-cut.XXXXXX")
disk=$work/disk
writers=()

# A process that was killed may be on the disk for an instant more.
unmount() {
	for ((i = 0; i < 100; i++)); do
		! umount "$disk" 2>"$work/umount" || return 0
		sleep 0.05
	done
	echo "not ok - the disk can be unmounted: $(cat "$work/umount")"
	exit 1
}

clean_up() {
	local pid
	for pid in "${writers[@]}"; do
		kill -KILL "$pid" 2>/dev/null || true
		wait "$pid" 2>/dev/null || true
	done
	umount "$disk" 2>/dev/null || umount -l "$disk" 2>/dev/null || true
	rm -rf --one-file-system -- "$work"
}
trap clean_up EXIT
trap 'exit 130' INT TERM

skip() {
	echo "ok - power cuts # SKIP $*"
	exit 0
}

[ "$(id -u)" -eq 0 ] || skip "needs root, to mount a file system"
mkdir "$disk"
truncate -s 1G "$work/image"
mkfs.ext4 -q -F "$work/image" >/dev/null 2>&1 || skip "there is no mkfs.ext4"
mount -o loop "$work/image" "$disk" 2>/dev/null || skip "there is no loop device"

steady() {
	[ "$(cat "$work"/out.* | grep -c steady)" -ge ${#writers[@]} ]
}

# round NUMBER WRITERS: with the first writer killed some time before the cut.
round() {
	local seed=$1 count=$2 writer pid status=0
	writers=()
	rm -f "$work"/out.*
	for ((writer = 0; writer < count; writer++)); do
		"$program" write "$disk/store" $((seed * 10 + writer)) \
			>"$work/out.$writer" 2>&1 &
		writers+=($!)
	done
	for ((i = 0; i < 1000; i++)); do
		! steady || break
		sleep 0.02
	done
	steady || {
		echo "not ok - the writers of round $seed began: $(cat "$work"/out.*)"
		exit 1
	}
	disown -a # bash is not to tell of those that are killed
	sleep 0.$((RANDOM % 10))
	if [ "$count" -gt 1 ]; then
		kill -KILL "${writers[0]}"
		sleep 0.$((RANDOM % 5))
	fi
	# Something else on the same disk is synced now and then.
	[ $((seed % 2)) -eq 0 ] || dd if=/dev/zero of="$disk/other" bs=64k \
		count=4 conv=fsync status=none
	"$program" cut "$disk"
	for pid in "${writers[@]}"; do
		kill -KILL "$pid" 2>/dev/null || true
		wait "$pid" 2>/dev/null || true
	done
	unmount
	mount -o loop "$work/image" "$disk"
	for ((writer = 0; writer < count; writer++)); do
		"$program" verify "$disk/store" $((seed * 10 + writer)) \
			>"$work/said" 2>&1 || status=$?
		if [ "$status" -ne 0 ]; then
			echo "not ok - round $seed, $count writers: status $status, $(tail -n 1 "$work/said")"
			exit 1
		fi
	done
	rm -rf "$disk/store"
}

for ((n = 1; n <= rounds; n++)); do
	round "$n" $((1 + n % 3))
done
echo "ok - $rounds power cuts: nothing wrong, what was safe is there, adding works"
