# SPDX-License-Identifier: MIT
# shellcheck shell=bash
#
# Builds of which all is in the cache, by real clients, for scripts/bench: the
# same cache on the mount and on the ext4, and the time from the client's start
# to its end. To be sourced; needs what peers.sh and scripts/bench define.
#
#   go            a program with a web server, and all of the standard library
#                 that it needs (-trimpath, so that none is precompiled)
#   ccache_local, sccache
#                 the sources of the library, preprocessed, one after the other
#   bazel         13 actions by a client that starts for it; it is there when
#                 scripts/test has installed it
#
# What they build is made where nothing is measured, once, and its cache copied.
# shellcheck disable=SC2034,SC2154 # what scripts/bench and peers.sh define
build_clients=(go ccache_local sccache bazel)
export CLIENT_GOFLAGS=-trimpath

# What the client is to build, in the new directory.
build_prepare() {
	local source
	case $1 in
	go)
		mkdir "$2" && printf 'module example.org/web\n\ngo 1.19\n' >"$2/go.mod" &&
			printf '%s\n' 'package main' 'import "net/http"' \
				'func main() { panic(http.ListenAndServe("", nil)) }' \
				>"$2/main.go"
		;;
	ccache_local | sccache)
		mkdir "$2" || return
		for source in core/[!t]*/*.c; do
			cc -E -D_GNU_SOURCE -Icore -Iinclude "$source" \
				-o "$2/$(tr / _ <<<"$source")" || return
		done
		;;
	*) tests/clients/drive.sh prepare "$1" "$2" ;;
	esac && find "$2" -exec touch -d '1 hour ago' {} +
}

# build_once CLIENT CACHE: sets $made and $took.
build_once() {
	local at=$work/builds
	rm -rf "$at/out"
	mkdir "$at/out" || return
	run_bound tests/clients/drive.sh build "$1" "$at/$1" "$2" "$at/out" &
	workers[builds]=$!
	finish builds && made=$(<"$at/out/made") && took=$(<"$at/out/took")
}

# The client, its cache, and a copy of that for each peer.
build_begin() {
	local at=$work/builds peer
	build_prepare "$1" "$at/$1" && build_once "$1" "$at/cache" || return
	for peer in cubby ext4; do
		cp -r "$at/cache" "$(files_of "$peer")/build-$1" &&
			peer_settle "$peer" &&
			build_once "$1" "$(files_of "$peer")/build-$1" || return
	done
	rm -rf "$at/cache"
}

build_rounds() {
	local round peer
	for ((round = 0; round < rounds; round++)); do
		for peer in cubby ext4; do
			build_once "$1" "$(files_of "$peer")/build-$1" || return
			[ "$made" = 0 ] || return
			result build "$1" ms ext4 1.05 "$peer" \
				"$(awk "BEGIN { print $took / 1000 }")"
		done
	done
}

bench_builds() {
	local client why
	{ is_chosen build && [ -z "$quick" ]; } || return 0
	mkdir "$work/builds"
	export BAZEL_INSTALL=$work/builds/install
	for client in "${build_clients[@]}"; do
		why=$(tests/clients/drive.sh cannot "$client")
		if [ -n "$why" ]; then
			note "left out: build by $client: $why"
			continue
		fi
		say "build: $client"
		{ build_begin "$client" && build_rounds "$client"; } ||
			failures+=("build: $client: $(tail -n 3 "$work/builds/out/said" | tr '\n' ' ')")
	done
}
