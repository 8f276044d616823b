# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# shellcheck disable=SC2154 # $dir, $cache and $picked are of record.sh
#
# Git LFS with its storage shared: pictures and other files of a program in
# several versions, branches checked out back and forth, fresh clones.

cd "$dir" || exit 1
git lfs install --skip-repo >/dev/null

# file NUMBER VERSION: a fifth of them large, half of them hard to compress.
file() {
	local size=$((2000 + $1 * $1 * 137 + ($1 % 5 == 0 ? 400000 : 0)))
	if [ $(($1 % 2)) = 0 ]; then
		openssl enc -aes-128-ctr -nosalt -K "$(printf '%032x' "$1")" \
			-iv "$(printf '%032x' "$2")" </dev/zero 2>/dev/null |
			head -c "$size"
	else
		seq "$2$1" 1000000 | head -c "$size"
	fi >"data/$1.bin" || true
}

git init -q "$dir/work"
cd "$dir/work" || exit 1
git config lfs.storage "$cache"
git lfs track '*.bin' >/dev/null
mkdir data
files=60
version=0
for ((n = 0; n < files; n++)); do
	file "$n" 0
done

change() {
	local n
	for ((n = 0; n < $1; n++)); do
		pick $files
		version=$((version + 1))
		file "$picked" "$version"
	done
}

saved() {
	git add . && git commit -q -m "$1"
}
fresh_clone() {
	rm -rf "$dir/clone"
	git clone -q -c "lfs.storage=$cache" -c lfs.url=http://127.0.0.1:1/ \
		"$dir/work" "$dir/clone"
}
export -f saved fresh_clone
export dir cache

step 0 saved "begin"
git branch art
git branch release
for ((n = 1; n <= 30; n++)); do
	change 3
	step 3000 saved "main $n"
	if [ $((n % 3)) = 0 ]; then
		step 600 git checkout -q art
		change 4
		step 1200 saved "art $n"
		step 600 git checkout -q main
	fi
	[ $((n % 7)) != 0 ] || {
		step 600 git checkout -q release
		step 600 git checkout -q main
	}
	[ $((n % 5)) != 0 ] || step 3600 fresh_clone
	[ $((n % 10)) != 0 ] || {
		step 600 git checkout -q "main~8"
		step 300 git checkout -q main
	}
done
