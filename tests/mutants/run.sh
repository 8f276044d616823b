#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Faults that are put into a copy of the source, one at a time, each with the
# test that must notice it, by failing or by not coming to an end in its time.
# First those tests must pass without any.
#
#   tests/mutants/run.sh [WORD]    only those whose name has WORD in it
#   (scripts/check --mutants)
#
# The copy and its build are in build-mutants/. A fault is a change of one or
# more places by perl; one that changes nothing any more, or does not compile,
# is a failure.
# shellcheck disable=SC2016 # perl expands what begins with $
set -euo pipefail

# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/../../scripts/lib.sh"

only=${1-}
need_packages "${build_packages[@]}" perl
tree="build-mutants/tree"
build="build-mutants/build"
failed=0
names=()
tests=()
files=()
changes=()

# mutant NAME TEST FILES CHANGE: what is in FILES is changed wherever it fits.
mutant() {
	[[ $1 == *"$only"* ]] || return 0
	names+=("$1")
	tests+=("$2")
	files+=("$3")
	changes+=("$4")
}

mutant 'give what a name led to before' hot core/store/hot.c \
	's/row->version == version/row->version > 0/'
mutant 'skip the sync before a checkpoint' power_cut core/index/steady.c \
	's/(static int put_on_disk.*?)r = sync_data\(index, lmdb_fd\(index->env\)\);/$1r = 0;/s'
mutant 'skip the check of a frame' damage core/store/opening.c \
	's/return check_equal\(&check, &frame->check\)/$& || true/'
mutant 'trust the name of a blob' hostile_swaps \
	'core/format/check.c core/format/footer.c core/store/opening.c' \
	's/put_le\(identity, id, 8\)/put_le(identity, 0 * id, 8)/; s/footer.id != id \|\| //; s/!check_equal\(&check, &record->check\) \|\|//'
mutant 'publish what a killed writer left' mount_killed fs/pending.c \
	's/if \(!was_killed\)/if (!was_killed || true)/'
mutant 'publish too early: before the rest is in the blob' faults \
	core/sys/sys.c \
	's/(int sys_pwrite.*?)done \+= \(size_t\)n;/$1done = size;/s'
mutant 'take a short read for a whole one' faults core/sys/sys.c \
	's/(ssize_t sys_pread.*?)done \+= \(size_t\)n;/$1done = size;/s'
mutant 'reuse the id of a node' library core/store/store.c \
	's/\*ret_id = store->next_id\+\+;/*ret_id = store->next_id;/'
mutant 'reserve ids that another process has' kill core/index/meta.c \
	's/put_le\(bytes, first \+ count,/put_le(bytes, first + 1 + 0 * count,/'
mutant 'wrong totals after a kill' kill core/store/update.c \
	's/r = totals_put\(update->txn, &update->totals\);/r = update->totals.entries % 8 ? 0 : totals_put(update->txn, &update->totals);/'
mutant 'evict what is open' limit core/store/room.c \
	's/return r < 0 \? r : r == 0;/return r < 0 ? r : 1;/'
mutant 'purge what a mount still reads' watch core/store/purge.c \
	's/number >= purging->horizon/false/'
mutant 'keep a negative answer for a minute' doors fs/reply.c \
	's/entry_timeout = m->timeouts.negative_s/entry_timeout = 60/'
mutant 'quarantine the entry that came in its stead' watch \
	core/store/quarantine.c \
	's/(return r == 0 && found != id \?) -ENOENT/$1 node_get(update->txn, found, ret_node)/'
mutant 'answer from an old snapshot' history core/index/index.c \
	's/r = lmdb_error\(mdb_txn_renew\(txn->txn\)\);/r = 0;/; s/\tmdb_txn_reset\(txn->txn\);//'
mutant 'a miss for what is being replaced' unit_get core/store/namespace.c \
	's/(open_found\([^;]*;\s+\} while \()r == -ENOENT/$1false/'
