#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# All clients that are here, at once and on one mount.
# shellcheck disable=SC2317 # functions are called through check
# shellcheck source=tests/clients/lib.sh
. "$(dirname "$0")/lib.sh"

here=$(cd "$(dirname "$0")" && pwd -P)
clients=(go ccache sccache git_lfs bazel)
replay=$BUILD_ROOT/tests/clients/wazero_replay

need "all clients work on one mount" fusermount3
site_begin all
[ ! -x "$replay" ] || clients+=(wazero_replay)

# client NAME: its report goes to $dir/NAME.
client() {
	local command=("$here/$1.sh")
	[ "$1" != wazero_replay ] || command=("$replay")
	CLIENT_MOUNT=$mnt CLIENT_STORE=$store exec "${command[@]}" \
		>"$dir/$1" 2>&1 </dev/null
}

# reported NAME PID: the client found nothing wrong.
reported() {
	wait "$2" || {
		cat "$dir/$1"
		return 1
	}
	grep -q '^ok - ' "$dir/$1" && ! grep '^not ok' "$dir/$1"
}

pids=()
for name in "${clients[@]}"; do
	client "$name" &
	pids+=($!)
done
ran=0
for n in "${!clients[@]}"; do
	name=${clients[$n]}
	finding="$name works beside the others"
	wait "${pids[$n]}"
	why=$(sed -nE 's/^ok .*# SKIP (.*)/\1/p' "$dir/$name" | head -n 1)
	if [ -n "$why" ]; then
		printf 'ok - %s # SKIP %s\n' "$finding" "$why"
	else
		check "$finding" reported "$name" "${pids[$n]}"
		ran=$((ran + 1))
	fi
done
site_end "all at once" "$ran clients"
