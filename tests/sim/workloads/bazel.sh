# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# shellcheck disable=SC2154 # $dir, $cache and $picked are of record.sh
#
# Bazel with a disk cache: libraries and programs of C, by genrules, as the
# release of Bazel that can be had from npm finds no C rules without a network.
# One developer changes and builds, another machine (a second workspace with
# the same cache) builds after each pull from nothing, and branches are
# switched. $BAZEL is the program (npm: @bazel/bazel-linux_x64).

: "${BAZEL:?}"
libraries=12
files=6 # of a library

text() {
	local i
	printf '#include <stdlib.h>\n#include <string.h>\nint v%s_%s(void) { return %s; }\n' "$1" "$2" "$3"
	for ((i = 0; i < 4 + ($1 * 31 + $2 * 17) % 60; i++)); do
		printf 'char *f%s_%s_%s(const char *s, int n) { char *c = malloc(strlen(s) + %s); for (int k = 0; c && k < n; k++) c[k] ^= s[k %% 3] * %s; return c; }\n' \
			"$1" "$2" "$i" "$((i + 9))" "$((i + 1))"
	done
}

version=0
edit() {
	pick $libraries
	local library=$picked
	pick $files
	version=$((version + 1))
	text "$library" "$picked" "$version" >"$dir/ws/l$library/f$picked.c"
}

mkdir "$dir/ws"
: >"$dir/ws/WORKSPACE"
for ((l = 0; l < libraries; l++)); do
	mkdir "$dir/ws/l$l"
	for ((f = 0; f < files; f++)); do
		text "$l" "$f" 0 >"$dir/ws/l$l/f$f.c"
	done
	cat >"$dir/ws/l$l/BUILD" <<-BUILD
		[genrule(
		    name = "o%d" % i,
		    srcs = ["f%d.c" % i],
		    outs = ["f%d.o" % i],
		    cmd = "gcc -g -O1 -c \$< -o \$@",
		) for i in range($files)]

		genrule(
		    name = "lib",
		    srcs = ["f%d.o" % i for i in range($files)],
		    outs = ["lib$l.a"],
		    cmd = "ar rcsD \$@ \$(SRCS)",
		    visibility = ["//visibility:public"],
		)
	BUILD
done
cat >"$dir/ws/BUILD" <<BUILD
[genrule(
    name = "program%d" % p,
    srcs = ["//l%d:lib" % ((p * 2 + i) % $libraries) for i in range(6)],
    outs = ["program%d.bin" % p],
    cmd = "cat \$(SRCS) >\$@",
) for p in range(4)]
BUILD

# run WORKSPACE COMMAND...
run() {
	cd "$1" || return
	shift
	"$BAZEL" --nosystem_rc --nohome_rc --host_jvm_args=-Xmx256m \
		--output_user_root="$dir/root" "$@"
}
build() {
	run "$1" build --disk_cache="$cache" --color=no --curses=no --jobs=2 \
		--noshow_progress --spawn_strategy=local //...
}
pull() {
	run "$dir/ci" clean && git -C "$dir/ci" pull -q && build "$dir/ci"
}
export -f run build pull
export dir cache BAZEL

cd "$dir/ws" || exit 1
git init -q . && git add . && git commit -q -m begin
git branch feature
git clone -q "$dir/ws" "$dir/ci"
at_end run "$dir/ws" shutdown
at_end run "$dir/ci" shutdown
# The servers, which do the work, are traced.
traced server1 run "$dir/ws" info >/dev/null 2>&1 &
traced server2 run "$dir/ci" info >/dev/null 2>&1 &
sleep 20

step 0 build "$dir/ws"
for ((n = 1; n <= 16; n++)); do
	for _ in 1 2 3; do
		edit
		step $((200 + RANDOM % 900)) build "$dir/ws"
	done
	git commit -q -a -m "work $n"
	step 1200 pull
	[ $((n % 4)) != 0 ] || {
		git checkout -q feature
		edit
		step 1800 build "$dir/ws"
		git commit -q -a -m "feature $n"
		git checkout -q main
		step 900 build "$dir/ws"
	}
	[ $((n % 5)) != 0 ] || step 36000 pull
done
run "$dir/ws" shutdown >/dev/null 2>&1
run "$dir/ci" shutdown >/dev/null 2>&1
wait
