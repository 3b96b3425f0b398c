#!/usr/bin/env bats
# --plan and qtool apply: what is planned today is carried out tomorrow, exactly.

load common
load changes

setup() {
	Q=$BATS_TEST_TMPDIR/q
	P=$BATS_TEST_TMPDIR/plan
	practice_queue "$Q" 40
	mkdir -p "$Q/maildrop"
}

@test "--plan writes a plan, shows what is in it, and changes nothing" {
	before=$(tree "$Q")
	n=$(ids --sasl "$JOE" | wc -l)
	run_q -Q "$Q" delete --sasl "$JOE" --plan "$P"
	expect_status 0
	[[ ${lines[0]} == "would delete $n messages, "* ]]
	[[ $output == *"least like the others"*"$n messages planned, and nothing was changed; to carry it out: qtool -Q $Q apply $P" ]]
	[ "$(stat -c %a "$P")" = 600 ]
	[ "$(tree "$Q")" = "$before" ]
	# a plan that is there is somebody's
	run_q -Q "$Q" delete --all --plan "$P"
	expect_status 2
	[ -z "$output" ]
	[[ $stderr == *"$P: the file is there already"* ]]
	run_q -Q "$Q" delete --all --plan "$BATS_TEST_TMPDIR/no/plan"
	[ "$status" -eq 5 ]
	run_q -Q "$Q" hold --sasl nobody@nowhere.example --plan "$P.none"
	expect_status 1
	[ ! -e "$P.none" ]
	run_q -Q "$Q" delete --all --plan "$P.n" -n
	expect_status 0
	[ ! -e "$P.n" ]
	run_q -Q "$Q" delete --all --plan "$P.purge" --purge
	expect_status 2
	[[ $stderr == *"does not purge"* ]]
}

@test "apply shows whose plan it is, asks for the count, and carries it out" {
	mine=$(ids --sasl "$JOE")
	n=$(wc -l <<<"$mine")
	"$QTOOL" -Q "$Q" delete --sasl "$JOE" --plan "$P" --note 'ticket 4711'
	before=$(queue_files)
	run_q -Q "$Q" apply -n "$P"
	expect_status 0
	[[ ${lines[0]} == "would delete $n messages, "*"(deferred "*", hold "*")" ]]
	[[ $output == *"planned "*" UTC, "*" ago"*"by "*"on "*"$Q"*"command "*"delete --sasl $JOE --plan $P --note 'ticket 4711'"*"note "*"ticket 4711"* ]]
	run_q -Q "$Q" apply "$P"
	expect_status 4
	[[ $stderr == *"no terminal to ask at whether to delete"* ]]
	at_terminal no -Q "$Q" apply "$P"
	[ "$status" -eq 4 ]
	[[ $output == *"Type $n to delete $n messages: "*"not confirmed"* ]]
	run_q -Q "$Q" apply "$P" --yes --expect 3
	expect_status 4
	[[ $stderr == *"the plan is of $n, and --expect says 3"* ]]
	run_q -Q "$Q" apply "$P" --yes --max 3
	expect_status 4
	diff <(echo "$before") <(queue_files)
	at_terminal "$n" -Q "$Q" apply "$P"
	[ "$status" -eq 0 ]
	[[ $output == *"transaction 1: deleted $n messages; to undo: qtool -Q $Q undo 1"* ]]
	[ -z "$(ids --sasl "$JOE")" ]
	[ "$("$QTOOL" -Q "$Q" history --json | jq -r '.[0].reason')" = 'ticket 4711' ]
}

@test "mail that has come since is not part of it" {
	"$QTOOL" -Q "$Q" hold --all --plan "$P"
	fixture_queue "$Q" accepted/plain
	run_q -Q "$Q" apply "$P" --yes
	expect_status 0
	[ "$(where "$(id_of "$Q" accepted/plain)")" = deferred ]
}

