#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Users who are not root mount stores of their own. In a mount namespace of its
# own, where /dev/fuse is open to all, as it is on most systems, and
# /etc/fuse.conf is known. What others have mounted is not kept so there.
# shellcheck disable=SC2317 # functions are called by expect and by the trap
set -uo pipefail

skip() {
	echo "ok - users mount stores of their own # SKIP $*"
	exit 0
}

if [ "${1-}" != inside ]; then
	[ "$(id -u)" -eq 0 ] || skip "needs root, to become other users"
	[ -c /dev/fuse ] || skip "there is no /dev/fuse"
	[ -u "$(command -v fusermount3)" ] || skip "fusermount3 is not set-user-id"
	unshare --mount --propagation private true 2>/dev/null ||
		skip "there are no mount namespaces"
	# shellcheck disable=SC2016 # it is the inner shell's
	exec unshare --mount --propagation private \
		sh -c 'umount -alt fuse.cubby; exec "$0" inside' "$0"
fi

# Users that are in every /etc/passwd, as fusermount3 looks for the name.
one=nobody
two=games
work=$(mktemp -d "${TMPDIR:-/tmp}/mount-by-user.XXXXXX")
failed=0

clean_up() {
	local at
	for at in "$work"/*/mnt*; do
		umount -l "$at" 2>/dev/null
	done
	umount /dev/fuse /etc/fuse.conf "$work/dev" 2>/dev/null
	rm -rf --one-file-system -- "$work"
}
trap clean_up EXIT
trap 'exit 130' INT TERM

# expect NAME COMMAND...
expect() {
	local name=$1
	shift
	if "$@" >"$work/out" 2>&1; then
		echo "ok - $name"
	else
		echo "not ok - $name"
		sed 's/^/# /' "$work/out"
		failed=1
	fi
}

# as USER COMMAND...: without any privilege, in the user's directory.
# $also is a supplementary group.
also=
as() {
	local user=$1 groups=--clear-groups
	shift
	[ -z "$also" ] || groups=--groups=$also
	(cd "$work/$user" && exec setpriv --reuid="$user" \
		--regid="$(id -g "$user")" "$groups" \
		env HOME="$work/$user" TMPDIR="$work/$user" "$@")
}

refused() {
	! "$@"
}

wait_until() {
	local end=$((SECONDS + 10))
	until "$@"; do
		[ "$SECONDS" -lt "$end" ] || return 1
		sleep 0.05
	done
}

mkdir "$work/dev" "$work/bin" || exit 1
chmod 755 "$work"
mount -t tmpfs none "$work/dev" && mknod "$work/dev/fuse" c 10 229 &&
	chmod 666 "$work/dev/fuse" && touch "$work/dev/fuse.conf" &&
	mount --bind "$work/dev/fuse" /dev/fuse || exit 1
[ -e /etc/fuse.conf ] || touch /etc/fuse.conf
mount --bind "$work/dev/fuse.conf" /etc/fuse.conf || exit 1
cp "${CUBBYFS:?}" "${CUBBY:?}" "${BUILD_ROOT:?}/tests/clients/wazero_replay" \
	"$work/bin/" || exit 1
cubbyfs=$work/bin/cubbyfs
cubby=$work/bin/cubby
for user in "$one" "$two"; do
	mkdir -p "$work/$user/mnt" "$work/$user/mnt2" &&
		chown -R "$user":"$(id -g "$user")" "$work/$user" || exit 1
done

# mounts USER [OPTION...]: the user's store on the user's mnt.
mounts() {
	local user=$1
	shift
	as "$user" "$cubbyfs" "$work/$user/store" "$work/$user/mnt" "$@" &&
		is_mounted "$user"
}

is_mounted() {
	findmnt -n -t fuse.cubby "$work/$1/mnt"
}

# The processes of his that run our copy of the program.
daemons() {
	local exe
	for exe in /proc/[0-9]*/exe; do
		[ "$(readlink "$exe")" != "$cubbyfs" ] ||
			[ "$(stat -c %U "${exe%/exe}")" != "$1" ] ||
			basename "${exe%/exe}"
	done
}

no_daemon() {
	[ -z "$(daemons "$1")" ]
}

