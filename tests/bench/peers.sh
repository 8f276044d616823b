# SPDX-License-Identifier: MIT
# shellcheck shell=bash
#
# Who takes part in scripts/bench, and how each is made, mounted, emptied of
# what it caches, and ended. To be sourced after scripts/lib.sh; needs $work,
# a directory of this run:
#
#   $work/PEER.img   an image with a file system, an own one for each peer
#   $work/PEER.disk  where it is mounted: store, upper layer and so on
#   $work/PEER.mnt   where the FUSE file system is mounted that stands on it
#
# Who may not mount has no images: the disks are plain directories, and what
# needs an image is left out and said to be.
#
# Whatever happens to the script, its processes end with it, and as its mounts
# are in a namespace of its own, so do they.
# shellcheck disable=SC2034 # used by who sources this

work=${work:?}
image_size=8G
mount_peers=(cubby ext4 btrfs squashfuse fuse-overlayfs bindfs gocryptfs)
library_peers=(cubby LMDB RocksDB SQLite files)
declare -A packages=(
	[btrfs]=btrfs-progs
	[squashfuse]='squashfuse squashfs-tools'
	[fuse-overlayfs]=fuse-overlayfs
	[bindfs]=bindfs
	[gocryptfs]=gocryptfs
	[RocksDB]=librocksdb-dev
	[SQLite]=libsqlite3-dev
)
declare -A missing=() # why, by the name of a peer
declare -A daemon=()  # the process of a FUSE peer

may_mount() {
	[ -n "${CUBBY_BENCH_APART-}" ]
}

# run_bound COMMAND...: become it, and end when the script does.
run_bound() {
	exec setpriv --pdeathsig TERM -- "$@"
}

is_fuse() {
	case $1 in
	ext4 | btrfs | library) return 1 ;;
	esac
}

# Where the entries of a mount's peer are.
files_of() {
	if is_fuse "$1"; then
		echo "$work/$1.mnt"
	else
		echo "$work/$1.disk/files"
	fi
}

# Install what the peers need; who cannot be installed is missing.
peers_install() {
	local all=() peer
	for peer in "${!packages[@]}"; do
		# shellcheck disable=SC2206 # packages are words
		all+=(${packages[$peer]})
	done
	(need_packages "${all[@]}") 2>/dev/null && return
	for peer in "${!packages[@]}"; do
		# shellcheck disable=SC2086
		(need_packages ${packages[$peer]}) 2>/dev/null ||
			missing[$peer]="cannot install ${packages[$peer]}"
	done
}

# ---------------------------------------------------------------- disks

disk_make() {
	mkdir -p "$work/$1.disk"
	may_mount || return 0
	truncate -s "$image_size" "$work/$1.img"
	if [ "$1" = btrfs ]; then
		mkfs.btrfs -q -f "$work/$1.img" >/dev/null
	else
		mkfs.ext4 -q -F -E lazy_itable_init=0,lazy_journal_init=0 \
			"$work/$1.img"
	fi
}

disk_mount() {
	local options=loop
	may_mount || return 0
	[ "$1" != btrfs ] || options=loop,compress=zstd:1
	wait_until 10 mount -o "$options" "$work/$1.img" "$work/$1.disk" \
		2>>"$work/$1.log"
}

# Something may hold it a moment longer: a daemon that is ending.
disk_unmount() {
	! may_mount || ! mountpoint -q "$work/$1.disk" ||
		wait_until 10 umount -- "$work/$1.disk" ||
		umount -l -- "$work/$1.disk"
}

# -------------------------------------------------------- FUSE file systems

# Become the daemon of a peer.
serve() {
	local disk=$work/$1.disk mnt=$work/$1.mnt
	case $1 in
	cubby) run_bound build/fs/cubbyfs -f "$disk/store" "$mnt" ;;
	squashfuse) run_bound squashfuse_ll -f "$disk/image" "$mnt" ;;
	fuse-overlayfs) run_bound fuse-overlayfs -f \
		-o "lowerdir=$disk/lower,upperdir=$disk/files,workdir=$disk/work" "$mnt" ;;
	bindfs) run_bound bindfs -f "$disk/files" "$mnt" ;;
	gocryptfs) run_bound gocryptfs -fg -q -extpass 'echo bench' "$disk/files" "$mnt" ;;
	esac
}