@test "what is gone or not as it was is named and left: exit 3; --strict refuses all" {
	"$QTOOL" -Q "$Q" hold --sasl "$JOE" --plan "$P"
	read -r tried sent taken <<<"$("$QTOOL" -Q "$Q" list --sasl "$JOE" --queue deferred --format ids | head -3 | tr '\n' ' ')"
	n=$("$QTOOL" -Q "$Q" list --sasl "$JOE" --queue deferred --format ids | wc -l)
	touch -d '+10 minutes' "$(find "$Q/deferred" -name "$tried")"
	rm "$(find "$Q/deferred" -name "$sent")"
	file=$(find "$Q/deferred" -name "$taken")
	mv "$file" "$BATS_TEST_TMPDIR/kept"
	cp "$BATS_TEST_TMPDIR/kept" "$file"
	before=$(queue_files)
	run_q -Q "$Q" apply "$P" --yes --strict
	expect_status 4
	[[ $stderr == *"nothing was changed" ]]
	diff <(echo "$before") <(queue_files)
	answer 3 apply "$P" --yes
	[ "$(member '[.command, .plan, .planned, .done, .gone + .changed]')" = "[\"apply\",\"$P\",$n,$((n - 3)),3]" ]
	[ "$(member '[.messages[].queue_id] | sort' )" = "$(jq -nc --arg a "$tried" --arg b "$sent" --arg c "$taken" '[$a,$b,$c] | sort')" ]
	[[ $stderr == *"$tried: changed"* ]]
	[ "$(where "$tried") $(where "$taken")" = "deferred deferred" ]
}

@test "the risks of a release are looked for when it is planned, and that is said" {
	"$QTOOL" -Q "$Q" hold --all --yes
	"$QTOOL" -Q "$Q" delete --sasl "$JOE" --yes
	"$QTOOL" -Q "$Q" undo
	run_q -Q "$Q" release --all --plan "$P"
	expect_status 4
	[ ! -e "$P" ]
	run_q -Q "$Q" release --all --skip deleted --plan "$P"
	expect_status 0
	run_q -Q "$Q" apply "$P" --yes
	expect_status 0
	[[ $stderr == *"too old to be released was looked for when this was planned, "*" ago"* ]]
	[[ $output == *"released "*" into deferred"* ]]
	[ "$(where "$("$QTOOL" -Q "$Q" list --sasl "$JOE" --format ids | head -1)")" = hold ]
	run_q -Q "$Q" requeue --sasl "!$JOE" --plan "$P.requeue"
	expect_status 0
	run_q -Q "$Q" apply "$P.requeue" --yes
	expect_status 0
	[[ $output == *"requeued "* ]]
}

@test "a plan of another queue, a damaged one, and what is none" {
	"$QTOOL" -Q "$Q" hold --all --plan "$P"
	practice_queue "$Q.other" 40
	run_q -Q "$Q.other" apply "$P" --yes
	expect_status 4
	[[ $stderr == *"made for another queue: $Q"* ]]
	sed 's/\t7[0-9][0-9]\t/\t700\t/; 2s/[0-9]/1/3' "$P" >"$P.bad"
	head -c -3 "$P" >"$P.short"
	echo hello >"$P.none"
	: >"$P.empty"
	for bad in bad short none empty; do
		run_q -Q "$Q" apply "$P.$bad" --yes
		[ "$status" -eq 5 ] || { echo "$bad: $status $stderr"; false; }
		[[ $stderr == *"$P.$bad"* ]]
	done
	run_q -Q "$Q" apply "$P.missing" --yes
	expect_status 5
	run_q -Q "$Q" apply
	expect_status 2
	[ ! -e "$Q/qtool" ]
}

@test "a plan from another hand drives no terminal" {
	"$QTOOL" -Q "$Q" delete --subject $'x\x1b[31m' --sasl "$JOE" -w "1 OR 'a'='a'" --all --plan "$P" || true
	"$QTOOL" -Q "$Q" delete --subject $'[^\x1b]' --plan "$P.2"
	run_q -Q "$Q" apply -n "$P.2"
	expect_status 0
	is_harmless <<<"$output$stderr"
	[[ $output == *'\x1B'* ]]
}

@test "a plan is carried out once; after an undo it is redone, not applied again" {
	"$QTOOL" -Q "$Q" delete --sasl "$JOE" --queue deferred --plan "$P"
	before=$(queue_files)
	run_q -Q "$Q" apply "$P" --yes --note 'as agreed'
	expect_status 0
	[ "$("$QTOOL" -Q "$Q" history --json | jq -r '.[0].reason')" = 'as agreed' ]
	after=$(queue_files)
	run_q -Q "$Q" apply "$P" --yes
	[ "$status" -ne 0 ]
	"$QTOOL" -Q "$Q" undo --in-place
	# they have been moved about since they were judged
	run_q -Q "$Q" apply "$P" --yes
	expect_status 5
	[[ $stderr == *"none of these messages is there as it was any more"* ]]
	diff <(echo "$before") <(queue_files)
	run_q -Q "$Q" undo --redo
	expect_status 0
	diff <(echo "$after") <(queue_files)
}
