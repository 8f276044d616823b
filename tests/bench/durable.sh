#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# What durable adds, checkpoints and going back after a power cut cost; the
# figures of README.md, "Power cuts". Needs root and a built tree.
#
#   tests/bench/durable.sh [ENTRIES]
set -euo pipefail

entries=${1:-1000000}
program=$(dirname "$0")/../../build/tests/bench/bench_durable
work=$(mktemp -d "${TMPDIR:-/var/tmp}/cubby-durable.XXXXXX")
disk=$work/disk

clean_up() {
	umount "$disk" 2>/dev/null || umount -l "$disk" 2>/dev/null || true
	rm -rf --one-file-system -- "$work"
}
trap clean_up EXIT
trap 'exit 130' INT TERM

for size in 4096 65536; do
	mkdir "$work/$size"
	"$program" adds "$work/$size" "$size" 200
	"$program" threads "$work/$size/store" "$size" 160 8
done

for processes in 1 4; do
	"$program" fill "$work/$processes" 100000 "$processes"
done

# An ext4 of its own, in a file on the same disk, to cut off.
truncate -s 6G "$work/image"
mkfs.ext4 -q -F "$work/image"
mkdir "$disk"
mount -o loop "$work/image" "$disk"
"$program" fill "$disk/store" "$entries"
"$program" checkpoints "$disk/store" "$entries"
for _ in 1 2 3; do
	"$program" load "$disk/store" "$entries" &
	sleep 3
	"$program" cut "$disk"
	kill -KILL $! 2>/dev/null || true
	wait $! 2>/dev/null || true
	until umount "$disk"; do sleep 0.1; done
	mount -o loop "$work/image" "$disk"
	echo "after a cut:"
	"$program" open "$disk/store"
	echo "once more:"
	"$program" open "$disk/store"
done
