#!/usr/bin/env bats
# qtool hold, and what hold, release, requeue, restore and delete take in the
# same way: the queues, --wait, the guards, the answer.

load common
load changes

setup() {
	Q=$BATS_TEST_TMPDIR/q
	practice_queue "$Q" 40
}

@test "hold takes what matches in deferred, and says how to undo it" {
	mine=$(in_queues --sasl "$JOE" --queue deferred | cut -f2)
	others=$(in_queues --sasl "!$JOE")
	bytes=$(sums | sed 's,  .*/,  ,' | LC_ALL=C sort)
	run_q -Q "$Q" hold --sasl "$JOE" --yes
	expect_status 0
	n=$(wc -l <<<"$mine")
	[ "$output" = "transaction 1: held $n messages; to undo: qtool -Q $Q undo 1" ]
	[ -z "$stderr" ]
	[ -z "$(in_queues --sasl "$JOE" --queue deferred)" ]
	for id in $mine; do
		[ "$(where "$id")" = hold ]
	done
	[ "$(in_queues --sasl "!$JOE")" = "$others" ]
	[ "$(sums | sed 's,  .*/,  ,' | LC_ALL=C sort)" = "$bytes" ]
	[ "$(state_of 1)" = placed ]
}

@test "what is on its way is counted, and taken when its queue is named" {
	read -r a b c <<<"$(in_queues --sasl "$JOE" --queue deferred | cut -f2 | head -3 | tr '\n' ' ')"
	to_queue active "$a"
	to_queue incoming "$b" "$c"
	n=$("$QTOOL" -Q "$Q" list --sasl "$JOE" --queue deferred --format ids | wc -l)
	run_q -Q "$Q" hold --sasl "$JOE" --yes --expect "$n"
	expect_status 0
	[[ $stderr == *"on the way, and not taken: 3 messages in incoming and active"*"--queue active,incoming,deferred" ]]
	[ "$(where "$a") $(where "$b") $(where "$c")" = "active incoming incoming" ]
	# all of it gone from deferred: said again, as it is what one came for
	run_q -Q "$Q" hold --sasl "$JOE" --yes
	expect_status 1
	[[ $stderr == *"on the way, and not taken: 3 messages"*"no message matches"* ]]
	run_q -Q "$Q" hold --sasl "$JOE" --queue active,incoming,deferred --yes
	expect_status 0
	[[ $output == "transaction 2: held 3 messages;"* ]]
	# qmgr has the one in its memory: said while it can still be heeded
	[[ $stderr == "qtool: 1 message out of active: "*"may be sent twice"*"postfix reload"* ]]
	[ "$(where "$a") $(where "$b") $(where "$c")" = "hold hold hold" ]
}

@test "hold takes from no other queue" {
	for queue in hold maildrop corrupt deferred,hold; do
		run_q -Q "$Q" hold --all --yes --queue $queue
		expect_status 2
		[[ $stderr == *"hold takes mail from active,incoming,deferred"* ]]
	done
	run_q -Q "$Q" hold --yes
	expect_status 2
	[[ $stderr == *"no selection; all mail is --all"* ]]
	[ ! -e "$Q/qtool" ]
}

@test "what is in delivery is left out and named: exit 3" {
	id=$(in_queues --sasl "$JOE" --queue deferred | cut -f2 | head -1)
	to_queue active "$id"
	in_delivery "$Q/active/$id"
	agent=$!
	run_q -Q "$Q" hold --sasl "$JOE" --queue active,deferred --yes
	expect_status 3
	[[ $stderr == *"active/$id: is in delivery: left out"* ]]
	[ "$(where "$id")" = active ]
	[ -z "$(in_queues --sasl "$JOE" --queue deferred)" ]
	# --wait gives up in time, and says what it waits for
	run_q -Q "$Q" hold "$id" --queue active --yes --wait 1
	expect_status 3
	[[ $stderr == *"in delivery: 1 message; waiting for up to 1s"*"active/$id: is in delivery: left out"* ]]
	kill $agent
}

