#!/usr/bin/env bats
# shellcheck disable=SC2030,SC2031 # each test has its own Q
# qtool delete, undo, history, purge, recover: what is taken, what is left, what
# is asked, and what each exit status means.

load common
load changes

setup() {
	Q=$BATS_TEST_TMPDIR/q
	practice_queue "$Q" 40
}

# ---- delete ----

@test "delete takes exactly what list shows, and says how to undo it" {
	mine=$(ids --sasl "$JOE")
	others=$(ids --sasl "!$JOE")
	run_q -Q "$Q" delete --sasl "$JOE" --yes
	expect_status 0
	n=$(wc -l <<<"$mine")
	[ "$output" = "transaction 1: deleted $n messages; to undo: qtool -Q $Q undo 1" ]
	[ -z "$stderr" ]
	[ -z "$(ids --sasl "$JOE")" ]
	[ "$(ids)" = "$others" ]
}

@test "undo --in-place restores every file, undo puts them into hold" {
	before=$(queue_files)
	bytes=$(sums)
	"$QTOOL" -Q "$Q" delete --sasl "$JOE" --yes
	[ "$(queue_files)" != "$before" ]
	run_q -Q "$Q" undo --in-place
	expect_status 0
	[[ $output == "transaction 1 undone: "*" put back where they were" ]]
	diff <(echo "$before") <(queue_files)
	diff <(echo "$bytes") <(sums)

	mine=$(ids --sasl "$JOE")
	"$QTOOL" -Q "$Q" delete --sasl "$JOE" --yes
	run_q -Q "$Q" undo 2
	expect_status 0
	[[ $output == *"put back into hold" ]]
	[ "$(ids --sasl "$JOE" --queue hold)" = "$mine" ]
	[ -z "$("$QTOOL" -Q "$Q" list --sasl "$JOE" --queue deferred --format ids)" ]
}

@test "without a selection nothing is deleted" {
	run_q -Q "$Q" delete --yes
	expect_status 2
	[[ $stderr == *"all mail is --all"* ]]
	run_q -Q "$Q" delete --yes --queue hold
	expect_status 2
	run_q -Q "$Q" delete --yes --sasl ''
	expect_status 2
	[ ! -e "$Q/qtool" ]
}

@test "--all is hold and deferred; active and incoming only when named" {
	mkdir -p "$Q/active"
	mv "$(find "$Q/deferred" -type f | LC_ALL=C sort | head -1)" "$Q/active"
	moving=$(find "$Q/active" -type f -printf '%f')
	"$QTOOL" -Q "$Q" delete --all --yes
	[ -z "$(find "$Q/hold" "$Q/deferred" -type f)" ]
	[ "$("$QTOOL" -Q "$Q" list --format ids)" = "$moving" ]
	for queue in maildrop corrupt saved hold,corrupt; do
		run_q -Q "$Q" delete --all --yes --queue $queue
		expect_status 2
		[[ $stderr == *"delete takes mail from active,incoming,deferred,hold"* ]]
	done
	run_q -Q "$Q" delete --all --yes --queue hold,active
	expect_status 0
	[[ $output == *"deleted 1 message;"* ]]
	[ -z "$("$QTOOL" -Q "$Q" list --format ids)" ]
	# qmgr takes it up from incoming; active is qmgr's own
	"$QTOOL" -Q "$Q" undo --in-place
	[ "$("$QTOOL" -Q "$Q" list --queue incoming --format ids)" = "$moving" ]
}

@test "nothing that matches is exit 1, and writes nothing" {
	run_q -Q "$Q" delete --sasl nobody@example.org --yes
	expect_status 1
	[[ $stderr == *"no message matches"* ]]
	[ ! -e "$Q/qtool" ]
}

@test "-n shows the same and writes nothing" {
	before=$(tree "$Q")
	run_q -Q "$Q" delete --sasl "$JOE" -n
	expect_status 0
	n=$(ids --sasl "$JOE" | wc -l)
	[[ ${lines[0]} == "would delete $n messages, "* ]]
	[[ $output == *"accounts "*"$n $JOE"* ]]
	[[ $output == *"least like the others:"* ]]
	[ "$(tree "$Q")" = "$before" ]
	run_q -Q "$Q" delete --sasl nobody@example.org -n
	expect_status 1
}

