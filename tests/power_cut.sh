#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Power cuts on ext4 and, in the deep form (DEEP=1 in the environment), on xfs:
# see power_cut.c. The file system is in memory, so that a sync costs no disk,
# and the quick form has 60 seconds, the deep one an hour for each.
#
#   power_cut.sh [EXT4_ROUNDS [XFS_ROUNDS]]   as many, whatever it takes
set -euo pipefail

seconds=60
default_ext4=300
default_xfs=0
if [ "${DEEP:-}" = 1 ]; then
	seconds=3600 # of each file system
	default_ext4=5000
	default_xfs=1000
fi
ext4_rounds=${1:-$default_ext4}
xfs_rounds=${2:-$default_xfs}
[ $# -eq 0 ] || seconds=100000
# In a mount namespace of its own, or others who make one at the same time keep
# the disk mounted; and what others have mounted is not kept so here.
if [ "$(id -u)" -eq 0 ] && [ -z "${POWER_CUT_APART:-}" ] &&
	unshare --mount --propagation private true 2>/dev/null; then
	export POWER_CUT_APART=yes
	# shellcheck disable=SC2016 # it is the inner shell's
	exec unshare --mount --propagation private \
		sh -c 'umount -alt fuse.cubby; exec "$0" "$@"' "$0" "$@"
fi
program=${POWER_CUT:?}
work=$(mktemp -d "${TMPDIR:-/tmp}/power-cut.XXXXXX")
memory=$(mktemp -d /dev/shm/power-cut.XXXXXX 2>/dev/null) || memory=$work
disk=$work/disk
device=

clean_up() {
	# The program of a failed round may have left these.
	umount -l "$work/mount" 2>/dev/null || true
	umount "$disk" 2>/dev/null || umount -l "$disk" 2>/dev/null || true
	[ -z "$device" ] || losetup -d "$device" || true
	rm -rf --one-file-system -- "$work" "$memory"
}
trap clean_up EXIT
trap 'exit 130' INT TERM

skip() {
	echo "ok - power cuts on $1 # SKIP $2"
}

# cuts TYPE ROUNDS MKFS...
cuts() {
	local type=$1 rounds=$2 seed=$RANDOM
	shift 2
	if ! command -v "$1" >/dev/null; then
		skip "$type" "there is no $1"
		return
	fi
	rm -f "$memory/image"
	truncate -s 320M "$memory/image"
	"$@" "$memory/image" >/dev/null
	if ! device=$(losetup --find --show "$memory/image" 2>/dev/null); then
		device=
		skip "$type" "there is no loop device"
		return
	fi
	echo "# $type, seed $seed"
	POWER_CUT_MOUNT=$work/mount "$program" "$device" "$disk" "$type" \
		"$rounds" "$seed" "$seconds"
	losetup -d "$device"
	device=
}

if [ "$(id -u)" -ne 0 ]; then
	skip ext4 "needs root, to mount a file system"
	exit 0
fi
mkdir "$disk" "$work/mount"
cuts ext4 "$ext4_rounds" mkfs.ext4 -q -F
[ "$xfs_rounds" -eq 0 ] || cuts xfs "$xfs_rounds" mkfs.xfs -q -f
