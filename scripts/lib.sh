# SPDX-License-Identifier: MIT
# shellcheck shell=bash
#
# What the scripts share. To be sourced; sets $top to the top of the tree and
# goes there.

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
cd "$top" || exit 2

# Debian's packages that the build needs, with the test framework.
build_packages=(
	meson ninja-build pkg-config gcc libc6-dev fuse3 libfuse3-dev
	libzstd-dev libssl-dev libcriterion-dev liblmdb-dev libxxhash-dev
)

say() {
	printf '%s: %s\n' "${0##*/}" "$*"
}

# One line that says what is wrong and what to do, and the end.
die() {
	printf '%s: %s\n' "${0##*/}" "$*" >&2
	exit 1
}

package_is_there() {
	[ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

# need_packages NAME...: install those that are missing. Asks the network for
# nothing when all are there.
need_packages() {
	local missing=() package log as_root=()

	command -v dpkg-query >/dev/null || return 0 # not Debian: meson will tell
	for package in "$@"; do
		package_is_there "$package" || missing+=("$package")
	done
	[ ${#missing[@]} -gt 0 ] || return 0

	if [ "$(id -u)" -ne 0 ]; then
		command -v sudo >/dev/null ||
			die "missing packages; as root: apt-get install ${missing[*]}"
		as_root=(sudo)
	fi
	say "installing ${missing[*]}"
	log=$(mktemp)
	if ! {
		"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q \
			-o DPkg::Lock::Timeout=120 update &&
			"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qy \
				-o DPkg::Lock::Timeout=120 \
				install --no-install-recommends "${missing[@]}"
	} >"$log" 2>&1 </dev/null; then
		tail -n 20 "$log" >&2
		rm -f "$log"
		die "cannot install packages; as root: apt-get install ${missing[*]}"
	fi
	rm -f "$log"
}

# quietly WHAT COMMAND...: run it, and show its output only if it fails.
quietly() {
	local what=$1 log
	shift
	log=$(mktemp)
	if ! "$@" >"$log" 2>&1 </dev/null; then
		cat "$log" >&2
		rm -f "$log"
		die "$what failed; its output is above"
	fi
	rm -f "$log"
}

# build_in DIRECTORY [MESON OPTION...]: configure if need be, and compile. With
# CC set, meson puts no compiler cache before it, which would start a server.
build_in() {
	local dir=$1 setup=(meson setup)
	shift
	if [ -e "$dir/build.ninja" ]; then
		# A tree that was copied or moved has absolute paths of its old place.
		grep -qF "\"source\": \"$top\"" "$dir/meson-info/meson-info.json" \
			2>/dev/null && setup=()
	fi
	if [ ${#setup[@]} -gt 0 ]; then
		say "configuring $dir/"
		[ ! -e "$dir" ] || rm -rf -- "${top:?}/$dir"
		CC=${CC:-gcc} quietly "meson setup" "${setup[@]}" "$@" "$dir"
	fi
	if ! ninja -C "$dir" -n | grep -q 'no work to do'; then
		say "compiling in $dir/"
		quietly "the build" ninja --quiet -C "$dir"
	fi
}

# The release build of everything in build/.
build_release() {
	need_packages "${build_packages[@]}"
	build_in build --buildtype=release
}

# Is something of type fuse.cubby mounted there?
is_mounted() {
	[ "$(findmnt -n -o FSTYPE -M "$1" 2>/dev/null | tail -n 1)" = fuse.cubby ]
}

# wait_until SECONDS COMMAND...: until it succeeds; fails when it never did.
wait_until() {
	local end=$((SECONDS + $1))
	shift
	until "$@"; do
		[ "$SECONDS" -lt "$end" ] || return 1
		sleep 0.05
	done
}

# The process ids of the cubbyfs that have MOUNTPOINT on their command line.
daemons_of() {
	local dir words
	for dir in /proc/[0-9]*; do
		mapfile -d '' words 2>/dev/null <"$dir/cmdline" || continue
		[ ${#words[@]} -gt 0 ] || continue
		case "${words[0]##*/} ${words[*]} " in
		"cubbyfs "*" $1 "*) echo "${dir##*/}" ;;
		esac
	done 2>/dev/null
}

no_daemon_of() {
	[ -z "$(daemons_of "$1")" ]
}

# unmount MOUNTPOINT: and wait for the daemon to end, which publishes what was
# still being written.
unmount() {
	if [ "$(id -u)" -eq 0 ]; then
		umount -- "$1"
	else
		fusermount3 -u -- "$1"
	fi && wait_until 30 no_daemon_of "$1"
}
