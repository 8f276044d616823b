#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Clients that are killed in the middle of a build: nothing of it is there in
# part, and the next build is as if nothing had happened.
#
#   killed.sh [CLIENT...]
# shellcheck disable=SC2317 # functions are called through check
# shellcheck source=tests/clients/lib.sh
. "$(dirname "$0")/lib.sh"

need "clients may be killed" fusermount3 setsid
site_begin killed
export BAZEL_INSTALL=$dir/bazel
clients=("$@")
[ $# -gt 0 ] || clients=("${driven[@]}")

files() {
	find "$1" -type f 2>/dev/null | wc -l
}

# clean_build CLIENT: what it makes, and how many files its cache then has.
clean_build() {
	mkdir "$dir/plain.$1" &&
		drive prepare "$1" "$dir/top.$1" &&
		drive build "$1" "$dir/top.$1" "$dir/plain.$1" "$dir/clean.$1" &&
		drive whole "$1" "$dir/top.$1" "$dir/plain.$1" &&
		[ "$(files "$dir/plain.$1")" -ge 8 ]
}

# killed_once CLIENT EIGHTHS: a build with an empty cache, killed with all that
# it started when the cache has so many eighths of its files. Its last file has
# then just been made.
killed_once() {
	local group count end=$((SECONDS + 60))
	count=$(($(files "$dir/plain.$1") * $2 / 8))
	rm -rf "${at:?}/$1.$2" "$dir/out.$1.$2"
	mkdir "$at/$1.$2"
	setsid "$(dirname "$0")/drive.sh" build "$1" "$dir/top.$1" "$at/$1.$2" \
		"$dir/out.$1.$2" &
	group=$!
	while [ "$(files "$at/$1.$2")" -lt "$count" ] && kill -0 "$group" &&
		[ "$SECONDS" -lt "$end" ]; do
		sleep 0.002
	done
	echo "$(files "$at/$1.$2") files"
	kill -9 -- "-$group"
	wait "$group"
	same_number $? 137 "status of the build"
}

# It may be done before it is killed.
killed_at() {
	killed_once "$@" || killed_once "$@" || killed_once "$@"
}

# entries DIRECTORY: the files in it that have the name of an entry.
entries() {
	find "$1" -type f -regextype egrep \
		-regex '.*/[0-9a-f]{32,128}(-[0-9a-z]{1,8})?' | wc -l
}

builds_again() {
	local cache=killed/$1.$2
	drive build "$1" "$dir/top.$1" "$mnt/$cache" "$dir/again.$1.$2" &&
		diff -r "$dir/clean.$1/result" "$dir/again.$1.$2/result" &&
		wait_until 10 settled && got "$cache" && got_is_shown &&
		drive whole "$1" "$dir/top.$1" "$dir/got/$cache" &&
		[ "$(entries "$dir/got/$cache")" -ge "$(entries "$dir/plain.$1")" ] &&
		nothing_damaged
}

for client in "${clients[@]}"; do
	why=$(cannot_drive "$client")
	if [ -n "$why" ]; then
		printf 'ok - %s is killed # SKIP %s\n' "$client" "$why"
		continue
	fi
	check "$client builds on a plain directory" clean_build "$client"
	for eighths in 1 3 6; do
		moment="$client killed after $eighths/8 of its files"
		check "$moment was in the middle of a build" \
			killed_at "$client" "$eighths"
		check "$moment leaves nothing in part" \
			nothing_in_part "$client" "killed/$client.$eighths"
		check "after $moment the next build is as any other" \
			builds_again "$client" "$eighths"
	done
done
site_end "killed" "none"
