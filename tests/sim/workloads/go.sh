# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# shellcheck disable=SC2154 # $dir, $cache and $picked are of record.sh
#
# Eight days of work on a Go module of 24 packages in six layers and three
# programs: edits at any depth, builds and tests, a feature branch, debug builds,
# releases for another architecture, and one for another system. -trimpath, so
# that the standard library is in the cache, where newer releases of Go always
# have it.

export GOENV=off GO111MODULE=on GOFLAGS='-mod=mod -trimpath' GOPROXY=off \
	GOSUMDB=off GOTOOLCHAIN=local GOPATH=$dir/gopath CGO_ENABLED=0 \
	GOCACHE=$cache

std=(bufio bytes encoding/json errors fmt io math net/http os path sort
	strconv strings sync text/template time)

# package N: its layer is N / 4; it needs three packages of the layer below.
package() {
	local n=$1 layer=$(($1 / 4)) i path
	mkdir -p "$dir/src/p$n"
	{
		printf 'package p%s\n\nimport (\n' "$n"
		for i in 1 2 3; do
			printf '\t_ "%s"\n' "${std[$(((n * 5 + i * 3) % ${#std[@]}))]}"
			[ "$layer" = 0 ] ||
				printf '\t"example.org/m/p%s"\n' $(((layer - 1) * 4 + (n + i) % 4))
		done
		printf ')\n\nfunc Value() (n int) {\n'
		for i in 1 2 3; do
			[ "$layer" = 0 ] ||
				printf '\tn += p%s.Value()\n' $(((layer - 1) * 4 + (n + i) % 4))
		done
		printf '\treturn n + %s\n}\n' "$n"
		for ((i = 0; i < 10 + n * 7 % 60; i++)); do
			printf '\nfunc F%s(x []int, m map[string]int) (n int) {\n' "$i"
			printf '\tfor k, v := range m {\n\t\tn += len(k) * v * %s\n\t}\n' "$i"
			printf '\tfor _, v := range x {\n\t\tn ^= v\n\t}\n\treturn n\n}\n'
		done
	} >"$dir/src/p$n/p.go"
	path=$dir/src/p$n/p_test.go
	printf 'package p%s\n\nimport "testing"\n\nfunc TestValue(t *testing.T) {\n\tif Value() == 0 && %s != 0 {\n\t\tt.Fatal("no value")\n\t}\n}\n' \
		"$n" "$n" >"$path"
}

program() {
	mkdir -p "$dir/src/cmd/$1"
	printf 'package main\n\nimport (\n\t"fmt"\n\n\t"example.org/m/p%s"\n)\n\nfunc main() {\n\tfmt.Println(p%s.Value())\n}\n' \
		"$2" "$2" >"$dir/src/cmd/$1/main.go"
}

versions=0
# edit N: another version of the package.
edit() {
	versions=$((versions + 1))
	printf '\nfunc V%s(s string) string {\n\treturn s + "%s"\n}\n' \
		"$versions" "$versions" >>"$dir/src/p$1/p.go"
}

# People rather edit what is near the top.
edit_some() {
	pick 24
	local one=$picked
	pick 24
	picked=$((one > picked ? one : picked))
	edit "$picked"
}

commit() {
	git commit -q -a -m "$1"
}

cd "$dir" || exit 1
for ((n = 0; n < 24; n++)); do
	package "$n"
done
program tool 23
program server 20
program small 4
printf 'module example.org/m\n\ngo 1.19\n' >"$dir/src/go.mod"
cd "$dir/src" || exit 1
git init -q . && git add . && git commit -q -m "Begin"

build=(go build -o "$dir/bin/" ./cmd/...)

for day in 1 2 3 4 5 6 7 8; do
	# Somebody else's changes, in the morning.
	edit_some
	edit_some
	commit "day $day"
	step 36000 "${build[@]}"
	step 60 go vet ./...
	step 60 go test ./...
	for _ in 1 2 3 4; do
		edit_some
		step $((120 + RANDOM % 600)) "${build[@]}"
		step 40 go test "./p$picked"
	done
	commit "work of day $day"
	case $day in
	1) git branch feature ;;
	3 | 5 | 7)
		git checkout -q feature
		edit 7
		step 1200 "${build[@]}"
		step 60 go test ./...
		commit "feature $day"
		git checkout -q main
		step 600 "${build[@]}"
		;;
	2 | 8) step 900 go build -gcflags='all=-N -l' -o "$dir/bin/" ./cmd/tool ;;
	esac
	case $day in
	4 | 6) step 1800 env GOARCH=arm64 "${build[@]}" ;;
	5) step 1800 env GOOS=windows go build std ;;
	esac
	step 2400 go test ./...
done