@test "the odd one out is shown first" {
	# one innocent message among Joe's, which a careless pattern would take
	odd=$("$QTOOL" -Q "$Q" list --sasl "!$JOE" --queue deferred --class authenticated --format ids | head -1)
	run_q -Q "$Q" delete -n -w "sasl_username = '$JOE' OR queue_id = '$odd'"
	expect_status 0
	first=$(grep -A1 'least like the others' <<<"$output" | tail -1)
	[[ $first == *" $odd "* ]]
}

@test "one ID in two queues: each is shown from where it lies" {
	id=$("$QTOOL" -Q "$Q" list --queue deferred --format ids | head -1)
	cp -p "$Q"/deferred/?/"$id" "$Q/hold/$id"
	run_q -Q "$Q" delete -n --queue hold,deferred "$id"
	expect_status 0
	[ "$(grep -A2 'all of them:' <<<"$output" | awk 'NR > 1 {print $1, $2}' | LC_ALL=C sort)" = \
	    "deferred $id"$'\n'"hold $id" ]
}

@test "80 columns hold what is shown before the question" {
	at_terminal no -Q "$Q" delete --all
	[ "$status" -eq 4 ]
	[ "$(wc -L <<<"$output")" -le 80 ]
	# nothing is lost by it, nor by a pipe
	[[ $output == *" $JOE"* ]]
	Q=$BATS_TEST_TMPDIR/hostile
	hostile_queue "$Q"
	at_terminal no -Q "$Q" delete --all --purge -w "state <> 'foreign'"
	[[ $output == *"for good "*"there is no undo"* ]]
	[ "$(grep -v '^qtool: ' <<<"$output" | wc -L)" -le 80 ]
	[ "$("$QTOOL" -Q "$Q" delete -n --all | grep -A1 'all of them:\|least like' | tail -1 | awk '{print (NF >= 6)}')" -eq 1 ]
}

@test "--expect and --max guard a script" {
	n=$(ids --sasl "$JOE" | wc -l)
	run_q -Q "$Q" delete --sasl "$JOE" --yes --expect $((n + 1))
	expect_status 4
	[[ $stderr == *"$n match"* ]]
	run_q -Q "$Q" delete --sasl "$JOE" --yes --max $((n - 1))
	expect_status 4
	[ ! -e "$Q/qtool" ]
	run_q -Q "$Q" delete --sasl "$JOE" --yes --expect "$n" --max "$n"
	expect_status 0
}

@test "no terminal and no --yes: refused" {
	run_q -Q "$Q" delete --sasl "$JOE"
	expect_status 4
	[[ $stderr == *"no terminal"* ]]
	[ ! -e "$Q/qtool" ]
}

@test "at a terminal the count has to be typed" {
	n=$(ids --sasl "$JOE" | wc -l)
	for answer in y yes '' "$((n + 1))" "${n}0" "$n $n"; do
		at_terminal "$answer" -Q "$Q" delete --sasl "$JOE"
		[ "$status" -eq 4 ] || { echo "$answer: $output"; false; }
		[[ $output == *"not confirmed; nothing was changed"* ]]
	done
	[ ! -e "$Q/qtool" ]
	at_terminal "$n" -Q "$Q" delete --sasl "$JOE"
	[ "$status" -eq 0 ]
	[[ $output == *"delete $n messages, "*"accounts "*"Type $n to delete"*"transaction 1: deleted $n messages"* ]]
	[ -z "$(ids --sasl "$JOE")" ]
}

@test "what was typed before the question is no answer" {
	n=$(ids --sasl "$JOE" | wc -l)
	TERM=dumb run typist "$n"$'\n' no "$QTOOL" -Q "$Q" delete --sasl "$JOE"
	[ "$status" -eq 4 ]
	[[ $output == *"not confirmed"* ]]
	[ "$(ids --sasl "$JOE" | wc -l)" -eq "$n" ]
	# nor is its beginning part of one
	TERM=dumb run typist 7 "$n" "$QTOOL" -Q "$Q" delete --sasl "$JOE"
	[ "$status" -eq 0 ]
}

