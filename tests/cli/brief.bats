#!/usr/bin/env bats
# A change that nobody is shown beforehand (--yes) reads less than a preview
# does: it has to take and to leave out the same.

load common

setup() {
	Q=$BATS_TEST_TMPDIR/q
	hostile_queue "$Q"
}

# takes OPERATION QUEUES ARGS...: what a preview counts and names is what is
# taken and named without one.
takes() {
	local op=$1 queues=$2 planned
	shift 2
	run_q -Q "$Q" "$op" --all --queue "$queues" -n --json "$@"
	planned=$(jq .planned <<<"$output")
	# shellcheck disable=SC2154 # by run
	LC_ALL=C sort <<<"$stderr" >"$BATS_TEST_TMPDIR/previewed"
	[ "$planned" -gt 3 ]
	run_q -Q "$Q" "$op" --all --queue "$queues" --yes "$@"
	expect_status 3
	echo "$output"
	LC_ALL=C sort <<<"$stderr" | diff "$BATS_TEST_TMPDIR/previewed" -
	[[ $output == "transaction "*": "*" $planned message"* ]]
}

@test "hold" {
	takes hold incoming,deferred
	grep -q 'no message: left alone' "$BATS_TEST_TMPDIR/previewed"
	grep -q 'is being written: left out' "$BATS_TEST_TMPDIR/previewed"
}

@test "delete" {
	takes delete incoming,deferred,hold
	grep -q 'no message: left alone' "$BATS_TEST_TMPDIR/previewed"
	grep -q 'is being written: left out' "$BATS_TEST_TMPDIR/previewed"
}

@test "release: what had been sent already is counted" {
	local sent
	run_q -Q "$Q" hold --all --yes
	run_q -Q "$Q" query --format tsv "SELECT count(*) FROM messages
	    WHERE queue_name = 'hold' AND state <> 'unfinished' AND rcpt_todo = 0"
	sent=${lines[1]}
	[ "$sent" -gt 0 ]
	run_q -Q "$Q" release --all --yes --allow old,null-sender,deleted
	echo "$output $stderr"
	[[ $output == *", of which $sent had been sent already"* ]]
}
