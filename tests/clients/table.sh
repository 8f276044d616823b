#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Print the table of clients for the README, from a run of each one: what a
# client said about its second run, and what is in its store at the end of the
# test. To be run after scripts/build or scripts/test.
set -u

here=$(cd "$(dirname "$0")" && pwd -P)
status=0

echo "| client, version tried | hits on the second run | raw bytes | stored bytes |"
echo "|---|---|---|---|"
for client in go bazel sccache ccache git_lfs; do
	report=$("$here/$client.sh" 2>&1) || status=1
	sed -nE 's/^# row: //p' <<<"$report"
	grep -E '^not ok|# SKIP' <<<"$report" >&2
done
exit $status
