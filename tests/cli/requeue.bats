#!/usr/bin/env bats
# qtool requeue: into maildrop, as postsuper -r does it.

load common
load changes

setup() {
	Q=$BATS_TEST_TMPDIR/q
	practice_queue "$Q" 40
	mkdir -p "$Q/maildrop"
}

@test "requeue takes what matches from hold and deferred into maildrop" {
	mine=$(ids --sasl "$JOE")
	others=$(in_queues --sasl "!$JOE")
	n=$(wc -l <<<"$mine")
	logs=$(find "$Q/defer" -type f | LC_ALL=C sort)
	run_q -Q "$Q" requeue --sasl "$JOE" --yes
	expect_status 0
	[ "$output" = "transaction 1: requeued $n messages; to undo: qtool -Q $Q undo 1" ]
	[ "$(find "$Q/maildrop" -type f -printf '%f\n' | LC_ALL=C sort)" = "$mine" ]
	[ "$(in_queues --sasl "!$JOE")" = "$others" ]
	[ "$(find "$Q/defer" -type f | LC_ALL=C sort)" = "$logs" ]
	# pickup takes what is not from the future
	[ -z "$(find "$Q/maildrop" -type f -newermt '+1 second')" ]
	[ "$(state_of 1)" = placed ]
}

@test "old mail is what requeue is for; from <> and deleted are refused when on hold" {
	fixture_queue "$Q" accepted/plain accepted/null-sender
	old=$(id_of "$Q" accepted/plain)
	null=$(id_of "$Q" accepted/null-sender)
	run_q -Q "$Q" requeue "$old" "$null" --yes # both in deferred: Postfix's anyway
	expect_status 0
	run_q -Q "$Q" undo
	expect_status 0
	[ "$(where "$old") $(where "$null")" = "hold hold" ]
	run_q -Q "$Q" requeue "$old" "$null" --yes
	expect_status 4
	[[ $stderr == *"null-sender: 1 message from <>"* ]]
	[[ $stderr != *"old:"* ]]
	"$QTOOL" -Q "$Q" delete "$old" --yes
	"$QTOOL" -Q "$Q" undo
	run_q -Q "$Q" requeue "$old" "$null" --yes --skip null-sender
	expect_status 4
	[[ $stderr == *"deleted: 1 message of the selection that transaction 2 deleted: $old"* ]]
	run_q -Q "$Q" requeue "$old" "$null" --yes --allow null-sender,deleted
	expect_status 0
	[ "$(where "$old") $(where "$null")" = "maildrop maildrop" ]
	run_q -Q "$Q" requeue --all --yes --allow old
	expect_status 2
	[[ $stderr == *"new life"* ]]
}

@test "undo of a requeue: what pickup has not taken, and what it has is said" {
	before=$(queue_files)
	n=$(ids --sasl "$JOE" | wc -l)
	"$QTOOL" -Q "$Q" requeue --sasl "$JOE" --yes
	run_q -Q "$Q" undo --in-place
	expect_status 0
	[ "$output" = "transaction 1 undone: $n messages put back where they were" ]
	diff <(echo "$before") <(queue_files)
	"$QTOOL" -Q "$Q" requeue --sasl "$JOE" --yes
	taken=$(find "$Q/maildrop" -type f -printf '%f\n' | head -1)
	rm "$Q/maildrop/$taken"
	run_q -Q "$Q" undo
	expect_status 3
	[[ $output == "transaction 2 undone: $((n - 1)) messages put back into hold" ]]
	[[ $stderr == *"$taken: gone"*"1 message gone since"* ]]
	[ "$("$QTOOL" -Q "$Q" list --sasl "$JOE" --queue hold --format ids | wc -l)" -eq $((n - 1)) ]
}

@test "requeue takes from no other queue, and answers" {
	run_q -Q "$Q" requeue --all --yes --queue active
	expect_status 2
	[[ $stderr == *"requeue takes mail from deferred,hold"* ]]
	answer 0 requeue --sasl "$JOE" --yes
	[ "$(member '[.state, .old, .null_sender, .done > 0]')" = '["placed",null,0,true]' ]
}