@test "not root and not the owner: refused before anything is looked at" {
	chmod -R a+rX "$BATS_RUN_TMPDIR" 2>/dev/null || true
	for command in "delete --all --yes" "undo" "purge --all-committed --yes" recover; do
		# shellcheck disable=SC2086 # words
		run --separate-stderr setpriv --reuid 64999 --regid 64999 --clear-groups \
		    "$QTOOL" -Q "$Q" $command
		[ "$status" -eq 4 ] || { echo "$command: $status $output $stderr"; false; }
		[[ $stderr == *"needs root"* ]]
	done
	[ ! -e "$Q/qtool" ]
}

@test "what is in delivery is left out and named" {
	victim=$("$QTOOL" -Q "$Q" list --queue hold --format ids | head -1)
	exec 8<"$Q/hold/$victim"
	flock -s 8
	run_q -Q "$Q" delete --all --yes
	exec 8<&-
	expect_status 3
	[[ $stderr == *"hold/$victim: is in delivery: left out"* ]]
	[ "$(ids)" = "$victim" ]
}

@test "what was sent already is counted apart" {
	fixture_queue "$Q" accepted/all-done
	done=$(id_of "$Q" accepted/all-done)
	mv "$Q"/deferred/?/"$done" "$Q/hold/$done"
	run_q -Q "$Q" delete -n --ids - <<<"$done"
	expect_status 0
	[[ $output == *"already sent "*"1 in hold, with no recipient left to do"* ]]
	run_q -Q "$Q" delete --yes "$done"
	expect_status 0
	[[ $output == *"deleted 1 message, of which 1 had been sent already"* ]]
}

@test "--explain prints the clauses and changes nothing" {
	run_q -Q "$Q" delete --sasl "$JOE" --explain
	expect_status 0
	[[ $output == *"SELECT "*"$JOE"* ]]
	[ ! -e "$Q/qtool" ]
}

@test "a hostile spool: what is no message is left alone" {
	Q=$BATS_TEST_TMPDIR/hostile
	hostile_queue "$Q"
	others=$(find "$Q" ! -type f | LC_ALL=C sort)
	run_q -Q "$Q" delete --all --yes --state corrupt,ok,misplaced
	expect_status 0
	[ -z "$("$QTOOL" -Q "$Q" list --queue hold,deferred --state corrupt,ok,misplaced --format ids)" ]
	run_q -Q "$Q" undo --in-place
	expect_status 0
	run_q -Q "$Q" delete --all --yes
	expect_status 3
	is_harmless <<<"$output$stderr"
	[ "$(find "$Q" -path "$Q/qtool" -prune -o ! -type f -print | LC_ALL=C sort)" = "$others" ]
}

@test "escape sequences in mail do not reach the terminal" {
	fixture_queue "$Q" accepted/escape-in-recipient accepted/lf-in-sender
	run_q -Q "$Q" delete -n --all
	expect_status 0
	is_harmless <<<"$output$stderr"
}

@test "--note is one line and is kept" {
	run_q -Q "$Q" delete --sasl "$JOE" --yes --note $'two\nlines'
	expect_status 2
	[ ! -e "$Q/qtool" ]
	"$QTOOL" -Q "$Q" delete --sasl "$JOE" --yes --note 'ticket 4711; "x"'
	run_q -Q "$Q" history --json
	expect_status 0
	[ "$(jq -r '.[0].reason' <<<"$output")" = 'ticket 4711; "x"' ]
}

@test "misplaced messages are taken from where they lie" {
	id=$("$QTOOL" -Q "$Q" list --queue deferred --format ids | head -1)
	mkdir -p "$Q/deferred/z"
	mv "$Q"/deferred/?/"$id" "$Q/deferred/z/$id"
	before=$(queue_files)
	run_q -Q "$Q" delete --yes "$id"
	expect_status 0
	run_q -Q "$Q" undo --in-place
	expect_status 0
	diff <(echo "$before") <(queue_files)
}

# ---- state ----

@test "a qtool directory that is not ours alone is refused" {
	before=$(queue_files)
	ln -s /tmp "$Q/qtool"
	run_q -Q "$Q" delete --all --yes
	expect_status 4
	[[ $stderr == *"not trusted"* ]]
	rm "$Q/qtool"
	mkdir -m 0770 "$Q/qtool"
	run_q -Q "$Q" delete --all --yes
	expect_status 4
	if [ "$(id -u)" -eq 0 ]; then
		chmod 0700 "$Q/qtool"
		chown 64999 "$Q/qtool"
		run_q -Q "$Q" delete --all --yes
		expect_status 4
		[[ $stderr == *"belongs to user 64999"* ]]
	fi
	rm -r "$Q/qtool"
	touch "$Q/qtool"
	run_q -Q "$Q" delete --all --yes
	expect_status 4
	rm "$Q/qtool"
	diff <(echo "$before") <(queue_files)
}

