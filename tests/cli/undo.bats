#!/usr/bin/env bats
# qtool undo of every operation, and of an undo; what history and purge say of
# operations that hold nothing.

load common
load changes

setup() {
	Q=$BATS_TEST_TMPDIR/q
	practice_queue "$Q" 40
}

@test "undo of a hold: each where it was" {
	before=$(queue_files)
	"$QTOOL" -Q "$Q" hold --sasl "$JOE" --yes
	[ "$(queue_files)" != "$before" ]
	run_q -Q "$Q" undo
	expect_status 0
	[[ $output == "transaction 1 undone: "*" put back where they were" ]]
	diff <(echo "$before") <(queue_files)
	[ "$(state_of 1)" = undone ]
}

@test "undo takes the last that can be undone, then the one before" {
	before=$(queue_files)
	"$QTOOL" -Q "$Q" hold --sasl "$JOE" --yes
	"$QTOOL" -Q "$Q" delete --sasl "$JOE" --yes
	"$QTOOL" -Q "$Q" hold --all --yes
	run_q -Q "$Q" undo
	[[ $output == "transaction 3 undone"* ]]
	run_q -Q "$Q" undo --in-place
	[[ $output == "transaction 2 undone"* ]]
	run_q -Q "$Q" undo
	[[ $output == "transaction 1 undone"* ]]
	diff <(echo "$before") <(queue_files)
	run_q -Q "$Q" undo
	expect_status 1
	[[ $stderr == *"nothing to undo"* ]]
}

@test "an undo can be undone, and that again" {
	"$QTOOL" -Q "$Q" delete --sasl "$JOE" --yes
	deleted=$(queue_files)
	n=$("$QTOOL" -Q "$Q" history --json | jq '.[0].staged')
	"$QTOOL" -Q "$Q" undo
	run_q -Q "$Q" undo --redo
	expect_status 0
	[ "$output" = "transaction 1 redone: deleted $n messages" ]
	diff <(echo "$deleted") <(queue_files)
	[ "$(state_of 1)" = committed ]
	run_q -Q "$Q" undo --redo
	expect_status 1
	[[ $stderr == *"no undo is there to be undone"* ]]
	run_q -Q "$Q" undo --redo 1
	expect_status 4
	run_q -Q "$Q" undo --redo 7
	expect_status 2
	"$QTOOL" -Q "$Q" undo
	"$QTOOL" -Q "$Q" hold --all --yes
	run_q -Q "$Q" undo --redo 1
	expect_status 0
	diff <(echo "$deleted" | grep -v '^deferred/\|^hold/') <(queue_files | grep -v '^deferred/\|^hold/')
}

@test "redo takes only what is still as it was put back" {
	"$QTOOL" -Q "$Q" hold --sasl "$JOE" --yes
	"$QTOOL" -Q "$Q" undo
	id=$("$QTOOL" -Q "$Q" list --sasl "$JOE" --queue deferred --format ids | head -1)
	touch -d '+10 minutes' "$(find "$Q/deferred" -name "$id")"
	run_q -Q "$Q" undo --redo 1
	expect_status 3
	[[ $stderr == *"$id: changed"*"1 message left alone"* ]]
	[ "$(where "$id")" = deferred ]
}

@test "undo and redo answer a script" {
	id=$("$QTOOL" -Q "$Q" list --sasl "$JOE" --queue deferred --format ids | head -1)
	"$QTOOL" -Q "$Q" hold --sasl "$JOE" --yes
	n=$("$QTOOL" -Q "$Q" history --json | jq '.[0].done')
	answer 0 undo
	[ "$(member '[.command, .transaction, .state, .planned, .done, .undo]')" = "[\"undo\",1,\"undone\",$n,$n,null]" ]
	answer 0 undo --redo
	[ "$(member '[.transaction, .state, .done, .undo]')" = "[1,\"placed\",$n,\"qtool -Q $Q undo 1\"]" ]
	rm "$Q/hold/$id"
	answer 3 undo
	[ "$(member '[.done, .gone]')" = "[$((n - 1)),1]" ]
	[[ $(member .error) == *"gone since"* ]]
}

@test "history tells each operation, its messages and what holds them" {
	"$QTOOL" -Q "$Q" hold --sasl "$JOE" --yes
	"$QTOOL" -Q "$Q" delete --sasl "$JOE" --yes
	id=$("$QTOOL" -Q "$Q" --transaction 2 list --format ids | head -1)
	"$QTOOL" -Q "$Q" restore 2 "$id" --yes
	"$QTOOL" -Q "$Q" release "$id" --allow deleted --yes
	run_q -Q "$Q" history --json
	expect_status 0
	[ "$(jq -c 'map([.operation, .state, .source])' <<<"$output")" = \
	    '[["hold","placed",null],["delete","committed",null],["restore","placed",2],["release","placed",null]]' ]
	[ "$(jq -c 'map(.done == .messages) | all' <<<"$output")" = true ]
	[ "$(jq -c '.[1] | .messages - .staged' <<<"$output")" = 1 ]
	run_q -Q "$Q" history
	expect_status 0
	[[ ${lines[3]} == *restore*placed* ]]
}

@test "purge of what holds nothing is refused, and passed over by --all-committed" {
	"$QTOOL" -Q "$Q" hold --sasl "$JOE" --yes
	before=$(queue_files)
	run_q -Q "$Q" purge 1 --yes
	expect_status 4
	[[ $stderr == *"1: the transaction is a hold: it holds no messages, they are in the queue; qtool undo takes it back"* ]]
	run_q -Q "$Q" purge --all-committed --yes
	expect_status 1
	diff <(echo "$before") <(queue_files)
}

@test "a hold that was killed is ended by recover, which says so" {
	export ASAN_OPTIONS=${ASAN_OPTIONS:-}:detect_leaks=0
	n=$("$QTOOL" -Q "$Q" list --sasl "$JOE" --queue deferred --format ids | wc -l)
	# renames of messages come after those of the plan
	run strace -f -o "$BATS_TEST_TMPDIR/trace" -e trace=renameat2 \
	    -e inject=renameat2:signal=KILL:when=9 "$QTOOL" -Q "$Q" hold --sasl "$JOE" --yes
	[ "$status" -ne 0 ]
	[ "$(state_of 1)" = committed ]
	run_q -Q "$Q" recover
	expect_status 0
	[ "$output" = "transaction 1: gone on with, held $n messages" ]
	[ -z "$("$QTOOL" -Q "$Q" list --sasl "$JOE" --queue deferred --format ids)" ]
	run_q -Q "$Q" recover
	[ "$output" = "nothing to recover" ]
	run_q -Q "$Q" undo
	expect_status 0
}