@test "--wait waits until the agent is done" {
	id=$(in_queues --sasl "$JOE" --queue deferred | cut -f2 | head -1)
	file=$(find "$Q/deferred" -name "$id")
	for command in hold "delete --queue hold"; do
		in_delivery "$file"
		agent=$!
		# shellcheck disable=SC2086 # words
		"$QTOOL" -Q "$Q" $command --yes "$id" --wait 60 \
		    >"$BATS_TEST_TMPDIR/out" 2>"$BATS_TEST_TMPDIR/err" 3>&- &
		for _ in $(seq 500); do
			! grep -q 'in delivery: 1 message; waiting for up to 1m' \
			    "$BATS_TEST_TMPDIR/err" || break
			sleep 0.02
		done
		[ -e "$file" ]
		kill $agent
		wait $!
		grep -q '^transaction .* 1 message;' "$BATS_TEST_TMPDIR/out"
		file=$Q/hold/$id
	done
}

@test "--wait: a dry run does not wait, and a number is asked for" {
	id=$(in_queues --sasl "$JOE" --queue deferred | cut -f2 | head -1)
	in_delivery "$(find "$Q/deferred" -name "$id")"
	agent=$!
	run timeout 30 "$QTOOL" -Q "$Q" hold -n "$id" --wait 600
	[ "$status" -eq 3 ]
	kill $agent
	run_q -Q "$Q" hold --yes --all --wait 1x
	expect_status 2
}

@test "a dry run shows, and leaves the tree as it was" {
	before=$(tree "$Q")
	n=$(in_queues --sasl "$JOE" --queue deferred | wc -l)
	run_q -Q "$Q" hold --sasl "$JOE" -n
	expect_status 0
	[[ ${lines[0]} == "would hold $n messages, "*"(deferred $n)" ]]
	[[ $output == *"accounts "*"$n $JOE"*"least like the others:"* ]]
	run_q -Q "$Q" release -n --all
	run_q -Q "$Q" requeue -n --all
	run_q -Q "$Q" hold --explain --sasl "$JOE"
	expect_status 0
	[[ $output == *"SELECT "*"'deferred'"* ]]
	[ "$(tree "$Q")" = "$before" ]
}

@test "the guards of a script hold for each of these commands" {
	"$QTOOL" -Q "$Q" delete "$(in_queues --queue hold | cut -f2 | head -1)" --yes
	before=$(queue_files)
	for command in hold release requeue "restore 1"; do
		# shellcheck disable=SC2086 # words
		run_q -Q "$Q" $command --all --yes --expect 999
		expect_status 4
		[[ $stderr == *"match, and --expect says 999"* ]]
		# shellcheck disable=SC2086
		run_q -Q "$Q" $command --all --yes --max 0
		expect_status 4
		# shellcheck disable=SC2086
		run_q -Q "$Q" $command --all --skip null-sender,deleted
		[[ $command == re[lq]* ]] || [ "$status" -eq 2 ]
		[[ $command != re[lq]* ]] || [[ $stderr == *"no terminal to ask at whether to ${command%% *}"* ]]
		# shellcheck disable=SC2086
		run_q -Q "$Q" $command --sasl nobody@nowhere.example --yes
		expect_status 1
		# shellcheck disable=SC2086
		run_q -Q "$Q" $command --all --yes --note $'two\nlines'
		expect_status 2
	done
	diff <(echo "$before") <(queue_files)
	[ "$("$QTOOL" -Q "$Q" history --json | jq length)" = 1 ]
}

@test "at a terminal the count has to be typed, and 80 columns hold the rest" {
	n=$(in_queues --sasl "$JOE" --queue deferred | wc -l)
	at_terminal no -Q "$Q" hold --sasl "$JOE"
	[ "$status" -eq 4 ]
	[ "$(wc -L <<<"$output")" -le 80 ]
	[[ $output == *"Type $n to hold $n messages: "*"not confirmed"* ]]
	at_terminal "$n" -Q "$Q" hold --sasl "$JOE"
	[ "$status" -eq 0 ]
	[[ $output == *"transaction 1: held $n messages"* ]]
}