@test "one at a time: the second waits, or refuses with --no-wait" {
	"$QTOOL" -Q "$Q" recover
	exec 8<"$Q/qtool/lock"
	flock 8
	run_q -Q "$Q" delete --all --yes --no-wait
	expect_status 4
	[[ $stderr == *"another qtool"* ]]
	"$QTOOL" -Q "$Q" delete --all --yes >"$BATS_TEST_TMPDIR/out" \
	    2>"$BATS_TEST_TMPDIR/err" 8<&- &
	for _ in $(seq 100); do
		[ ! -s "$BATS_TEST_TMPDIR/err" ] || break
		sleep 0.05
	done
	grep -q 'waiting for it' "$BATS_TEST_TMPDIR/err"
	[ -n "$(ids)" ]
	exec 8<&-
	wait $!
	grep -q '^transaction 1: deleted' "$BATS_TEST_TMPDIR/out"
	[ -z "$(ids)" ]
}

@test "--state-dir: plan and log elsewhere, found without being named again" {
	state=$BATS_TEST_TMPDIR/state
	before=$(queue_files)
	"$QTOOL" -Q "$Q" delete --sasl "$JOE" --yes --state-dir "$state"
	[ -f "$state/tx/000001/plan" ]
	[ ! -e "$Q/qtool/tx/000001/plan" ]
	[ "$("$QTOOL" -Q "$Q" history --json | jq -r '.[0].state')" = committed ]
	mv "$state" "$state.away"
	run_q -Q "$Q" undo
	[ "$status" -ne 0 ]
	[[ $stderr == *"$state"* ]]
	mv "$state.away" "$state"
	run_q -Q "$Q" undo 1 --in-place
	expect_status 0
	diff <(echo "$before") <(queue_files)
}

@test "looking never writes" {
	before=$(tree "$Q")
	run_q -Q "$Q" history
	expect_status 1
	run_q -Q "$Q" history --json
	expect_status 1
	[ "$(jq length <<<"$output")" -eq 0 ]
	run_q -Q "$Q" undo
	expect_status 1
	run_q -Q "$Q" purge --all-committed --yes
	expect_status 1
	[ "$(tree "$Q")" = "$before" ]
}

# ---- afterwards ----

@test "history tells what was done, in every format" {
	n=$(ids --sasl "$JOE" | wc -l)
	"$QTOOL" -Q "$Q" delete --sasl "$JOE" --yes
	"$QTOOL" -Q "$Q" undo
	"$QTOOL" -Q "$Q" delete --sasl "!$JOE" --yes
	run_q -Q "$Q" history
	expect_status 0
	[[ ${lines[1]} == *"delete"*"undone"* ]]
	[[ ${lines[2]} == *"committed"* ]]
	run_q -Q "$Q" history --json
	[ "$(jq -c 'map([.transaction, .operation, .state])' <<<"$output")" = \
	    '[[1,"delete","undone"],[2,"delete","committed"]]' ]
	[ "$(jq -c '.[0] | [.messages, .staged]' <<<"$output")" = "[$n,0]" ]
	[ "$(jq '.[1] | .messages == .staged and .bytes > 0' <<<"$output")" = true ]
	[[ $(jq -r '.[0].command' <<<"$output") == *"delete --sasl $JOE --yes" ]]
	# 80 columns hold what decides about undo and purge
	TERM=dumb run -0 script -qec "stty cols 80; '$QTOOL' -Q '$Q' history" /dev/null
	[ "$(head -1 <<<"$output" | wc -L)" -le 80 ]
	[[ ${lines[1]} == *delete* && ${lines[1]} != *"qtool -Q"* ]]
	[ "$("$QTOOL" -Q "$Q" history --format csv | wc -l)" -eq 3 ]
}

