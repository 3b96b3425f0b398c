#!/usr/bin/env bats
# qtool release: out of hold, and what has to be allowed first.

load common
load changes

setup() {
	Q=$BATS_TEST_TMPDIR/q
	practice_queue "$Q" 40
	"$QTOOL" -Q "$Q" hold --all --yes >/dev/null
}

# old_mail FIXTURE: its ID, in hold.
old_mail() {
	fixture_queue "$Q" "$1"
	to_queue hold "$(id_of "$Q" "$1")"
	id_of "$Q" "$1"
}

@test "release takes what matches from hold into deferred" {
	mine=$("$QTOOL" -Q "$Q" list --sasl "$JOE" --queue hold --format ids)
	n=$(wc -l <<<"$mine")
	others=$(in_queues --sasl "!$JOE")
	run_q -Q "$Q" release --sasl "$JOE" --yes
	expect_status 0
	[ "$output" = "transaction 2: released $n messages into deferred; to undo: qtool -Q $Q undo 2" ]
	[ -z "$stderr" ]
	for id in $mine; do
		[ "$(where "$id")" = deferred ]
		# where Postfix looks for it
		[ -n "$(find "$Q/deferred" -mindepth 2 -name "$id")" ] || [ ! -d "$Q/deferred/0" ]
	done
	[ "$(in_queues --sasl "!$JOE")" = "$others" ]
	run_q -Q "$Q" release --all --yes --queue deferred
	expect_status 2
	[[ $stderr == *"release takes mail from hold"* ]]
}

@test "old mail: refused with its number and the way out, allowed, skipped" {
	old=$(old_mail accepted/plain)
	before=$(queue_files)
	run_q -Q "$Q" release --all --yes
	expect_status 4
	[ -z "$output" ]
	[[ $stderr == *"old: 1 message: past maximal_queue_lifetime (5d 0h, Postfix's default)"*"qtool requeue gives it a new life"* ]]
	[[ $stderr == *"refused: --skip old leaves such mail where it is, --allow old says that it is meant" ]]
	diff <(echo "$before") <(queue_files)
	# a dry run shows what is meant, and ends like the change would
	run_q -Q "$Q" release --all -n
	expect_status 4
	[[ $output == *"too old "*"1, would go back to the sender"*"least like the others"* ]]
	[[ $stderr == *"refused: --skip old"* ]]
	n=$("$QTOOL" -Q "$Q" list --queue hold --format ids | wc -l)
	run_q -Q "$Q" release --all --skip old -n
	expect_status 0
	[[ ${lines[0]} == "would release $((n - 1)) messages, "* ]]
	[[ $output == *"skipped "*"1, left where it is"* ]]
	# what is skipped is not one that matches
	run_q -Q "$Q" release --all --skip old --yes --expect $((n - 1))
	expect_status 0
	[ "$(where "$old")" = hold ]
	[ "$("$QTOOL" -Q "$Q" list --queue hold --format ids)" = "$old" ]
	run_q -Q "$Q" release --all --skip old --yes
	expect_status 1
	[[ $stderr == *"no message matches that is not skipped"* ]]
	run_q -Q "$Q" release --all --allow old --yes
	expect_status 0
	[ "$(where "$old")" = deferred ]
}

@test "mail that postsuper made expire goes back at once: old" {
	id=$("$QTOOL" -Q "$Q" list --sasl "$JOE" --queue hold --format ids | head -1)
	chmod g+x "$Q/hold/$id"
	run_q -Q "$Q" release "$id" --yes
	expect_status 4
	[[ $stderr == *"old: 1 message"* ]]
	[ "$(where "$id")" = hold ]
}

@test "the lifetime is that of the instance" {
	mkdir "$BATS_TEST_TMPDIR/etc"
	cat >"$BATS_TEST_TMPDIR/etc/main.cf" <<-END
		compatibility_level = 3.6
		queue_directory = $Q
		data_directory = $BATS_TEST_TMPDIR/data
		maximal_queue_lifetime = 1h
		bounce_queue_lifetime = 1h
		hash_queue_depth = 1
		hash_queue_names = deferred, defer
	END
	cp /etc/postfix/master.cf "$BATS_TEST_TMPDIR/etc/" 2>/dev/null || : >"$BATS_TEST_TMPDIR/etc/master.cf"
	old=$("$QTOOL" -Q "$Q" list --queue hold --older 1h --format ids | wc -l)
	[ "$old" -gt 0 ]
	run_q -c "$BATS_TEST_TMPDIR/etc" release --all --yes
	expect_status 4
	[[ $stderr == *"old: $old message"*"past maximal_queue_lifetime (1h 0m) or"* ]]
}