@test "one at a time: --no-wait refuses" {
	"$QTOOL" -Q "$Q" recover
	exec 8<"$Q/qtool/lock"
	flock 8
	run_q -Q "$Q" hold --all --yes --no-wait
	exec 8<&-
	expect_status 4
	[[ $stderr == *"another qtool"* ]]
}

@test "--state-dir and --note are kept" {
	state=$BATS_TEST_TMPDIR/state
	run_q -Q "$Q" hold --sasl "$JOE" --yes --state-dir "$state" --note 'ticket 4711'
	expect_status 0
	[ -f "$state/tx/000001/plan" ]
	[ "$("$QTOOL" -Q "$Q" history --json | jq -r '.[0].reason')" = 'ticket 4711' ]
	run_q -Q "$Q" undo
	expect_status 0
}

@test "hold --json answers, also when refused" {
	n=$(in_queues --sasl "$JOE" --queue deferred | wc -l)
	answer 0 hold --sasl "$JOE" -n
	[ "$(member '[.command, .dry_run, .planned, .done, .state]')" = "[\"hold\",true,$n,0,null]" ]
	answer 4 hold --sasl "$JOE"
	[[ $(member .error) == *"no terminal"* ]]
	answer 0 hold --sasl "$JOE" --yes
	[ "$(member '[.transaction, .state, .matched, .planned, .done, .old, .error]')" = \
	    "[1,\"placed\",$n,$n,$n,null,null]" ]
	undo=$(jq -r .undo <<<"$output")
	[ "$undo" = "qtool -Q $Q undo 1" ]
	PATH=$(dirname "$QTOOL"):$PATH bash -c "$undo"
	[ "$("$QTOOL" -Q "$Q" list --sasl "$JOE" --queue deferred --format ids | wc -l)" -eq "$n" ]
}

@test "escape sequences in mail do not reach the terminal" {
	fixture_queue "$Q" content/subject-escape-sequences accepted/escape-in-recipient logs/escape-in-reason
	hostile=$(id_of "$Q" content/subject-escape-sequences)
	run_q -Q "$Q" hold -n "$hostile"
	expect_status 0
	[[ $output == *'\x1B'* ]]
	is_harmless <<<"$output$stderr"
	"$QTOOL" -Q "$Q" hold --all --yes
	for command in release requeue; do
		run_q -Q "$Q" $command -n "$hostile"
		[[ $output == *'\x1B'* ]]
		is_harmless <<<"$output$stderr"
	done
	Q=$BATS_TEST_TMPDIR/hostile
	hostile_queue "$Q"
	for command in hold release requeue delete; do
		run_q -Q "$Q" $command -n --all
		is_harmless <<<"$output$stderr"
	done
}

@test "a hostile spool: what is no message stays, the rest is held and comes back" {
	Q=$BATS_TEST_TMPDIR/hostile
	hostile_queue "$Q"
	before=$(queue_files)
	others=$(find "$Q" ! -type f | LC_ALL=C sort)
	run_q -Q "$Q" hold --all --yes
	expect_status 3
	[[ $stderr == *"no message: left alone"* ]]
	[ -z "$("$QTOOL" -Q "$Q" list --queue deferred --state ok --format ids)" ]
	[ "$(find "$Q" -path "$Q/qtool" -prune -o ! -type f -print | LC_ALL=C sort)" = "$others" ]
	run_q -Q "$Q" undo
	expect_status 0
	diff <(echo "$before") <(queue_files)
}

@test "not root and not the owner: refused before anything is looked at" {
	chmod -R a+rX "$BATS_RUN_TMPDIR" 2>/dev/null || true
	for command in "hold --all --yes" "release --all --yes" "requeue --all --yes" \
	    "restore 1 --all --yes" "apply nothing --yes"; do
		# shellcheck disable=SC2086 # words
		run --separate-stderr setpriv --reuid 64999 --regid 64999 --clear-groups \
		    "$QTOOL" -Q "$Q" $command
		[ "$status" -eq 4 ] || { echo "$command: $status $output $stderr"; false; }
		[[ $stderr == *"needs root"* ]]
	done
	[ ! -e "$Q/qtool" ]
}