@test "purge unlinks for good, once asked" {
	"$QTOOL" -Q "$Q" delete --sasl "$JOE" --yes
	n=$(find "$Q/qtool/tx/000001/m" -type f | wc -l)
	run_q -Q "$Q" purge
	expect_status 2
	run_q -Q "$Q" purge 9 --yes
	expect_status 2
	run_q -Q "$Q" purge 1
	expect_status 4
	run_q -Q "$Q" purge 1 -n
	expect_status 0
	at_terminal 99999 -Q "$Q" purge 1
	[ "$status" -eq 4 ]
	run_q -Q "$Q" purge --older 1h --yes
	expect_status 1
	[ "$(find "$Q/qtool/tx/000001/m" -type f | wc -l)" -eq "$n" ]
	at_terminal "$n" -Q "$Q" purge 1
	[ "$status" -eq 0 ]
	[[ $output == *"transaction 1 purged: $n messages unlinked"* ]]
	[ -z "$(find "$Q/qtool/tx/000001" -type f ! -name plan ! -name log)" ]
	run_q -Q "$Q" undo 1
	expect_status 4
	[[ $stderr == *"it is purged"* ]]
	run_q -Q "$Q" purge 1 --yes
	expect_status 4
}

@test "purge --older and --all-committed, at a rate" {
	"$QTOOL" -Q "$Q" delete --sasl "$JOE" --yes
	"$QTOOL" -Q "$Q" delete --sasl "!$JOE" --yes
	"$QTOOL" -Q "$Q" undo 1
	run_q -Q "$Q" purge --older 0s --yes --rate 1000
	expect_status 0
	[ "${#lines[@]}" -eq 1 ]
	[[ $output == "transaction 2 purged: "* ]]
	[ "$("$QTOOL" -Q "$Q" history --json | jq -c 'map(.state)')" = '["undone","purged"]' ]
}

@test "delete --purge is for good at once" {
	run_q -Q "$Q" delete --sasl "$JOE" --yes --purge
	expect_status 0
	[[ ${lines[1]} == "transaction 1: "*" purged; there is no undo" ]]
	[ "$("$QTOOL" -Q "$Q" history --json | jq -r '.[0].state')" = purged ]
	run_q -Q "$Q" undo
	expect_status 1
}

@test "undo leaves one whose name is taken, and takes it up again" {
	before=$(queue_files)
	"$QTOOL" -Q "$Q" delete --sasl "$JOE" --queue deferred --yes
	path=$(comm -13 <(queue_files | cut -d' ' -f1) <(cut -d' ' -f1 <<<"$before") |
	    grep '^deferred/' | head -1)
	echo usurper >"$Q/$path"
	run_q -Q "$Q" undo --in-place
	expect_status 3
	[[ $stderr == *"$path"* || $stderr == *"deferred/${path##*/}: changed"* ]]
	[ "$(cat "$Q/$path")" = usurper ]
	[ "$("$QTOOL" -Q "$Q" history --json | jq -c '.[0] | [.state, .staged]')" = '["undoing",1]' ]
	run_q -Q "$Q" recover
	expect_status 3
	rm "$Q/$path"
	run_q -Q "$Q" undo 1 --in-place
	expect_status 0
	diff <(echo "$before") <(queue_files)
}

@test "an undo of nothing, of what is not there, of what is over" {
	"$QTOOL" -Q "$Q" delete --sasl "$JOE" --yes
	run_q -Q "$Q" undo 2
	expect_status 2
	run_q -Q "$Q" undo x
	expect_status 2
	run_q -Q "$Q" undo 1
	expect_status 0
	run_q -Q "$Q" undo 1
	expect_status 4
	run_q -Q "$Q" undo
	expect_status 1
}

@test "recover with nothing to do is exit 0" {
	run_q -Q "$Q" recover
	expect_status 0
	[ "$output" = "nothing to recover" ]
	"$QTOOL" -Q "$Q" delete --sasl "$JOE" --yes
	before=$(tree "$Q")
	run_q -Q "$Q" recover
	expect_status 0
	[ "$(tree "$Q")" = "$before" ]
}

