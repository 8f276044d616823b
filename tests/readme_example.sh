#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# The C example of the README, as a reader would try it: taken out of the
# README, compiled against the installed library with pkg-config, and run.
#
# The build tree is $BUILD_ROOT, or build/.
set -euo pipefail

tree=$(cd "$(dirname "$0")/.." && pwd -P)
build=$(cd "${BUILD_ROOT:-$tree/build}" && pwd -P)
work=$(mktemp -d "${TMPDIR:-/tmp}/cubby-example.XXXXXX")
trap 'rm -rf -- "$work"' EXIT
status=0

# try NAME COMMAND...
try() {
	local name=$1
	shift
	if "$@" >"$work/log" 2>&1; then
		echo "ok - $name"
	else
		echo "not ok - $name"
		sed 's/^/# /' "$work/log"
		status=1
	fi
}

extract() {
	awk '/^```c$/ { inside = 1; count++; next }
	     /^```$/ { inside = 0 }
	     inside { print }
	     END { exit count != 1 }' "$tree/README.md" >example.c
	[ -s example.c ]
}

install_library() {
	DESTDIR=$work/root meson install -C "$build" --no-rebuild
	pc=$(find "$work/root" -name cubby.pc)
	lib=$(find "$work/root" -name 'libcubby.so')
	[ -n "$pc" ] && [ -n "$lib" ]
}

# pkg-config of what was installed below $work/root; its private requirements
# are found where the system has them.
flags() {
	local prefix
	prefix=$(sed -n 's/^prefix=//p' "$pc")
	PKG_CONFIG_PATH=${pc%/*} pkg-config \
		--define-variable=prefix="$work/root$prefix" "$@" cubby
}

compile() {
	local words
	read -ra words < <(flags --cflags --libs)
	"${CC:-cc}" -Wall -Wextra -Werror -o example example.c "${words[@]}"
}

compile_static() {
	local words libraries
	read -ra words < <(flags --cflags)
	read -ra libraries < <(pkg-config --libs libzstd libcrypto libxxhash lmdb)
	"${CC:-cc}" -Wall -Wextra -Werror -o example-static example.c "${words[@]}" \
		"${lib%.so}.a" "${libraries[@]}" -pthread
}

# It prints what it did, and a second run finds what the first one added.
run() {
	local out
	out=$(LD_LIBRARY_PATH=${lib%/*} ./"$1" "$work/store")
	[[ $out == *miss* ]] || { echo "first run: $out" && return 1; }
	out=$(LD_LIBRARY_PATH=${lib%/*} ./"$1" "$work/store")
	[[ $out == *hit* ]] || { echo "second run: $out" && return 1; }
	rm -rf -- "$work/store"
}

cd "$work"
try 'the README has one C example' extract
try 'the library installs' install_library
try 'the example compiles with pkg-config' compile
try 'the example misses, adds, and hits in the next run' run example
try 'the example links the static library' compile_static
try 'the example does the same with the static library' run example-static
[ "$status" -eq 0 ]