is_alive() {
	[ -n "${daemon[$1]-}" ] && kill -0 "${daemon[$1]}" 2>/dev/null
}

is_served() {
	mountpoint -q "$work/$1.mnt" || ! is_alive "$1"
}

is_gone() {
	! is_alive "$1"
}

# Mount a FUSE peer; nothing to do for others.
fuse_mount() {
	is_fuse "$1" || return 0
	serve "$1" >>"$work/$1.log" 2>&1 &
	daemon[$1]=$!
	wait_until 20 is_served "$1" && mountpoint -q "$work/$1.mnt"
}

fuse_unmount() {
	local mnt=$work/$1.mnt
	is_fuse "$1" || return 0
	if mountpoint -q "$mnt"; then
		if may_mount; then
			wait_until 10 umount -- "$mnt" 2>/dev/null || umount -l -- "$mnt"
		else
			wait_until 10 fusermount3 -u -- "$mnt" 2>/dev/null ||
				fusermount3 -uz -- "$mnt"
		fi
	fi
	is_alive "$1" || return 0
	wait_until 20 is_gone "$1" || kill -9 "${daemon[$1]}" 2>/dev/null || true
	wait "${daemon[$1]}" 2>/dev/null || true
	unset "daemon[$1]"
}

# ---------------------------------------------------------------- a peer

# Make and mount a peer, without content. A squashfs has to have some, see
# squash(). If it fails, $why says why.
peer_start() {
	local disk=$work/$1.disk
	why='needs root'
	[ "$1" != btrfs ] || may_mount || return
	why='cannot make or mount its image'
	disk_make "$1" 2>>"$work/$1.log" && disk_mount "$1" || return
	mkdir -p "$disk/files" "$disk/lower" "$disk/work" "$work/$1.mnt"
	case $1 in
	squashfuse) return 0 ;;
	gocryptfs) gocryptfs -init -q -scryptn 10 -extpass 'echo bench' \
		"$disk/files" >>"$work/$1.log" 2>&1 ;;
	esac
	fuse_mount "$1" || {
		why="its daemon does not mount: $(tail -n 1 "$work/$1.log")"
		return 1
	}
}

# The read-only peer: the same files as on the ext4.
squash() {
	mksquashfs "$work/ext4.disk/files" "$work/squashfuse.disk/image" -quiet \
		-no-progress -comp zstd -Xcompression-level 1 \
		>"$work/squashfuse.log" 2>&1 && fuse_mount squashfuse
}

# Drop what the mount itself has cached. What is below it, an ext4 or for ext4
# and btrfs the image file, keeps what it has.
peer_drop() {
	if is_fuse "$1"; then
		fuse_unmount "$1"
		fuse_mount "$1"
	else
		disk_unmount "$1"
		disk_mount "$1"
	fi
}

# Drop everything down to the disk, of this peer only.
peer_drop_all() {
	fuse_unmount "$1"
	disk_unmount "$1"
	sync "$work/$1.img"
	dd if="$work/$1.img" iflag=nocache count=0 status=none
	disk_mount "$1"
	fuse_mount "$1"
}

peer_stop() {
	fuse_unmount "$1"
	disk_unmount "$1"
}

ticks_of() {
	is_alive "$1" || return 0
	cut -d ' ' -f 14,15 "/proc/${daemon[$1]}/stat" 2>/dev/null || true
}

# Nothing of what a peer left to be done may be done in the turn of another:
# its disk is written, and its daemon, which may go on compressing, is idle.
peer_settle() {
	local before=none after end=$((SECONDS + 10))
	sync -f "$work/$1.disk"
	after=$(ticks_of "$1")
	until [ "$before" = "$after" ] || [ "$SECONDS" -ge "$end" ]; do
		before=$after
		sleep 0.05
		after=$(ticks_of "$1")
	done
}