@test "a damaged plan: nothing is touched, and it is said" {
	"$QTOOL" -Q "$Q" delete --sasl "$JOE" --yes
	"$QTOOL" -Q "$Q" delete --yes "$(ids | head -1)"
	printf x | dd of="$Q/qtool/tx/000001/log" bs=1 seek=3 conv=notrunc status=none
	before=$(queue_files)
	for command in "undo 2" "delete --all --yes" "purge 2 --yes" recover; do
		# shellcheck disable=SC2086 # words
		run_q -Q "$Q" $command
		[ "$status" -eq 5 ] || { echo "$command: $status $output $stderr"; false; }
		[[ $stderr == *"transaction 1"*"damaged"* ]]
	done
	diff <(echo "$before") <(queue_files)
	run_q -Q "$Q" history --json
	expect_status 3
	[ "$(jq -r '.[0].state' <<<"$output")" = damaged ]
	[ "$(jq -r '.[1].state' <<<"$output")" = committed ]
}

@test "a terminal that hangs up ends a change in good order; nohup goes on" {
	mkdir -m 0700 "$Q/qtool"
	before=$(queue_files)
	exec 8>"$Q/qtool/lock"
	flock 8
	# the tests themselves may run under nohup
	env --default-signal=HUP "$QTOOL" -Q "$Q" delete --all --yes \
	    2>"$BATS_TEST_TMPDIR/err" 8>&- &
	pid=$!
	for _ in $(seq 100); do
		! grep -q waiting "$BATS_TEST_TMPDIR/err" || break
		sleep 0.05
	done
	kill -HUP "$pid"
	status=0
	wait "$pid" || status=$?
	[ "$status" -eq 5 ]
	grep -q interrupted "$BATS_TEST_TMPDIR/err"
	diff <(echo "$before") <(queue_files)
	(trap "" HUP; exec "$QTOOL" -Q "$Q" delete --all --yes) \
	    2>"$BATS_TEST_TMPDIR/err" 8>&- >/dev/null &
	pid=$!
	for _ in $(seq 100); do
		! grep -q waiting "$BATS_TEST_TMPDIR/err" || break
		sleep 0.05
	done
	kill -HUP "$pid"
	flock -u 8
	status=0
	wait "$pid" || status=$?
	[ "$status" -eq 0 ]
}

@test "output is the same at every --jobs" {
	[ "$("$QTOOL" -Q "$Q" delete -n --all --jobs 1)" = \
	    "$("$QTOOL" -Q "$Q" delete -n --all --jobs 8)" ]
}

@test "an answer that is longer than a line is none" {
	n=$(ids --sasl "$JOE" | wc -l)
	at_terminal "$n$(printf '%80s')0" -Q "$Q" delete --sasl "$JOE"
	[ "$status" -eq 4 ]
	[ "$(ids --sasl "$JOE" | wc -l)" -eq "$n" ]
}

@test "a recovery that is interrupted says how far it came: exit 3" {
	"$QTOOL" -Q "$Q" delete --all --yes
	# the search for leaks does not work in a traced process
	export ASAN_OPTIONS=${ASAN_OPTIONS:-}:detect_leaks=0
	# killed at the first message it unlinks, then Ctrl-C at the third
	run strace -f -o /dev/null -e trace=unlinkat -e inject=unlinkat:signal=KILL:when=1 \
	    "$QTOOL" -Q "$Q" purge 1 --yes
	[ "$status" -ne 0 ]
	run strace -f -o /dev/null -e trace=unlinkat -e inject=unlinkat:signal=INT:when=3 \
	    "$QTOOL" -Q "$Q" recover
	[ "$status" -eq 3 ]
	[[ $output == *"transaction 1: purging, holds"* ]]
	run_q -Q "$Q" recover
	expect_status 0
	[[ $output == *"purged"* ]]
}

# ---- for scripts ----

@test "delete --json: what was done, and the command that undoes it" {
	n=$(ids --sasl "$JOE" | wc -l)
	bytes=$("$QTOOL" -Q "$Q" query --format csv "SELECT sum(file_size), sum(rcpt_todo) FROM messages WHERE sasl_username = '$JOE' AND queue_name IN ('hold', 'deferred')" | tail -1)
	answer 0 delete --sasl "$JOE" --yes
	[ -z "$stderr" ]
	[ "$(member '[.command, .transaction, .state, .dry_run, .matched, .planned, .done, .gone, .changed, .in_delivery, .messages, .error]')" = \
	    "[\"delete\",1,\"committed\",false,$n,$n,$n,0,0,0,[],null]" ]
	[ "$(member '[.bytes, .recipients] | @csv' | tr -d '"')" = "$(tr -d '"' <<<"$bytes")" ]
	undo=$(jq -r .undo <<<"$output")
	[ "$undo" = "qtool -Q $Q undo 1" ]
	# it is a command: it works as it stands
	PATH=$(dirname "$QTOOL"):$PATH bash -c "$undo"
	[ "$(ids --sasl "$JOE" | wc -l)" -eq "$n" ]
}