mutant 'take a large commit for a small one' unit_index core/index/index.c \
	's/memcpy\(&count, value.mv_data, sizeof\(count\)\)/count = 1/'
mutant 'keep memory when a call fails' fault_pairs core/store/draft.c \
	's/SCOPED_FREE (uint8_t \*buffer = malloc\(FRAME_SIZE\))/$1/'
mutant 'leave a file when a call fails' fault_pairs core/store/draft.c \
	's/(if \(r < 0\)\s+)draft_delete_file\(draft->store, draft->id\);(\s+else\s+draft->is_file)/$1r += 0;$2/'
mutant 'do not go back after a power cut' power_cut core/index/steady.c \
	's/r = go_back\(path, fd, snapshot\);/r = 0;/'
mutant 'acknowledge a delete that is not done' history core/store/namespace.c \
	's/(int cubby_delete_name.*?r == 0)(\)\s+r = update_commit)/$1 && node.id % 64$2/s'

[ ${#names[@]} -gt 0 ] || die "no mutant has '$only' in its name"

# How the test ended, in the words of the log.
outcome() {
	if grep -qE '^ *[0-9]+/[0-9]+ .* TIMEOUT ' build-mutants/log; then
		echo 'it does not end'
	else
		echo 'it fails'
	fi
}

# Times are kept, so that only what differs is compiled.
fresh_tree() {
	mkdir -p "$tree"
	cp -pru core fs include scripts tests meson.build README.md "$tree"/
}

# run_tests NAME...: exit status of meson; 125 is a build that failed. Tests do
# not know which of the programs they run. One at a time, as scripts/test does:
# beside others, one that has to be in time may not be.
run_tests() {
	ninja -C "$build" core/tool/cubby fs/cubbyfs tests/power_cut \
		>build-mutants/log 2>&1 </dev/null || return 125
	(cd "$build" && meson test --num-processes 1 --timeout-multiplier 3 "$@") \
		>>build-mutants/log 2>&1 </dev/null
}

fresh_tree
[ -e "$build/build.ninja" ] ||
	CC=gcc quietly 'meson setup' meson setup --buildtype=debug \
		-Dwerror=false "$build" "$tree"

show_log() {
	tail -n 30 build-mutants/log | sed 's/^/  | /'
}

# A test that fails without a mutant proves nothing about one.
declare -A is_sound=()
mapfile -t needed < <(printf '%s\n' "${tests[@]}" | sort -u)
for test in "${needed[@]}"; do
	if run_tests "$test"; then
		echo "ok - without a mutant it passes: $test"
		is_sound[$test]=yes
	else
		echo "not ok - without a mutant it passes: $test: $(outcome)"
		show_log
		failed=$((failed + 1))
	fi
done

# has_changed FILE...
has_changed() {
	local file
	for file in "$@"; do
		cmp -s "$tree/$file" "$file" || return 0
	done
	return 1
}

for i in "${!names[@]}"; do
	name="${names[i]} (${tests[i]})"
	read -ra changed <<<"${files[i]}"
	if [ -z "${is_sound[${tests[i]}]-}" ]; then
		echo "not ok - caught: $name: not tried, as the test fails without it"
		failed=$((failed + 1))
		continue
	fi
	status=0
	perl -0pi -e "${changes[i]}" "${changed[@]/#/$tree/}"
	if has_changed "${changed[@]}"; then
		run_tests "${tests[i]}" || status=$?
	else
		status=nothing
	fi
	case $status in
	nothing | 0 | 125)
		why='the test passes'
		[ "$status" != nothing ] || why='it changes nothing in the source'
		[ "$status" != 125 ] || why='it does not compile'
		printf 'not ok - caught: %s: %s\n' "$name" "$why"
		show_log
		failed=$((failed + 1))
		;;
	*) printf 'ok - caught: %s: %s\n' "$name" "$(outcome)" ;;
	esac
	for file in "${changed[@]}"; do
		cp "$file" "$tree/$file"
		touch "$tree/$file"
	done
done
[ "$failed" -eq 0 ]