unmounts() {
	as "$1" fusermount3 -u "$work/$1/mnt" && ! is_mounted "$1" &&
		wait_until no_daemon "$1"
}

replays() {
	as "$1" env CLIENT_MOUNT="$work/$1/mnt" "$work/bin/wazero_replay"
}

key=$(printf 1 | sha256sum | cut -c 1-64)
moved=${key/%?????/fffff}
third=${key/%?????/eeeee}

# As a user does it: all of it in a directory $1 of his mount.
# shellcheck disable=SC2016 # for another shell
ordinary='set -e
mkdir "$1" && cd "$1"
mkdir a && printf plain >a/file && mv a/file b && rmdir a
printf more >>b && [ "$(cat b)" = plainmore ]
seq 100000 >temp && cp temp "$2" && mv temp "$3" && cmp "$2" "$3"
[ "$(ls | wc -l)" = 3 ] && [ "$(stat -c %u b "$3" | sort -u)" = "$(id -u)" ]
chmod 600 b && truncate -s 5 b && touch b && [ "$(cat b)" = plain ]
rm "$2" b && [ "$(ls)" = "$3" ]'

works() {
	as "$1" bash -c "$ordinary" ordinary "$work/$1/mnt/ordinary" \
		"$key" "$moved"
}

# What is in the store, for the user alone.
has_entry() {
	as "$1" "$cubby" get "$work/$1/store" "ordinary/$moved" |
		cmp - <(seq 100000) && as "$1" "$cubby" stats "$work/$1/store" &&
		[ -z "$(find "$work/$1/store" ! -user "$1")" ] &&
		[ -z "$(find "$work/$1/store/quarantine" -type f)" ]
}

expect "a user mounts a store of his own" mounts "$one"
expect "ordinary operations work for him" works "$one"
expect "clients replayed work for him" replays "$one"
expect "another user does not get in" refused as "$two" ls "$work/$one/mnt"
expect "not even root gets in" refused ls "$work/$one/mnt"
expect "a second user mounts a store beside him" mounts "$two"
expect "ordinary operations work for the second one" works "$two"
expect "another user cannot unmount" \
	refused as "$two" fusermount3 -u "$work/$one/mnt"
expect "another user's store is not his to mount" \
	refused as "$two" "$cubbyfs" "$work/$one/store" "$work/$two/mnt2"
expect "he cannot mount on what is not his" \
	refused as "$two" "$cubbyfs" "$work/$two/store" "$work/$one/mnt2"
expect "clients replayed work for both at once" replays "$two"
expect "he unmounts, and the daemon ends" unmounts "$one"
expect "the second one unmounts" unmounts "$two"
expect "the store has what he added, all of it his" has_entry "$one"
expect "and so has that of the second one" has_entry "$two"

allow_other_is_refused() {
	refused mounts "$one" -o allow_other >"$work/said" 2>&1 &&
		cat "$work/said" && grep -q user_allow_other "$work/said" &&
		! is_mounted "$one"
}

# The second one reads what the first has, and adds only as a writer.
reads() {
	seq 100000 | as "$two" cmp - "$work/$one/mnt/ordinary/$moved"
}

# shellcheck disable=SC2016 # for another shell
adds() {
	as "$two" bash -c 'printf new >"$1/t.tmp" && mv "$1/t.tmp" "$1/$2"' add \
		"$work/$one/mnt/ordinary" "$third"
}

adds_as_writer() {
	also=100 adds && as "$one" grep -qx new \
		"$work/$one/mnt/ordinary/$third"
}

expect "without user_allow_other, allow_other is refused in clear words" \
	allow_other_is_refused
echo user_allow_other >"$work/dev/fuse.conf"
expect "with it, he mounts for others" mounts "$one" -o allow_other,writers=100
expect "others read" reads
expect "others do not add" refused adds
expect "a member of the group of writers adds" adds_as_writer

killed_and_mounted_again() {
	daemons "$one" | xargs kill -9
	wait_until no_daemon "$one"
	refused as "$one" ls "$work/$one/mnt" && mounts "$one" &&
		seq 100000 | as "$one" cmp - "$work/$one/mnt/ordinary/$moved"
}

expect "what a killed daemon left he can mount again" killed_and_mounted_again
expect "he unmounts at the end" unmounts "$one"
exit $failed