@test "delete --json: a dry run, nothing there, and a refusal answer, too" {
	n=$(ids --sasl "$JOE" | wc -l)
	before=$(tree "$Q")
	answer 0 delete --sasl "$JOE" -n
	[ -z "$stderr" ]
	[ "$(member '[.dry_run, .transaction, .state, .matched, .planned, .done, .undo, .error]')" = \
	    "[true,null,null,$n,$n,0,null,null]" ]
	answer 1 delete --sasl nobody@example.org --yes
	[ "$(member '[.matched, .planned, .done, .error]')" = '[0,0,0,"no message matches"]' ]
	answer 4 delete --sasl "$JOE" --yes --expect $((n + 1))
	[ "$(member '[.matched, .done, .undo]')" = "[$n,0,null]" ]
	[[ $(member .error) == *"--expect says $((n + 1))"* ]]
	answer 4 delete --sasl "$JOE" --yes --max 1
	[[ $(member .error) == *"--max says 1"* ]]
	answer 4 delete --sasl "$JOE"
	[[ $(member .error) == *"no terminal"* ]]
	answer 2 delete --yes
	[ "$(member .matched)" = null ]
	[[ $(member .error) == *"no selection"* ]]
	[ "$(tree "$Q")" = "$before" ]
}

@test "delete --json names what was left out" {
	victim=$("$QTOOL" -Q "$Q" list --queue hold --format ids | head -1)
	n=$(ids | wc -l)
	exec 8<"$Q/hold/$victim"
	flock -s 8
	answer 3 delete --all --yes
	exec 8<&-
	[ "$(member '[.matched, .planned, .done, .in_delivery]')" = "[$n,$((n - 1)),$((n - 1)),1]" ]
	[ "$(member .messages)" = "[{\"queue_name\":\"hold\",\"queue_id\":\"$victim\",\"fate\":\"in_delivery\"}]" ]
	[[ $stderr == *"hold/$victim: is in delivery"* ]]
}

@test "what cannot be read may match: said, and the answer's reason: exit 3" {
	victim=$("$QTOOL" -Q "$Q" list --queue hold --sasl "$JOE" --format ids | head -1)
	n=$(ids --sasl "$JOE" | wc -l)
	chown -R postfix "$Q"
	chown root "$Q/hold/$victim" # not its owner's any more
	chmod -R a+rX "$BATS_RUN_TMPDIR" 2>/dev/null || true
	chmod go= "$Q/hold/$victim"
	as_owner() {
		run --separate-stderr setpriv --reuid postfix --regid postfix --clear-groups \
		    "$QTOOL" -Q "$Q" delete --sasl "$1" --yes --json
		expect_status 3
		[[ $stderr == *"1 file could not be read"* ]]
		[[ $(member .error) == *"could not be read"* ]]
	}
	as_owner "$JOE"
	[ "$(member .done)" -eq $((n - 1)) ]
	[ -e "$Q/hold/$victim" ]
	as_owner nobody@nowhere.example
	[ "$(member .done)" -eq 0 ]
}

@test "delete --json of a hostile spool is JSON still" {
	Q=$BATS_TEST_TMPDIR/hostile$'\x1b[31m\xff"\\'
	hostile_queue "$BATS_TEST_TMPDIR/h"
	mv "$BATS_TEST_TMPDIR/h" "$Q"
	mkdir "$Q/hold/"$'x\x1b]0;\xfe"\\'
	answer 3 delete --all --yes
	[ "$(member '[.matched, .planned + .in_delivery + .unfinished + .foreign] | .[0] == .[1]')" = true ]
	[ "$(member '.messages | length')" = "$(member '.in_delivery + .unfinished + .foreign')" ]
	[ "$(member '.messages | any(.queue_id | contains("\\xFE\"\\"))')" = true ]
	[ "$(member '.state')" = '"committed"' ]
}

