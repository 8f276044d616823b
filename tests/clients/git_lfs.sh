#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Git LFS with its storage on the mount: lfs.storage. Files go there when they
# are added, and come from there when they are checked out, also in a clone
# whose remote has lost them.
# shellcheck disable=SC2317 # functions are called through check
# shellcheck source=tests/clients/lib.sh
. "$(dirname "$0")/lib.sh"

need "git lfs works with its storage on the mount" git git-lfs
site_begin lfs

for name in "${!GIT_@}"; do
	unset "$name"
done
export GIT_CONFIG_NOSYSTEM=1 GIT_CONFIG_GLOBAL=$dir/gitconfig
cat >"$GIT_CONFIG_GLOBAL" <<-GIT
	[user]
		name = A Tester
		email = tester@example.org
	[init]
		defaultBranch = main
	[advice]
		detachedHead = false
GIT
files=9

# Text that compresses, noise that does not, small and large.
make_files() {
	local i
	mkdir -p "$1/data"
	for ((i = 1; i <= files; i++)); do
		case $((i % 3)) in
		0) seq $((i * 10000)) ;;
		1) seq "$i" ;;
		2) head -c $((i * 50000)) /dev/urandom ;;
		esac >"$1/data/$i.bin"
	done
}

commit() {
	git init -q "$dir/work" && cd "$dir/work" &&
		git config lfs.storage "$at/added" &&
		git lfs track '*.bin' && make_files "$dir/work" &&
		cp -r data "$dir/direct" &&
		git add . && git commit -q -m "Add files" &&
		same_number "$(git lfs ls-files | wc -l)" "$files" "files of git lfs"
}

# Every object is on the mount, under the name that its content has.
objects_are_there() {
	local file name n=0
	for file in "$1"/objects/??/??/*; do
		[ -e "$file" ] || continue
		name=${file##*/}
		same_number "$(sha256sum <"$file")" "$name  -" "SHA-256" || return
		n=$((n + 1))
	done
	same_number "$n" "$files" "objects"
}

push() {
	git init -q --bare "$dir/remote.git" &&
		cd "$dir/work" &&
		git remote add origin "file://$dir/remote.git" &&
		git push -q origin main &&
		same_number "$(find "$dir/remote.git/lfs/objects" -type f | wc -l)" \
			"$files" "objects of the remote"
}

# clone NAME STORAGE: and see that the files are those that were added. In a
# clone with lfs.storage, wherever that is, the filter of git lfs 3.3 looks for
# the files of a remote on the same machine in that storage; git lfs pull looks
# in the right place.
clone() {
	rm -rf "${dir:?}/$1"
	GIT_LFS_SKIP_SMUDGE=1 git clone -q -c "lfs.storage=$2" \
		"file://$dir/remote.git" "$dir/$1" &&
		(cd "$dir/$1" && git lfs pull) &&
		diff -r "$dir/direct" "$dir/$1/data"
}

clone_with_own_storage() {
	clone "own$1" "$at/own$1" && objects_are_there "$at/own$1"
}

clone_with_one_storage() {
	clone "one$1" "$at/four"
}

clone_of_what_was_added() {
	clone "again$1" "$at/added"
}

fsck() {
	cd "$dir/$1" && git lfs fsck && git fsck && git status --porcelain >"$dir/status" &&
		same_number "$(wc -l <"$dir/status")" 0 "files that differ"
}

# The remote no longer has what the clones need.
lose_remote() {
	mv "$dir/remote.git/lfs" "$dir/lost"
}

# Of the files of a clone, those that git lfs has in its storage.
hits() {
	cd "$dir/clone" && git lfs ls-files | grep -c ' \* '
}

check "git lfs installs its filters" git lfs install --skip-repo
check "git lfs adds files to a storage on the mount" commit
check "every object has the name of its content" objects_are_there "$at/added"
check "git lfs pushes from the mount to a remote" push
check "a clone fills a new storage from the remote" clone first "$at/filled"
check "what it fills is what its names say" objects_are_there "$at/filled"
check "four at once fill a storage each" four clone_with_own_storage
check "four at once fill one storage" four clone_with_one_storage
check "what four filled is what its names say" objects_are_there "$at/four"
lose_remote
check "a clone whose remote has lost the files finds them all" clone clone "$at/added"
check "git lfs has all files of the clone in its storage" \
	same_number "$(hits)" "$files" "files"
check "four at once find all files" four clone_of_what_was_added
check "git lfs fsck finds no fault where files were added" fsck work
check "git lfs fsck finds no fault in a clone" fsck clone
cd "$dir" || exit 1
site_end "$(git lfs version | sed -E 's,^git-lfs/([^ ]+).*,Git LFS \1,')" \
	"$(hits) of $files"
