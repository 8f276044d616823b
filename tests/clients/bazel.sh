#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Bazel with its disk cache on the mount: build, clean, build. scripts/test
# installs Bazel from npm: 2.1, whose disk cache is one flat directory, with
# names that begin with "ac_" for actions. Those are plain files; the outputs
# are entries.
# shellcheck disable=SC2317 # functions are called through check
# shellcheck source=tests/clients/lib.sh
. "$(dirname "$0")/lib.sh"

what="bazel builds with its disk cache on the mount"
bazel=$(bazel_program)
[ -n "$bazel" ] || skip "$what" "bazel is missing: scripts/test installs it if there is npm"
need "$what" "$bazel" gcc
site_begin bazel

actions=8

# workspace NUMBER: each has the same content, and a server of its own.
workspace() {
	local i
	mkdir "$dir/ws$1"
	cd "$dir/ws$1" || return
	: >WORKSPACE
	seq 3000 >in.txt
	cat >BUILD <<-'BUILD'
		[genrule(
		    name = "text%d" % i,
		    srcs = ["in.txt"],
		    outs = ["text%d.txt" % i],
		    cmd = "for n in 1 2 3 4; do sed s/^/%d:/ $<; done >$@" % i,
		) for i in range(7)]

		genrule(
		    name = "all",
		    srcs = ["text%d.txt" % i for i in range(7)],
		    outs = ["all.txt"],
		    cmd = "cat $(SRCS) | sort >$@",
		)
	BUILD
}

# run NUMBER COMMAND...: bazel in that workspace, with nobody's settings.
run() {
	local number=$1
	shift
	cd "$dir/ws$number" &&
		"$bazel" --nosystem_rc --nohome_rc --max_idle_secs=120 \
			--host_jvm_args=-Xmx256m \
			--output_user_root="$dir/root" "$@" 2>&1
}

# build NUMBER CACHE: leaves what bazel said in $dir/said.NUMBER.
build() {
	run "$1" build --disk_cache="$2" --color=no --curses=no --jobs=4 \
		--noshow_progress --spawn_strategy=local //... >"$dir/said.$1" || {
		cat "$dir/said.$1"
		return 1
	}
}

# processes NUMBER: what bazel says of how its actions were done.
processes() {
	sed -nE 's/^INFO: ([0-9]+ process.*)\.$/\1/p' "$dir/said.$1"
}

hits() {
	processes "$1" | sed -nE 's/.*[ :]([0-9]+) (remote|disk) cache hit.*/\1/p'
}

# outputs NUMBER NAME: set them aside.
outputs() {
	mkdir "$dir/$2" && cp "$dir/ws$1"/bazel-bin/*.txt "$dir/$2/" && chmod +w "$dir/$2"/*
}

clean() {
	run "$1" clean
}

builds_plainly() {
	build 1 "$dir/plain" && outputs 1 direct && clean 1
}

fills() {
	build 1 "$at/cache" && outputs 1 one && processes 1 &&
		same_number "$(hits 1)" "" "hits" && diff -r "$dir/direct" "$dir/one"
}

all_hits() {
	clean "$1" && build "$1" "$2" && outputs "$1" "$3" && processes "$1" &&
		same_number "$(hits "$1")" "$actions" "hits" &&
		diff -r "$dir/direct" "$dir/$3"
}

one_of_four() {
	build "$1" "$at/four" && outputs "$1" "four$1" &&
		diff -r "$dir/direct" "$dir/four$1"
}

one_of_four_again() {
	all_hits "$1" "$at/four" "again$1"
}

for n in 1 2 3 4; do
	workspace "$n"
	at_end "run $n shutdown"
done
version=$(run 1 version | sed -nE 's/^Build label: //p')
check "bazel builds with its disk cache on a plain directory" builds_plainly
check "bazel fills a disk cache on the mount" fills
check "after a clean, all actions are hits" all_hits 1 "$at/cache" two
second=$(hits 1)
check "bazel cleans up" clean 1
check "four at once fill one disk cache" four one_of_four
check "four at once have hits only" four one_of_four_again
cd "$dir" || exit 1
site_end "Bazel $version" "$second of $actions"
