#!/usr/bin/env bats
# qtool status: the numbers, the steps, the next command.

load common

setup_file() {
	practice_queue "$BATS_FILE_TMPDIR/q" 200
}

setup() {
	Q=$BATS_FILE_TMPDIR/q
}

@test "the counts are those of list" {
	run_q -Q "$Q" status --json
	expect_status 0
	[ "$(jq '.[0].messages' <<<"$output")" -eq 200 ]
	for q in incoming deferred hold; do
		want=$("$QTOOL" -Q "$Q" list --queue $q --format ids | wc -l)
		[ "$(jq ".[0].queues[] | select(.queue_name == \"$q\") | .messages" <<<"$output")" -eq "$want" ]
	done
	want=$("$QTOOL" -Q "$Q" list -w 'sasl_username IS NOT NULL' --format ids | wc -l)
	[ "$(jq '[.[0].queues[].with_login] | add' <<<"$output")" -eq "$want" ]
	want=$("$QTOOL" -Q "$Q" query --format ids 'SELECT sum(rcpt_todo) FROM messages')
	[ "$(jq '[.[0].queues[].rcpt_todo] | add' <<<"$output")" -eq "$want" ]
}

@test "the login with most mail, and the command to look at it" {
	run_q -Q "$Q" status
	expect_status 0
	[[ $output == *anna.keller@victim.example* ]]
	[[ $output == *"Next:"*"qtool -Q $Q top"* ]]
	[ "$("$QTOOL" -Q "$Q" status --json | jq -r '.[0].top_login')" = anna.keller@victim.example ]
}

@test "the next command is one that can be typed" {
	cmd=$("$QTOOL" -Q "$Q" status --json | jq -r '.[0].next')
	[[ $cmd == "qtool "* ]]
	run --separate-stderr bash -c "\"$QTOOL\" ${cmd#qtool }"
	expect_status 0
}

@test "six steps, each with a state" {
	run_q -Q "$Q" status --json
	[ "$(jq '.[0].steps | length' <<<"$output")" -eq 6 ]
	[ "$(jq -r '.[0].steps[].state' <<<"$output" | sort -u | grep -cvE '^(done|to do|not known)$')" -eq 0 ]
}

@test "an empty queue" {
	"$TOOLS/mkqueue" "$BATS_TEST_TMPDIR/empty" "$FIXTURES/accepted/plain.txt" >/dev/null
	find "$BATS_TEST_TMPDIR/empty/deferred" -type f -delete
	run_q -Q "$BATS_TEST_TMPDIR/empty" status
	expect_status 0
	[[ $output == *"queue is empty"* ]]
}

@test "files that are not ok are counted by state: exit 3" {
	hostile_queue "$BATS_TEST_TMPDIR/h"
	run_q -Q "$BATS_TEST_TMPDIR/h" status
	expect_status 3
	[[ $output == *corrupt* && $output == *foreign* && $output == *misplaced* ]]
	run_q -Q "$BATS_TEST_TMPDIR/h" status --json
	expect_status 3
	for s in corrupt foreign misplaced unfinished; do
		want=$("$QTOOL" -Q "$BATS_TEST_TMPDIR/h" list --state $s --columns queue_name --format ids 2>/dev/null | wc -l)
		[ "$(jq "[.[0].queues[].$s] | add" <<<"$output")" -eq "$want" ]
	done
}

@test "two queues are two parts" {
	practice_queue "$BATS_TEST_TMPDIR/two" 40
	run_q -Q "$Q" -Q "$BATS_TEST_TMPDIR/two" status --json
	expect_status 0
	[ "$(jq -c '[.[].messages]' <<<"$output")" = '[200,40]' ]
	run_q -Q "$Q" -Q "$BATS_TEST_TMPDIR/two" status
	[ "$(grep -c '^Queue ' <<<"$output")" -eq 2 ]
}

@test "of two queues each has commands of its own, and they work" {
	practice_queue "$BATS_TEST_TMPDIR/two" 40
	"$QTOOL" -Q "$Q" -Q "$BATS_TEST_TMPDIR/two" status --json \
	    >"$BATS_TEST_TMPDIR/s"
	cmd=$(jq -r '.[1].steps[4].command' "$BATS_TEST_TMPDIR/s")
	[[ $cmd == "qtool -Q $BATS_TEST_TMPDIR/two archive --move "* ]]
	[[ $(jq -r '.[0].next' "$BATS_TEST_TMPDIR/s") == "qtool -Q $Q top" ]]
	cmd=${cmd#qtool }
	run --separate-stderr bash -c "cd '$BATS_TEST_TMPDIR' && \"$QTOOL\" $cmd --yes"
	expect_status 0
	[ -s "$BATS_TEST_TMPDIR/spam.tar.zst" ]
	"$QTOOL" -Q "$Q" -Q "$BATS_TEST_TMPDIR/two" status --json \
	    >"$BATS_TEST_TMPDIR/s"
	[ "$(jq -r '.[1].steps[4].state' "$BATS_TEST_TMPDIR/s")" = "done" ]
	[ "$(jq -r '.[0].steps[4].state' "$BATS_TEST_TMPDIR/s")" = "to do" ]
}

@test "one message is one message, and shares are those of top" {
	local q=$BATS_TEST_TMPDIR/one
	fixture_queue "$q" origins/smtpd-login
	run_q -Q "$q" status
	[[ $output == *"has most: 1 message, 100.0% of all"* ]]
	[[ $output != *"1 messages"* ]]
	run_q -Q "$q" delete --all --yes
	expect_status 0
	run_q -Q "$q" status
	[[ $output == *"  qtool -Q $q undo N"* && $output == *"committed  1 message  "* ]]
	top=$("$QTOOL" -Q "$Q" top -n 1 | awk 'NR == 2 {print $(NF - 1)}')
	[[ $("$QTOOL" -Q "$Q" status) == *" $top of all"* ]]
}

@test "no line of the page is wider than a terminal" {
	[ "$(cd "$BATS_FILE_TMPDIR" && "$QTOOL" -Q q status | wc -L)" -le 80 ]
}

@test "a login that a shell could stumble over is quoted in the commands" {
	mkdir -p "$BATS_TEST_TMPDIR/f"
	sed 's/^A sasl_username=.*/A sasl_username=x'\''; touch pwned; '\''@victim.example/' \
	    "$FIXTURES/origins/smtpd-login.txt" >"$BATS_TEST_TMPDIR/f/evil.txt"
	grep -q 'touch pwned' "$BATS_TEST_TMPDIR/f/evil.txt"
	"$TOOLS/mkqueue" "$BATS_TEST_TMPDIR/e" "$BATS_TEST_TMPDIR/f/evil.txt" >/dev/null
	cmd=$("$QTOOL" -Q "$BATS_TEST_TMPDIR/e" status --json | jq -r '.[0].steps[4].command')
	[[ $cmd == *pwned* ]]
	cd "$BATS_TEST_TMPDIR"
	cat >qtool <<'SH'
#!/bin/sh
printf '%s\n' "$*" >>args
SH
	chmod +x qtool
	PATH=$PWD:$PATH sh -c "$cmd"
	[ ! -e pwned ]
	grep -q "sasl x'; touch pwned; '@victim.example" args
}
