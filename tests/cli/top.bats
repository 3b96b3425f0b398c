#!/usr/bin/env bats
# qtool top: counts that are right, by any column, in every format.

load common

setup_file() {
	practice_queue "$BATS_FILE_TMPDIR/q" 300
}

setup() {
	Q=$BATS_FILE_TMPDIR/q
}

@test "by login it equals what was put in" {
	want=$(cut -f1-3 "$Q.truth" | sort)
	got=$("$QTOOL" -Q "$Q" top --json |
	    jq -r '.[] | [.sasl_username // "-", .messages, .recipients] | @tsv' | sort)
	[ "$want" = "$got" ] || { diff <(echo "$want") <(echo "$got"); false; }
}

@test "the compromised account stands first, its senders and clients counted" {
	run_q -Q "$Q" top --format jsonl
	expect_status 0
	[ "$(jq -r .sasl_username <<<"${lines[0]}")" = anna.keller@victim.example ]
	senders=$("$QTOOL" -Q "$Q" list --sasl anna.keller@victim.example --columns sender --format ids | sort -u | wc -l)
	clients=$("$QTOOL" -Q "$Q" list --sasl anna.keller@victim.example --columns client_address --format ids | sort -u | wc -l)
	[ "$(jq .senders <<<"${lines[0]}")" -eq "$senders" ]
	[ "$(jq .clients <<<"${lines[0]}")" -eq "$clients" ]
}

@test "shares add up and first is not after last" {
	run_q -Q "$Q" top --json
	expect_status 0
	[ "$(jq '[.[].messages] | add' <<<"$output")" -eq 300 ]
	[ "$(jq '[.[].share] | add | (. > 99 and . < 101)' <<<"$output")" = true ]
	[ "$(jq 'all(.[]; .first <= .last)' <<<"$output")" = true ]
}

@test "the table names what has no login, and draws a bar" {
	run_q -Q "$Q" top
	expect_status 0
	[[ $output == *"(no login)"* ]]
	[[ ${lines[1]} == *"%"*"###"* ]]
}

@test "by several columns" {
	run_q -Q "$Q" top -b queue_name,class --json
	expect_status 0
	[ "$(jq '[.[].messages] | add' <<<"$output")" -eq 300 ]
	want=$("$QTOOL" -Q "$Q" list --queue hold --class forged --format ids | wc -l)
	[ "$(jq '.[] | select(.queue_name == "hold" and .class == "forged") | .messages' <<<"$output")" -eq "$want" ]
}

@test "--sort recipients, bytes" {
	for by in messages recipients bytes; do
		run_q -Q "$Q" top --sort $by --json
		expect_status 0
		[ "$(jq "[.[].$by] | . == (sort | reverse)" <<<"$output")" = true ]
	done
	run_q -Q "$Q" top --sort weight
	expect_status 2
}

@test "--limit: 20 in a table and said, all elsewhere, 0 is all" {
	n=$("$QTOOL" -Q "$Q" top -b sender --json | jq length)
	[ "$n" -gt 20 ]
	run_q -Q "$Q" top -b sender
	expect_status 0
	[ "${#lines[@]}" -eq 21 ]
	[[ $stderr == *"20 of $n"* ]]
	run_q -Q "$Q" top -b sender -n 0
	[ "${#lines[@]}" -eq $((n + 1)) ]
	[ "$("$QTOOL" -Q "$Q" top -b queue_id -n 3 --format ids | wc -l)" -eq 3 ]
}

@test "the selection narrows it, down to nothing" {
	run_q -Q "$Q" top --sasl anna.keller@victim.example --json
	expect_status 0
	[ "$(jq length <<<"$output")" -eq 1 ]
	[ "$(jq '.[0].share' <<<"$output")" = 100 ]
	run_q -Q "$Q" top --sasl nobody@nowhere.example --json
	expect_status 1
	[ "$(jq length <<<"$output")" -eq 0 ]
}

@test "a column that does not exist: exit 2 and the closest" {
	run_q -Q "$Q" top -b sender_doman
	expect_status 2
	[[ $stderr == *"sender_domain"* ]]
	run_q -Q "$Q" top -b 'count(*)'
	expect_status 2
}

@test "the same at --jobs 1 and --jobs 8" {
	for by in sasl_username sender_domain client_address,helo_name; do
		a=$("$QTOOL" -Q "$Q" top -b $by --jobs 1 --json)
		b=$("$QTOOL" -Q "$Q" top -b $by --jobs 8 --json)
		[ "$a" = "$b" ]
	done
}

@test "what is no message is not counted, but said: exit 3" {
	fixture_queue "$BATS_TEST_TMPDIR/h" accepted/plain places/fifo places/symlink places/directory
	run_q -Q "$BATS_TEST_TMPDIR/h" top --json
	expect_status 3
	[ "$(jq '[.[].messages] | add' <<<"$output")" -eq 1 ]
	[[ $stderr == *foreign* ]]
}

@test "a hostile group value is escaped" {
	fixture_queue "$BATS_TEST_TMPDIR/e" content/subject-escape-sequences accepted/lf-in-sender
	for format in table csv tsv json; do
		"$QTOOL" -Q "$BATS_TEST_TMPDIR/e" top -b subject,sender --format $format >"$BATS_TEST_TMPDIR/out"
		is_harmless $format <"$BATS_TEST_TMPDIR/out"
	done
}

@test "--explain does not run it" {
	run_q -Q "$Q" top --explain --null-sender
	expect_status 0
	[[ $output == *"GROUP BY sasl_username"* ]]
	[[ $output != *anna.keller* ]]
}

@test "80 columns hold the table, with every login whole" {
	TERM=dumb run -0 script -qec "stty cols 80; '$QTOOL' -Q '$Q' top" /dev/null
	[ "$(wc -L <<<"$output")" -le 80 ]
	[[ $output == *anna.keller@victim.example* && $output == *"%"* ]]
	TERM=dumb run -0 script -qec "stty cols 160; '$QTOOL' -Q '$Q' top" /dev/null
	[[ $output == *bytes*first*last*share*"###"* ]]
}

# Too many groups to be counted in memory: SQL does it, and reads all once more.
@test "so many groups that they are sorted on disk: the same counts, and nothing said twice" {
	by=queue_id,path,message_id,subject,sender,sasl_username,client_address,helo_name
	practice_queue "$BATS_TEST_TMPDIR/m" 20000
	ln -s nowhere "$BATS_TEST_TMPDIR/m/hold/bad"
	strace -f -qq -e trace=openat -o "$BATS_TEST_TMPDIR/calls" env ASAN_OPTIONS=detect_leaks=0 \
	    "$QTOOL" -Q "$BATS_TEST_TMPDIR/m" top -b $by --format tsv \
	    >"$BATS_TEST_TMPDIR/out" 2>"$BATS_TEST_TMPDIR/err" || [ $? -eq 3 ]
	[ "$(wc -l <"$BATS_TEST_TMPDIR/calls")" -gt 40000 ] # it was the way meant here
	[ "$(wc -l <"$BATS_TEST_TMPDIR/out")" -eq 20001 ]
	[ "$(cut -f9 "$BATS_TEST_TMPDIR/out" | sort | uniq -c | tr -s ' ')" = " 20000 1
 1 messages" ]
	grep -q "^qtool: 1 of 20001 entries is no message.* 1 foreign" "$BATS_TEST_TMPDIR/err"
}
