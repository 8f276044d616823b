#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Record what a real client does to its cache directory, as a trace for
# cubby_sim.
#
#   tests/sim/record.sh CLIENT [OUT.zst]     CLIENT is a file of workloads/
#
# The client works on a plain directory, from which nothing is evicted, under
# strace. A workload is a sequence of steps, such as an edit and the build after
# it. They run one right after the other, but in the trace each begins as long
# after the one before as it would for people: hours of work are recorded in
# minutes. convert.py makes the trace, with the sizes that the library stores.
#
# Wants strace, zstd, python3, git, the client, and a build of cubby in build/
# (or its tool in $CUBBY).
#
# For the workloads:
#   $dir            a new directory, $HOME is below it
#   $cache          the cache directory
#   step GAP CMD... GAP seconds later, the client does this; CMD may be a
#                   function that is exported
#   traced NAME CMD... the same for what runs in the background
#   pick N          $picked is a number below N, the same in every run
#   at_end CMD...   something to do before all is deleted
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd -P)
top=$(cd "$here/../.." && pwd -P)
: "${CUBBY:=$top/build/core/tool/cubby}"
client=${1:?CLIENT}
out=$(realpath -m "${2:-$here/traces/$client.zst}")

[ -e "$here/workloads/$client.sh" ] || {
	printf 'record.sh: no workload %s\n' "$client" >&2
	exit 2
}
for program in strace zstd python3 git "$CUBBY"; do
	command -v "$program" >/dev/null || {
		printf 'record.sh: %s is missing\n' "$program" >&2
		exit 2
	}
done

dir=$(mktemp -d "${TMPDIR:-/tmp}/cubby-sim.XXXXXX")
cache=$dir/cache
mkdir "$dir/home" "$dir/tmp" "$dir/strace" "$cache"
export HOME=$dir/home TMPDIR=$dir/tmp GIT_CONFIG_NOSYSTEM=1
endings=()
# shellcheck disable=SC2317 # called by the trap
clean_up() {
	local command
	for command in ${endings[@]+"${endings[@]}"}; do
		eval "$command" >/dev/null 2>&1 || true
	done
	chmod -R u+w "$dir"
	rm -rf --one-file-system "$dir"
}
trap clean_up EXIT
trap 'exit 1' INT TERM HUP

git config --global user.name "A Tester"
git config --global user.email tester@example.org
git config --global init.defaultBranch main
git config --global advice.detachedHead false

at_end() {
	endings+=("$*")
}

calls=openat,open,creat,rename,renameat,renameat2,unlink,unlinkat,link,linkat
calls+=,utimensat,newfstatat,stat,lstat,statx,access,faccessat,faccessat2

traced() {
	local name=$1
	shift
	strace -f -ttt -qq --seccomp-bpf -e trace="$calls" -e signal=none \
		-s 1 -o "$dir/strace/$name" bash -c '"$@"' step "$@"
}

now_ms() {
	date +%s%3N
}

clock=0 # of the trace, in ms
steps=0
step() {
	local gap=$1 begin
	shift
	clock=$((clock + gap * 1000))
	begin=$(now_ms)
	printf '%s %s\n' "$begin" "$clock" >>"$dir/steps"
	if ! traced "$(printf 'step%04d' "$steps")" "$@" >"$dir/said" 2>&1; then
		printf 'record.sh: step %s fails: %s\n' "$steps" "$*" >&2
		tail -n 20 "$dir/said" >&2
		exit 1
	fi
	steps=$((steps + 1))
	clock=$((clock + $(now_ms) - begin))
}

RANDOM=1
# shellcheck disable=SC2034 # for the workloads
pick() {
	picked=$((RANDOM % $1))
}

# shellcheck source=/dev/null
. "$here/workloads/$client.sh"

"$here/convert.py" "$dir" "$CUBBY" >"$dir/trace"
zstd -q -f -19 --long=27 "$dir/trace" -o "$out"
printf '%s: %s steps, %s lines, %s bytes\n' "$client" "$steps" \
	"$(wc -l <"$dir/trace")" "$(stat -c %s "$out")"