@test "mail from <> is refused, allowed, skipped" {
	id=$(old_mail accepted/null-sender)
	run_q -Q "$Q" release "$id" --yes --allow old
	expect_status 4
	[[ $stderr == *"null-sender: 1 message from <>"*"--allow null-sender says"* ]]
	run_q -Q "$Q" release "$id" --yes
	expect_status 4
	[[ $stderr == *"old: 1 message"*"null-sender: 1 message"*"--skip old,null-sender leaves"* ]]
	run_q -Q "$Q" release --all --yes --skip null-sender
	expect_status 0
	[ "$(where "$id")" = hold ]
	run_q -Q "$Q" release "$id" --yes --allow null-sender,old
	expect_status 0
	[ "$(where "$id")" = deferred ]
}

@test "what matches an earlier deletion is refused, with the selection it matches" {
	"$QTOOL" -Q "$Q" delete --sasl "$JOE" --queue hold --yes --note "it's spam"
	"$QTOOL" -Q "$Q" undo
	n=$("$QTOOL" -Q "$Q" list --sasl "$JOE" --queue hold --format ids | wc -l)
	all=$("$QTOOL" -Q "$Q" list --queue hold --format ids | wc -l)
	run_q -Q "$Q" release --all --yes
	expect_status 4
	[[ $stderr == *"deleted: $n messages of the selection that transaction 2 deleted: --sasl $JOE"* ]]
	[[ $stderr == *"refused: --skip deleted leaves"* ]]
	run_q -Q "$Q" release --all -n --allow deleted
	expect_status 0
	[[ $output == *"deleted before "*"$n, as in transaction 2"$'\n'* ]]
	run_q -Q "$Q" release --all --yes --skip deleted
	expect_status 0
	[[ $output == *"released $((all - n)) messages"* ]]
	[ "$("$QTOOL" -Q "$Q" list --queue hold --format ids | wc -l)" -eq "$n" ]
	run_q -Q "$Q" release --all --yes --allow deleted
	expect_status 0
}

@test "a deletion counts whatever became of it, and an aborted one does not" {
	one=$("$QTOOL" -Q "$Q" list --sasl "$JOE" --queue hold --format ids | head -1)
	"$QTOOL" -Q "$Q" delete "$one" --sasl "$JOE" --yes # one of many: the rest is like it
	run_q -Q "$Q" release --sasl "$JOE" --yes
	expect_status 0
	"$QTOOL" -Q "$Q" undo 3
	# by its sender's login alone, purged since
	"$QTOOL" -Q "$Q" undo 2
	"$QTOOL" -Q "$Q" delete -w "queue_id = '$one' OR subject = 'what''s this?'" --yes --purge
	run_q -Q "$Q" release --sasl "$JOE" --yes
	expect_status 0
	"$QTOOL" -Q "$Q" undo
	"$QTOOL" -Q "$Q" delete --sasl "$JOE" --queue hold --older 0s --yes --purge
	fixture_queue "$Q" accepted/plain
	id=$(id_of "$Q" accepted/plain)
	to_queue hold "$id"
	run_q -Q "$Q" release "$id" --yes --allow old
	expect_status 0
}

@test "words with quotes in a recorded command are read back as they were" {
	id=$(old_mail content/subject-escape-sequences)
	subject='it'\''s "so" \$x|fixture|.'
	"$QTOOL" -Q "$Q" delete --subject "$subject" --sender 'alice@*' --yes --note "a ' b"
	"$QTOOL" -Q "$Q" undo
	run_q -Q "$Q" release "$id" --yes --allow old
	expect_status 4
	[[ $stderr == *"deleted: 1 message of the selection that transaction 2 deleted: --subject 'it'\\''s "* ]]
	[[ $stderr == *"--sender 'alice@*'"* ]]
	run_q -Q "$Q" release --sasl "$JOE" --yes
	expect_status 0
}

@test "an age in an earlier deletion is counted from when it was made" {
	fresh=$("$QTOOL" -Q "$Q" list --queue hold --newer 3h --format ids | head -1)
	older=$("$QTOOL" -Q "$Q" list --queue hold --older 5h --format ids | head -1)
	"$QTOOL" -Q "$Q" delete --newer 4h --yes
	"$QTOOL" -Q "$Q" undo
	run_q -Q "$Q" release "$fresh" "$older" --yes
	expect_status 4
	[[ $stderr == *"deleted: 1 message of the selection that transaction 2 deleted: --newer 4h"* ]]
	run_q -Q "$Q" release "$older" --yes
	expect_status 0
}

