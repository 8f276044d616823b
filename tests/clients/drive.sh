#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# One build by one client, for the tests of what may happen to it:
#
#   drive.sh prepare CLIENT TOP         what is built, in the new directory TOP
#   drive.sh build CLIENT TOP CACHE OUT a build with an empty state of its own,
#                                       and its cache in CACHE. Leaves what it
#                                       made in OUT/result, what was said in
#                                       OUT/said, in OUT/made how much was not
#                                       in the cache, and in OUT/took how many
#                                       microseconds the client took
#   drive.sh whole CLIENT TOP CACHE     all that is in CACHE under a final name
#                                       is complete; prints what is not
#   drive.sh cannot CLIENT              prints why it cannot be run, or nothing
#
# $CLIENT_GOFLAGS are more flags for Go.
#
# All that a build starts is in its process group or ends with it.
# shellcheck disable=SC2317 # functions are called by name
set -u

what=$1
client=$2
shift 2
here=$(cd "$(dirname "$0")" && pwd -P)
# shellcheck source=tests/clients/lib.sh
. "$here/lib.sh"
sources=8

# timed OUT COMMAND...
timed() {
	local out=$1 begin=${EPOCHREALTIME//[.,]/} status=0
	shift
	"$@" || status=$?
	echo $((${EPOCHREALTIME//[.,]/} - begin)) >"$out/took"
	return "$status"
}

# hashed EXPRESSION FILE...: each has the SHA-256 that the expression makes of
# its name.
hashed() {
	local expression=$1
	shift
	[ $# -eq 0 ] || sha256sum "$@" | sed -E "$expression" |
		awk '$1 != $2 {print; bad = 1} END {exit bad}'
}

# Packages that need nothing of the standard library, and main. The large ones
# take a while to be written. Go puts an index of the packages into its cache,
# too, but of none with a file that changed in the last 2 seconds: if they were
# new, it would depend on the time which build adds them.
go_prepare() {
	local i j
	printf 'module example.org/tool\n\ngo 1.19\n' >"$1/go.mod"
	for ((i = 0; i < sources; i++)); do
		mkdir "$1/p$i"
		{
			echo "package p$i"
			for ((j = 0; j <= i * 20; j++)); do
				echo "func F$j(x int) int { return x*$j + $i }"
			done
			[ "$i" -ge 3 ] || printf 'var S = "%s"\n' \
				"$(head -c 2000000 /dev/urandom | base64 -w 0)"
		} >"$1/p$i/p.go"
	done
	{
		echo "package main"
		for ((i = 0; i < sources; i++)); do
			echo "import \"example.org/tool/p$i\""
		done
		echo "func main() {"
		for ((i = 0; i < sources; i++)); do
			echo "println(p$i.F0($i))"
		done
		echo "}"
	} >"$1/main.go"
	find "$1" -exec touch -d "1 hour ago" {} +
}

go_build() {
	(
		export GOENV=off GO111MODULE=on GOFLAGS="-mod=mod ${CLIENT_GOFLAGS-}" GOPROXY=off \
			GOSUMDB=off GOTOOLCHAIN=local GOPATH=$3/gopath \
			CGO_ENABLED=0 GOCACHE=$2
		unset GOROOT GOOS GOARCH GOEXPERIMENT GODEBUG
		cd "$1" && timed "$3" go build -x -o "$3/result/tool" .
	) >"$3/said" 2>&1 || return
	grep -c '/compile -o' "$3/said" >"$3/made" || true
}

# A record says which output, how long it is, and when it was made.
go_whole() {
	local record bad=0
	shopt -s nullglob
	hashed 's,^([0-9a-f]*) .*/([0-9a-f]*)-d$,\1 \2,' "$2"/??/*-d || bad=1
	for record in "$2"/??/*-a; do
		grep -Eqx 'v1 [0-9a-f]{64} [0-9a-f]{64} [ 0-9]{20} [ 0-9]{20}' \
			"$record" || { echo "$record" && bad=1; }
	done
	return "$bad"
}

sccache_prepare() {
	make_sources "$1" "$sources"
}

sccache_figure() {
	sccache --show-stats --stats-format=json | python3 -c '
import json, sys
value = json.load(sys.stdin)["stats"][sys.argv[1]]
print(sum(value["counts"].values()) if isinstance(value, dict) else value)' "$1"
}

sccache_has_written() {
	[ $(($(sccache_figure cache_writes) + $(sccache_figure cache_write_errors))) \
		-ge "$(sccache_figure cache_misses)" ]
}

sccache_listens() {
	! kill -0 "$server" || : 2>/dev/null </dev/tcp/127.0.0.1/"$SCCACHE_SERVER_PORT"
}

# The server is no daemon: it is in the process group.
sccache_build() {
	local name server
	for name in "${!SCCACHE_@}"; do
		unset "$name"
	done
	: >"$3/sccache.conf"
	SCCACHE_SERVER_PORT=$(python3 -c 'import socket
s = socket.socket()
s.bind(("127.0.0.1", 0))
print(s.getsockname()[1])')
	export SCCACHE_CONF=$3/sccache.conf SCCACHE_DIR=$2 SCCACHE_SERVER_PORT
	SCCACHE_START_SERVER=1 SCCACHE_NO_DAEMON=1 sccache >"$3/server" 2>&1 &
	server=$!
	wait_until 20 sccache_listens 2>/dev/null &&
		timed "$3" compile_all "$1" "$3/result" sccache gcc >"$3/said" 2>&1 &&
		wait_until 20 sccache_has_written &&
		sccache_figure cache_misses >"$3/made"
	status=$?
	sccache --stop-server >/dev/null 2>&1
	kill "$server" 2>/dev/null
	wait "$server" 2>/dev/null
	return "$status"
}

# Zip files, which have a checksum for each of their files.
sccache_whole() {
	find "$2" -type f -regextype egrep -regex '.*/[0-9a-f]{64}' -print0 |
		xargs -0r python3 -c '
import sys, zipfile
bad = 0
for name in sys.argv[1:]:
    try:
        found = zipfile.ZipFile(name).testzip()
    except zipfile.BadZipFile as error:
        found = error
    if found:
        bad = 1
        print(name, found)
sys.exit(bad)'
}

# ccache_run TOP OUT LINE...: with this configuration, which is never
# /dev/null, as ccache replaces it.
ccache_run() {
	local name top=$1 out=$2
	shift 2
	for name in "${!CCACHE_@}"; do
		unset "$name"
	done
	export CCACHE_CONFIGPATH=$out/ccache.conf
	printf '%s\n' "stats_log = $out/stats" "$@" >"$CCACHE_CONFIGPATH"
	: >"$out/stats"
	timed "$out" compile_all "$top" "$out/result" ccache gcc >"$out/said" 2>&1 || return
	grep -c '^cache_miss$' "$out/stats" >"$out/made" || true
}

# Each file that ccache has finished has a checksum at its end.
ccache_inspect() {
	local file bad=0
	while IFS= read -r file; do
		ccache --inspect "$file" >/dev/null ||
			{ echo "$file" && bad=1; }
	done
	return "$bad"
}

ccache_prepare() {
	make_sources "$1" "$sources"
}

ccache_build() {
	ccache_run "$1" "$3" "cache_dir = $3/local" "remote_only = true" \
		"remote_storage = file:$2"
}

ccache_whole() {
	find "$2" -type f -path '*/??/*' ! -name '*.tmp.*' | ccache_inspect
}

ccache_local_prepare() {
	ccache_prepare "$@"
}

ccache_local_build() {
	ccache_run "$1" "$3" "cache_dir = $2"
}

ccache_local_whole() {
	find "$2" -type f -name '*[RM]' ! -name '*.tmp.*' | ccache_inspect
}

git_lfs_environment() {
	local name
	for name in "${!GIT_@}"; do
		unset "$name"
	done
	# Not by GIT_CONFIG_GLOBAL: git-lfs drops it when it looks into the remote.
	export GIT_CONFIG_NOSYSTEM=1 HOME=$1
	unset XDG_CONFIG_HOME
	printf '%s\n' '[user]' 'name = A Tester' 'email = tester@example.org' \
		'[safe]' 'directory = *' '[advice]' 'detachedHead = false' \
		>"$HOME/.gitconfig"
	git lfs install --skip-repo >/dev/null
}

git_lfs_prepare() {
	local i
	git_lfs_environment "$1"
	git init -q -b main "$1/work" && git init -q --bare -b main "$1/remote.git" &&
		mkdir "$1/work/data" && cd "$1/work" || return
	for ((i = 1; i <= 30; i++)); do
		{ seq $((i * 1000)) && head -c $((i * 8000)) /dev/urandom; } >"data/$i.bin"
	done
	git lfs track '*.bin' && git add . && git commit -q -m "Add files" &&
		git push -q "file://$1/remote.git" main
}

git_lfs_objects() {
	find "$1" -type f -path '*/objects/*' | wc -l
}

git_lfs_build() {
	local before
	git_lfs_environment "$3"
	before=$(git_lfs_objects "$2")
	{
		GIT_LFS_SKIP_SMUDGE=1 git clone -q -c "lfs.storage=$2" \
			"file://$1/remote.git" "$3/clone" && cd "$3/clone" &&
			timed "$3" git lfs pull
	} >"$3/said" 2>&1 || return
	echo $(($(git_lfs_objects "$2") - before)) >"$3/made"
	cp data/*.bin "$3/result/"
}

git_lfs_whole() {
	shopt -s nullglob
	hashed 's,^([0-9a-f]*) .*/,\1 ,' "$2"/objects/??/??/*
}

bazel_actions=13

bazel_prepare() {
	: >"$1/WORKSPACE"
	seq 20000 >"$1/in.txt"
	cat >"$1/BUILD" <<-BUILD
		[genrule(
		    name = "text%d" % i,
		    srcs = ["in.txt"],
		    outs = ["text%d.txt" % i],
		    cmd = "for n in 1 2 3 4; do sed s/^/%d:/ $<; done >\$@" % i,
		) for i in range($bazel_actions)]
	BUILD
}

# Without a server: client and server are one process.
bazel_build() {
	mkdir "$3/ws" && cp "$1"/* "$3/ws/" && cd "$3/ws" &&
		timed "$3" "$(bazel_program)" --batch --nosystem_rc --nohome_rc \
			--host_jvm_args=-Xmx256m --host_jvm_args=-XX:TieredStopAtLevel=1 \
			--install_base="${BAZEL_INSTALL:-$3/install}" \
			--output_base="$3/base" build --disk_cache="$2" --color=no \
			--curses=no --jobs=2 --noshow_progress \
			--spawn_strategy=local //... >"$3/said" 2>&1 || return
	cp bazel-bin/*.txt "$3/result/"
	echo $((bazel_actions - $(sed -nE \
		's/^INFO: .*[ :]([0-9]+) (remote|disk) cache hit.*/\1/p' \
		"$3/said" | grep . || echo 0))) >"$3/made"
}

bazel_whole() {
	local names
	mapfile -t names < <(find "$2" -type f -regextype egrep \
		-regex '.*/[0-9a-f]{64}')
	hashed 's,^([0-9a-f]*) .*/,\1 ,' "${names[@]}"
}

wazero_fill() {
	"$BUILD_ROOT/tests/clients/wazero_replay" fill "$1"
}

wazero_prepare() {
	mkdir "$1/reference" && wazero_fill "$1/reference" >/dev/null
}

wazero_build() {
	timed "$3" wazero_fill "$2" >"$3/said" 2>&1 || return
	sed -nE 's/^# ([0-9]+) added/\1/p' "$3/said" >"$3/made"
}

wazero_whole() {
	local file bad=0
	while IFS= read -r file; do
		cmp "$2/$file" "$1/reference/$file" || bad=1
	done < <(cd "$2" && find . -type f -regextype egrep \
		-regex '.*/[0-9a-f]{64}|.*/Zm9v_YmFy-[0-9]*')
	return "$bad"
}

case $what in
prepare)
	mkdir -p "$1" && "${client}_prepare" "$@"
	;;
build)
	mkdir -p "$3/result" "$3/home" "$3/tmp" &&
		export HOME=$3/home TMPDIR=$3/tmp &&
		"${client}_build" "$@"
	;;
whole)
	"${client}_whole" "$@"
	;;
cannot)
	cannot_drive "$client"
	;;
esac
