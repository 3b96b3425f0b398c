#!/usr/bin/env bats
# qtool --transaction N: what a transaction keeps is read like a queue.

load common

setup() {
	Q=$BATS_TEST_TMPDIR/spool
	practice_queue "$Q" 120
}

# rows [OPTION...]: every row but for where the file is, sorted.
rows() {
	"$QTOOL" -Q "$Q" "$@" --format jsonl | jq -cS 'del(.path)' | sort
}

take_all() {
	"$QTOOL" -Q "$Q" delete --queue hold,deferred --all --yes "$@"
}

@test "the rows are those of the queue before, but for the path" {
	before=$(rows list --queue hold,deferred)
	[ "$(wc -l <<<"$before")" -gt 50 ]
	take_all
	[ -z "$(rows list --queue hold,deferred)" ]
	[ "$(rows --transaction 1 list)" = "$before" ]
	[ "$(rows --transaction 1 list --jobs 1)" = "$before" ]
	# the logs are there: a reason for what was deferred
	[ "$("$QTOOL" -Q "$Q" --transaction 1 query --format tsv \
	    'SELECT count(*) > 10 FROM messages WHERE delay_reason IS NOT NULL' |
	    tail -1)" = 1 ]
	# and each path is that of a file
	"$QTOOL" -Q "$Q" --transaction 1 list --columns path --format tsv |
	    tail -n +2 | (cd "$Q" && xargs -d '\n' stat -c '' --)
}

@test "top and list with a selection count the same" {
	login=$("$QTOOL" -Q "$Q" query --format tsv "SELECT sasl_username
	    FROM messages WHERE queue_name IN ('hold', 'deferred') GROUP BY 1
	    ORDER BY count(*) DESC LIMIT 1" | tail -1)
	"$QTOOL" -Q "$Q" top --queue hold,deferred --format tsv >"$BATS_TEST_TMPDIR/before"
	n=$("$QTOOL" -Q "$Q" list --queue deferred --sasl "$login" --format ids | wc -l)
	[ "$n" -gt 0 ]
	take_all
	"$QTOOL" -Q "$Q" --transaction 1 top --format tsv >"$BATS_TEST_TMPDIR/after"
	diff "$BATS_TEST_TMPDIR/before" "$BATS_TEST_TMPDIR/after"
	[ "$("$QTOOL" -Q "$Q" --transaction 1 list --queue deferred \
	    --sasl "$login" --format ids | wc -l)" -eq "$n" ]
	run_q -Q "$Q" --transaction 1 list --queue active
	expect_status 1
}

@test "a message is shown by its ID, and its bytes are those it had" {
	id=$("$QTOOL" -Q "$Q" list --queue deferred --format ids | head -1)
	"$QTOOL" -Q "$Q" show --eml "$id" >"$BATS_TEST_TMPDIR/before"
	take_all
	run_q -Q "$Q" show "$id"
	expect_status 1
	run_q -Q "$Q" --transaction 1 show "$id"
	expect_status 0
	[[ ${lines[0]} == "$id in deferred" ]]
	"$QTOOL" -Q "$Q" --transaction 1 show --eml "$id" |
	    cmp - "$BATS_TEST_TMPDIR/before"
	"$QTOOL" -Q "$Q" --transaction 1 list --format ids >"$BATS_TEST_TMPDIR/ids"
	run_q -Q "$Q" --transaction 1 list --ids "$BATS_TEST_TMPDIR/ids" --format ids
	expect_status 0
	[ "$(wc -l <"$BATS_TEST_TMPDIR/ids")" -gt 50 ]
	diff <(sort <<<"$output") <(sort "$BATS_TEST_TMPDIR/ids")
}

@test "reading changes nothing in the transaction" {
	take_all
	before=$(tree "$Q")
	"$QTOOL" -Q "$Q" --transaction 1 list >/dev/null
	"$QTOOL" -Q "$Q" --transaction 1 top >/dev/null
	[ "$(tree "$Q")" = "$before" ]
	run_q -Q "$Q" undo 1
	expect_status 0
}

@test "one that is undone or purged holds nothing, and says so" {
	take_all
	"$QTOOL" -Q "$Q" undo 1
	run_q -Q "$Q" --transaction 1 list
	expect_status 1
	[ -z "$output" ]
	[[ $stderr == *"transaction 1 is undone: it holds no messages; they are back in the queue"* ]]
	take_all --purge
	run_q -Q "$Q" --transaction 2 top
	expect_status 1
	[[ $stderr == *"transaction 2 is purged: it holds no messages; they were unlinked for good"* ]]
}

@test "no such transaction, no such number, two queues" {
	run_q -Q "$Q" --transaction 1 list
	expect_status 2
	[[ $stderr == *"transaction 1: there is none"* ]]
	run_q -Q "$Q" --transaction 0 list
	expect_status 2
	run_q -Q "$Q" --transaction x list
	expect_status 2
	practice_queue "$Q-2" 5
	take_all
	run_q -Q "$Q" -Q "$Q-2" --transaction 1 list
	expect_status 2
	[[ $stderr == *"is one queue's, not that of 2"* ]]
}

@test "what changes the queue refuses the option" {
	take_all
	before=$(tree "$Q")
	for c in delete status history undo purge recover; do
		run_q -Q "$Q" --transaction 1 "$c"
		expect_status 2
		[[ $stderr == *"$c does not take it: list, top, show, query, archive and report read"* ]]
	done
	run_q -Q "$Q" --transaction 1 delete --all --yes
	expect_status 2
	[ "$(tree "$Q")" = "$before" ]
}

@test "plan and log elsewhere: the mail is in the spool all the same" {
	before=$(rows list --queue hold,deferred)
	take_all --state-dir "$BATS_TEST_TMPDIR/state"
	[ "$(rows --transaction 1 list)" = "$before" ]
	"$QTOOL" -Q "$Q" undo 1 --state-dir "$BATS_TEST_TMPDIR/state"
	run_q -Q "$Q" --transaction 1 list
	expect_status 1
	[[ $stderr == *"transaction 1 is undone"* ]]
}

@test "hints name the same transaction" {
	take_all
	d=$Q/qtool/tx/000001/m/0000
	touch "$d/stray"
	run_q -Q "$Q" --transaction 1 list
	expect_status 3
	[[ $stderr == *"--transaction 1 list --state corrupt"* ]]
	run_q -Q "$Q" --transaction 1 list --state foreign --format tsv --columns queue_id,error
	[[ $output == *"stray"*"its name is none that a transaction gives"* ]]
}