@test "what cannot be compared is said; a delete of all says nothing" {
	one=$("$QTOOL" -Q "$Q" list --queue hold --format ids | head -1)
	"$QTOOL" -Q "$Q" delete --ids - --yes <<<"$one"
	"$QTOOL" -Q "$Q" undo
	"$QTOOL" -Q "$Q" delete --all --yes
	"$QTOOL" -Q "$Q" undo
	run_q -Q "$Q" release "$one" --yes
	expect_status 0
	[[ $stderr == *"transaction 2: what it deleted is not compared: --ids: its IDs were read from a file"* ]]
	[[ $stderr != *"transaction 3"* ]]
	"$QTOOL" -Q "$Q" undo
	# too long to be recorded whole
	long=$(printf 'nobody%d@nowhere.example ' $(seq 100))
	# shellcheck disable=SC2086 # words
	"$QTOOL" -Q "$Q" delete --yes "$one" -w "sender NOT IN ('${long// /','}')"
	"$QTOOL" -Q "$Q" undo
	run_q -Q "$Q" release "$one" --yes
	expect_status 0
	[[ $stderr == *"transaction 5: what it deleted is not compared: it was too long to be kept"* ]]
}

@test "deletions beside each other: the selection's values are not mixed up" {
	ben=ben.ortiz@branch.example
	"$QTOOL" -Q "$Q" delete --sasl $ben --subject . --yes
	"$QTOOL" -Q "$Q" delete --sasl nobody@nowhere.example --sasl "$JOE" -w "subject LIKE '%?1%' OR sender <> '?'" --yes
	"$QTOOL" -Q "$Q" undo 2
	"$QTOOL" -Q "$Q" undo 3
	b=$("$QTOOL" -Q "$Q" list --sasl $ben --queue hold --format ids | wc -l)
	j=$("$QTOOL" -Q "$Q" list --sasl "$JOE" --queue hold --format ids | wc -l)
	[ "$b" -gt 0 ] && [ "$j" -gt "$b" ]
	run_q -Q "$Q" release --sasl "$JOE" --sasl $ben --larger 1 --yes
	expect_status 4
	[[ $stderr == *"deleted: $j messages of the selection that transaction 3 deleted"* ]]
	[[ $stderr == *"deleted: $b message"*" of the selection that transaction 2 deleted: --sasl $ben --subject ."* ]]
	run_q -Q "$Q" release --sasl $ben --yes --skip deleted
	expect_status 1
}

@test "values of --allow and --skip" {
	for value in all '' old, old,none; do
		run_q -Q "$Q" release --all --yes --allow "$value"
		expect_status 2
		[[ $stderr == *"--allow"* ]]
	done
	run_q -Q "$Q" release --all --yes --allow old --skip old
	expect_status 2
	[[ $stderr == *"in both"* ]]
}

@test "release --json counts the risks, and says why not" {
	old_mail accepted/plain
	old_mail accepted/null-sender
	n=$("$QTOOL" -Q "$Q" list --queue hold --format ids | wc -l)
	answer 4 release --all --yes
	[ "$(member '[.matched, .planned, .done, .old, .null_sender, .deleted_before, .skipped]')" = "[$n,$n,0,2,1,0,0]" ]
	[[ $(member .error) == *"refused: --skip old,null-sender leaves"* ]]
	answer 0 release --all --yes --skip old
	[ "$(member '[.done, .old, .null_sender, .skipped, .state]')" = "[$((n - 2)),0,0,2,\"placed\"]" ]
}

@test "undo of a release: back on hold, with what was tried meanwhile" {
	before=$(queue_files | cut -d' ' -f1-6)
	"$QTOOL" -Q "$Q" release --sasl "$JOE" --yes
	# Postfix tried one, and is about to try another
	read -r tried next <<<"$("$QTOOL" -Q "$Q" list --sasl "$JOE" --queue deferred --format ids | head -2 | tr '\n' ' ')"
	touch -d '+10 minutes' "$(find "$Q/deferred" -name "$tried")"
	to_queue incoming "$next"
	run_q -Q "$Q" undo
	expect_status 0
	[[ $output == "transaction 2 undone: "*" put back on hold" ]]
	diff <(echo "$before") <(queue_files | cut -d' ' -f1-6)
	# done again: the one that was tried is not what was released
	run_q -Q "$Q" undo --redo 2
	expect_status 3
	[[ $output == "transaction 2 redone: released "*" into deferred" ]]
	[[ $stderr == *"hold/$tried: changed"*"1 message left alone"* ]]
	# delivered: said, and not brought back
	rm "$(find "$Q/deferred" -name "$next")"
	run_q -Q "$Q" undo
	expect_status 3
	[[ $stderr == *"$next: gone"*"1 message gone since: delivered, taken by Postfix, or removed"* ]]
}