@test "delete --json --purge has no undo" {
	answer 0 delete --sasl "$JOE" --yes --purge
	[ "$(member '[.state, .undo, .done == .planned]')" = '["purged",null,true]' ]
}

@test "delete --json at a terminal: shown and asked on standard error" {
	n=$(ids --sasl "$JOE" | wc -l)
	out=$BATS_TEST_TMPDIR/out
	for answer in no "$n"; do
		OUT=$out at_terminal "$answer" -Q "$Q" delete --json --sasl "$JOE"
		[[ $output == *"delete $n messages, "*"accounts "*"Type $n to delete"* ]]
		[ "$(jq .exit_status "$out")" -eq "$status" ]
		[ "$(jq .done "$out")" -eq "$([ "$answer" = no ] && echo 0 || echo "$n")" ]
	done
	[ "$status" -eq 0 ]
}

@test "undo --json: all, what stays, and nothing to do" {
	answer 1 undo
	[ "$(member '[.command, .transaction, .matched, .error]')" = '["undo",null,null,"there is nothing to undo"]' ]
	before=$(queue_files)
	"$QTOOL" -Q "$Q" delete --sasl "$JOE" --queue deferred --yes
	n=$("$QTOOL" -Q "$Q" history --json | jq '.[0].staged')
	path=$(comm -13 <(queue_files | cut -d' ' -f1) <(cut -d' ' -f1 <<<"$before") |
	    grep '^deferred/' | head -1)
	echo usurper >"$Q/$path"
	answer 3 undo --in-place
	[ "$(member '[.transaction, .state, .planned, .done, .changed]')" = "[1,\"undoing\",$n,$((n - 1)),1]" ]
	[ "$(member .messages)" = "[{\"queue_name\":\"deferred\",\"queue_id\":\"${path##*/}\",\"fate\":\"changed\"}]" ]
	answer 3 recover
	[ "$(member '[.command, .matched, .done, .changed]')" = '["recover",1,0,1]' ]
	[[ $(member .error) == *"still undoing"* ]]
	rm "$Q/$path"
	answer 0 undo 1 --in-place
	[ "$(member '[.state, .error]')" = '["undone",null]' ]
	answer 4 undo 1
	[ "$(member '[.transaction, .state]')" = '[1,"undone"]' ]
	[[ $(member .error) == *"is undone"* ]]
}

@test "purge --json: one, several, refused" {
	"$QTOOL" -Q "$Q" delete --sasl "$JOE" --yes
	"$QTOOL" -Q "$Q" delete --sasl "!$JOE" --yes
	n=$("$QTOOL" -Q "$Q" history --json | jq '.[0].staged')
	m=$("$QTOOL" -Q "$Q" history --json | jq '.[1].staged')
	answer 0 purge 1 -n
	[ "$(member '[.transaction, .state, .dry_run, .planned, .done, .undo]')" = "[1,\"committed\",true,$n,0,null]" ]
	answer 4 purge 1
	[ "$(member '[.state, .done]')" = '["committed",0]' ]
	answer 0 purge --all-committed --yes
	[ "$(member '[.transaction, .state, .planned, .done]')" = "[null,null,$((n + m)),$((n + m))]" ]
	[ "$(member .transactions)" = "[{\"transaction\":1,\"state\":\"purged\",\"done\":$n},{\"transaction\":2,\"state\":\"purged\",\"done\":$m}]" ]
	answer 4 purge 1 --yes
	[[ $(member .error) == *"is purged"* ]]
	answer 1 purge --all-committed --yes
	answer 2 purge
}

@test "recover --json: nothing to do, and a purge that was killed" {
	answer 0 recover
	[ "$(member '[.matched, .done, .transactions, .error]')" = '[0,0,[],null]' ]
	"$QTOOL" -Q "$Q" delete --all --yes
	export ASAN_OPTIONS=${ASAN_OPTIONS:-}:detect_leaks=0
	run strace -f -o /dev/null -e trace=unlinkat -e inject=unlinkat:signal=KILL:when=3 \
	    "$QTOOL" -Q "$Q" purge 1 --yes
	[ "$status" -ne 0 ]
	answer 0 recover
	[ "$(member '[.transaction, .state, .done == .matched, .done > 0]')" = '[1,"purged",true,true]' ]
}
