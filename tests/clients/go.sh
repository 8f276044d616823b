#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Go's build cache on the mount: GOCACHE. A module of several packages is built
# and tested again and again, with one file touched and then changed between.
# shellcheck disable=SC2317 # functions are called through check
# shellcheck source=tests/clients/lib.sh
. "$(dirname "$0")/lib.sh"

need "go builds with its cache on the mount" go
site_begin go

# Nothing of the user's, and nothing of the network.
export GOENV=off GO111MODULE=on GOFLAGS=-mod=mod GOPROXY=off GOSUMDB=off \
	GONOSUMDB='*' GOTOOLCHAIN=local GOPATH=$dir/gopath CGO_ENABLED=0
unset GOCACHE GOROOT GOBIN GOOS GOARCH GOEXPERIMENT GODEBUG

packages=3

# With -trimpath, the standard library is compiled too; beside other clients,
# that would take long.
flags=(-trimpath)
[ -z "${CLIENT_MOUNT-}" ] || flags=()

# module DIRECTORY: main needs words, sums and shapes; each has a test.
module() {
	local name
	mkdir -p "$1/words" "$1/sums" "$1/shapes" "$1/cmd/tool"
	printf 'module example.org/tool\n\ngo 1.19\n' >"$1/go.mod"
	cat >"$1/words/words.go" <<-'GO'
		// Package words counts words.
		package words

		import (
			"sort"
			"strings"
		)

		func Count(text string) map[string]int {
			got := map[string]int{}
			for _, word := range strings.Fields(text) {
				got[strings.ToLower(word)]++
			}
			return got
		}

		func Sorted(counts map[string]int) []string {
			var names []string
			for name := range counts {
				names = append(names, name)
			}
			sort.Strings(names)
			return names
		}
	GO
	cat >"$1/sums/sums.go" <<-'GO'
		// Package sums is about numbers.
		package sums

		import "strconv"

		func Sum(texts ...string) (sum int) {
			for _, text := range texts {
				n, _ := strconv.Atoi(text)
				sum += n
			}
			return sum
		}
	GO
	shapes "$1" "shape"
	for name in words sums shapes; do
		printf 'package %s\n\nimport "testing"\n\nfunc TestIt(t *testing.T) {\n' "$name"
		case $name in
		words) echo 'if Count("a b A")["a"] != 2 { t.Fatal("a") }' ;;
		sums) echo 'if Sum("1", "2") != 3 { t.Fatal("sum") }' ;;
		shapes) echo 'if Name(2) == "" { t.Fatal("name") }' ;;
		esac
		echo '}'
	done | awk -v top="$1" '/^package/ {file = top "/" $2 "/" $2 "_test.go"} {print >file}'
	cat >"$1/cmd/tool/main.go" <<-'GO'
		package main

		import (
			"encoding/json"
			"fmt"
			"os"

			"example.org/tool/shapes"
			"example.org/tool/sums"
			"example.org/tool/words"
		)

		func main() {
			counts := words.Count("to be or not to be")
			text, _ := json.Marshal(words.Sorted(counts))
			fmt.Fprintln(os.Stdout, string(text), sums.Sum("4", "5"), shapes.Name(7))
		}
	GO
}

# shapes DIRECTORY TEXT: the package that changes.
shapes() {
	cat >"$1/shapes/shapes.go" <<-GO
		// Package shapes has names.
		package shapes

		import "fmt"

		func Name(corners int) string {
			return fmt.Sprintf("$2 with %d corners", corners)
		}
	GO
}

# build CACHE OUT FLAG...: build and test. Leaves OUT.tool, and what go said in
# OUT.build and OUT.test.
build() {
	local cache=$1 out=$2
	shift 2
	if (cd "$dir/src" && export GOCACHE=$cache &&
		go build -x "$@" -o "$out.tool" ./cmd/tool >"$out.build" 2>&1 &&
		go test "$@" ./... >"$out.test" 2>&1); then
		return
	fi
	tail -n 5 "$out.build"
	cat "$out.test"
	return 1
}

compiles() {
	grep -c '/compile -o' "$1.build"
}

cached() {
	grep -c '(cached)$' "$1.test"
}

# figures OUT COMPILES CACHED: what the build had to do.
figures() {
	cat "$1.test"
	same_number "$(compiles "$1")" "$2" compilations &&
		same_number "$(cached "$1")" "$3" "cached test results"
}

run_first() {
	build "$at/cache" "$dir/one" "${flags[@]}" &&
		same_number "$(cached "$dir/one")" 0 "cached test results" &&
		[ "$(compiles "$dir/one")" -ge 4 ]
}

run_again() {
	build "$at/cache" "$dir/two" "${flags[@]}" &&
		figures "$dir/two" 0 "$packages"
}

run_touched() {
	touch "$dir/src/shapes/shapes.go" "$dir/src/cmd/tool/main.go" &&
		build "$at/cache" "$dir/three" "${flags[@]}" &&
		figures "$dir/three" 0 "$packages"
}

run_changed() {
	shapes "$dir/src" "another shape" &&
		build "$at/cache" "$dir/four" "${flags[@]}" &&
		figures "$dir/four" 2 $((packages - 1))
}

identical() {
	build "$dir/plain" "$dir/plain2" "${flags[@]}" &&
		cmp "$dir/plain1.tool" "$dir/one.tool" &&
		cmp "$dir/plain1.tool" "$dir/two.tool" &&
		cmp "$dir/plain1.tool" "$dir/three.tool" &&
		cmp "$dir/plain2.tool" "$dir/four.tool" &&
		"$dir/four.tool" &&
		build "$dir/plain" "$dir/plain3"
}

one_of_four() {
	build "$at/at-once" "$dir/at-once$1" &&
		cmp "$dir/plain3.tool" "$dir/at-once$1.tool"
}

one_of_four_again() {
	build "$at/at-once" "$dir/at-once$1" &&
		cmp "$dir/plain3.tool" "$dir/at-once$1.tool" &&
		figures "$dir/at-once$1" 0 "$packages"
}

# Go names an output by its SHA-256 and a record says which one: no output may
# be another than its name says.
contents_match_names() {
	local file name
	for file in "$at"/cache/??/*-d; do
		name=${file##*/}
		if [ "$(sha256sum <"$file")" != "${name%-d}  -" ]; then
			echo "$file has other content than its name says"
			return 1
		fi
	done
}

mkdir "$at/cache" "$at/at-once" # Go 1.19 asks that of a cache anyway
module "$dir/src"
check "go builds with its cache on a plain directory" \
	build "$dir/plain" "$dir/plain1" "${flags[@]}"
check "go fills a cache on the mount" run_first
check "the second run of go compiles nothing and has all test results" run_again
check "a touched file changes nothing" run_touched
check "a changed file is compiled, and what needs it; all else is cached" run_changed
check "what go builds is the same with a plain cache" identical
check "every output in the cache is what its name says" contents_match_names
check "four at once fill one cache" four one_of_four
check "four at once have hits only" four one_of_four_again
site_end "$(go version | awk '{sub("go", "", $3); print "Go " $3}')" \
	"$(cached "$dir/two") of $packages tests cached, $(compiles "$dir/two") of $(compiles "$dir/one") packages compiled"
