#!/usr/bin/env bats
# qtool restore: some of what a transaction holds, back into hold.

load common
load changes

setup() {
	Q=$BATS_TEST_TMPDIR/q
	practice_queue "$Q" 40
	"$QTOOL" -Q "$Q" delete --sasl "$JOE" --yes >/dev/null
	staged=$("$QTOOL" -Q "$Q" --transaction 1 list --format ids)
	n=$(wc -l <<<"$staged")
}

# What transaction 1 holds now.
held() {
	"$QTOOL" -Q "$Q" history --json | jq '.[0].staged'
}

@test "restore takes what is named out of the transaction, into hold" {
	before=$(in_queues)
	one=$(head -1 <<<"$staged")
	two=$(tail -1 <<<"$staged")
	run_q -Q "$Q" restore 1 "$one" "$two" --yes
	expect_status 0
	[ "$output" = "transaction 2: restored 2 messages into hold; to undo: qtool -Q $Q undo 2" ]
	[ "$(where "$one") $(where "$two")" = "hold hold" ]
	[ "$(held)" -eq $((n - 2)) ]
	[ "$("$QTOOL" -Q "$Q" history --json | jq -c '.[1] | [.operation, .state, .source, .done]')" = '["restore","placed",1,2]' ]
	# the rest comes back by undo, and nothing twice
	run_q -Q "$Q" undo 1
	expect_status 0
	[[ $output == *"$((n - 2)) messages put back into hold" ]]
	[ "$("$QTOOL" -Q "$Q" list --sasl "$JOE" --queue hold --format ids | wc -l)" -eq "$n" ]
	[ "$(in_queues --sasl "!$JOE")" = "$before" ]
}

@test "a selection runs on what the transaction holds, not on the queue" {
	sender=$("$QTOOL" -Q "$Q" --transaction 1 list --format ids --columns sender | head -1)
	m=$("$QTOOL" -Q "$Q" --transaction 1 list --sender "$sender" --format ids | wc -l)
	before=$(tree "$Q")
	run_q -Q "$Q" restore 1 --sender "$sender" -n
	expect_status 0
	[[ ${lines[0]} == "would restore $m message"*", "* ]]
	[[ $output == *"accounts "*"$m $JOE"*"all of them:"*"$sender"* ]]
	[ "$(tree "$Q")" = "$before" ]
	# --queue is where it was taken from
	from_hold=$("$QTOOL" -Q "$Q" --transaction 1 list --queue hold --format ids | wc -l)
	run_q -Q "$Q" restore 1 --all --queue hold -n --expect "$from_hold"
	expect_status 0
	[[ ${lines[0]} == *"(hold $from_hold)" ]]
	run_q -Q "$Q" restore 1 --sasl ben.ortiz@branch.example --yes
	expect_status 1
	run_q -Q "$Q" restore 1 --yes
	expect_status 2
	[[ $stderr == *"no selection"* ]]
	[ "$(tree "$Q")" = "$before" ]
}

@test "undo of a restore puts it back into its transaction" {
	one=$(head -1 <<<"$staged")
	before=$(queue_files)
	"$QTOOL" -Q "$Q" restore 1 "$one" --yes
	run_q -Q "$Q" undo
	expect_status 0
	[ "$output" = "transaction 2 undone: 1 message put back into transaction 1" ]
	[ "$(held)" -eq "$n" ]
	diff <(echo "$before") <(queue_files)
	run_q -Q "$Q" undo --redo
	expect_status 0
	[ "$output" = "transaction 2 redone: restored 1 message into hold" ]
	[ "$(where "$one")" = hold ]
}

@test "restore --all empties it; bytes, modes and owners as they were" {
	"$QTOOL" -Q "$Q" undo 1 --in-place
	before=$(sums | sed 's,  .*/,  ,' | LC_ALL=C sort)
	stats=$(queue_files | sed 's,^[a-z]*/[^ ]*/,,; s,^[a-z]*/,,' | LC_ALL=C sort)
	"$QTOOL" -Q "$Q" delete --sasl "$JOE" --yes
	run_q -Q "$Q" restore 2 --all --yes
	expect_status 0
	[ "$(sums | sed 's,  .*/,  ,' | LC_ALL=C sort)" = "$before" ]
	diff <(echo "$stats") <(queue_files | sed 's,^[a-z]*/[^ ]*/,,; s,^[a-z]*/,,' | LC_ALL=C sort)
	run_q -Q "$Q" restore 2 --all --yes
	expect_status 1
}

@test "what holds nothing is refused with what it is" {
	"$QTOOL" -Q "$Q" hold --all --yes
	"$QTOOL" -Q "$Q" undo 1
	run_q -Q "$Q" restore 2 --all --yes
	expect_status 4
	[[ $stderr == *"transaction 2 is a hold: its messages are in the queue"* ]]
	run_q -Q "$Q" restore 1 --all --yes
	expect_status 4
	[[ $stderr == *"transaction 1 is undone"* ]]
	run_q -Q "$Q" restore 9 --all --yes
	expect_status 2
	run_q -Q "$Q" restore x --all --yes
	expect_status 2
	run_q -Q "$Q" restore
	expect_status 2
	[[ $stderr == *"operand is missing"* ]]
}

@test "a name that is taken in hold: that one stays, the others come back" {
	one=$(head -1 <<<"$staged")
	echo usurper >"$Q/hold/$one"
	run_q -Q "$Q" restore 1 --all --yes
	expect_status 3
	[[ $stderr == *"hold/$one: changed"* ]]
	[ "$(cat "$Q/hold/$one")" = usurper ]
	[ "$(held)" -eq 1 ]
}

@test "restore --json, --plan and apply" {
	one=$(head -1 <<<"$staged")
	plan=$BATS_TEST_TMPDIR/plan
	answer 0 restore 1 "$one" --plan "$plan"
	[ "$(member '[.plan, .planned, .done]')" = "[\"$plan\",1,0]" ]
	run_q -Q "$Q" apply -n "$plan"
	expect_status 0
	[[ $output == "would restore 1 message"*"from transaction  1" ]]
	run_q -Q "$Q" apply --yes "$plan"
	expect_status 0
	[ "$(where "$one")" = hold ]
	answer 0 restore 1 --all --yes
	[ "$(member '[.command, .transaction, .state, .done]')" = "[\"restore\",3,\"placed\",$((n - 1))]" ]
}

@test "mail in staging is as hostile as before" {
	fixture_queue "$Q" content/subject-escape-sequences
	id=$(id_of "$Q" content/subject-escape-sequences)
	"$QTOOL" -Q "$Q" delete "$id" --yes
	run_q -Q "$Q" restore 2 -n "$id"
	expect_status 0
	[[ $output == *'\x1B'* ]]
	is_harmless <<<"$output$stderr"
}
