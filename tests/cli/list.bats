#!/usr/bin/env bats
# qtool list: formats, columns, order, selections, a hostile queue.

load common

setup_file() {
	practice_queue "$BATS_FILE_TMPDIR/q" 300
	hostile_queue "$BATS_FILE_TMPDIR/h"
}

setup() {
	Q=$BATS_FILE_TMPDIR/q
	H=$BATS_FILE_TMPDIR/h
}

# Every entry below the queue directories but the hash directories.
files_in() {
	(cd "$1" && find maildrop incoming active deferred hold corrupt saved \
	    -mindepth 1 ! \( -type d -name '?' \) -printf x) | wc -c
}

@test "every message is one line, one object, one ID" {
	[ "$("$QTOOL" -Q "$Q" list | wc -l)" -eq 301 ]
	[ "$("$QTOOL" -Q "$Q" list --format jsonl | wc -l)" -eq 300 ]
	[ "$("$QTOOL" -Q "$Q" list --json | jq length)" -eq 300 ]
	[ "$("$QTOOL" -Q "$Q" list --format csv | wc -l)" -eq 301 ]
	[ "$("$QTOOL" -Q "$Q" list --format tsv | wc -l)" -eq 301 ]
	[ "$("$QTOOL" -Q "$Q" list --format ids | sort -u | wc -l)" -eq 300 ]
	[ "$("$QTOOL" -Q "$Q" list --format ids0 | tr -dc '\0' | wc -c)" -eq 300 ]
}

@test "JSON has postqueue's members first and in its order" {
	run_q -Q "$Q" list --format jsonl --limit 1
	expect_status 0
	[ "$(jq -c 'keys_unsorted[0:7]' <<<"$output")" = \
	    '["queue_name","queue_id","arrival_time","message_size","forced_expire","sender","recipients"]' ]
	[ "$(jq -c '[has("body"), has("sha256")]' <<<"$output")" = '[false,false]' ]
	[[ $output == '{"queue_name": "'* ]]
}

@test "a null sender is MAILER-DAEMON in JSON, as postqueue has it" {
	run_q -Q "$Q" list --null-sender --format jsonl
	expect_status 0
	[ "$(jq -r .sender <<<"$output" | sort -u)" = MAILER-DAEMON ]
	[ "$(jq -r .class <<<"$output" | sort -u)" = bounce ]
}

@test "--json is --format json" {
	[ "$("$QTOOL" -Q "$Q" list --json)" = "$("$QTOOL" -Q "$Q" list --format json)" ]
}

@test "--columns: these, in this order; costly ones when named" {
	run_q -Q "$Q" list --columns sha256,queue_id,path --format csv --limit 1
	expect_status 0
	[ "${lines[0]}" = '"sha256","queue_id","path"' ]
	path=$(cut -d'"' -f6 <<<"${lines[1]}")
	sum=$(sha256sum <"$Q/$path" | cut -d' ' -f1)
	[[ ${lines[1]} == "\"$sum\""* ]]
}

@test "--sort and --limit" {
	run_q -Q "$Q" list --sort message_size:desc --columns message_size --format ids
	expect_status 0
	[ "$output" = "$(sort -rn <<<"$output")" ]
	[ "${#lines[@]}" -eq 300 ]
	run_q -Q "$Q" list --sort message_size --columns message_size --format ids --limit 7
	[ "$output" = "$(sort -n <<<"$output")" ]
	[ "${#lines[@]}" -eq 7 ]
}

@test "the table has mailq's marks" {
	fixture_queue "$BATS_TEST_TMPDIR/m" places/in-active places/in-hold modes/force-expired
	run_q -Q "$BATS_TEST_TMPDIR/m" list
	expect_status 0
	[[ $output == *"$(id_of "$BATS_TEST_TMPDIR/m" in-active)* "* ]]
	[[ $output == *"$(id_of "$BATS_TEST_TMPDIR/m" in-hold)! "* ]]
	[[ $output == *"$(id_of "$BATS_TEST_TMPDIR/m" force-expired)# "* ]]
	# and they are taken as operands
	run_q -Q "$BATS_TEST_TMPDIR/m" list --format ids \
	    "$(id_of "$BATS_TEST_TMPDIR/m" in-hold)!" "$(id_of "$BATS_TEST_TMPDIR/m" in-active)*"
	expect_status 0
	[ "${#lines[@]}" -eq 2 ]
}

@test "by login: as many as there are, whatever its case" {
	login=anna.keller@victim.example
	n=$(awk -F'\t' -v l=$login '$1 == l {print $2}' "$Q.truth")
	[ "$n" -gt 0 ]
	[ "$("$QTOOL" -Q "$Q" list --sasl $login --format ids | wc -l)" -eq "$n" ]
	[ "$("$QTOOL" -Q "$Q" list --sasl ${login^^} --format ids | wc -l)" -eq "$n" ]
	[ "$("$QTOOL" -Q "$Q" list --sasl "!$login" --format ids | wc -l)" -le $((300 - n)) ]
	# nothing matches by being part of something
	run_q -Q "$Q" list --sasl anna.keller
	expect_status 1
}

@test "options are AND, values of one are OR" {
	a=$("$QTOOL" -Q "$Q" list --sasl anna.keller@victim.example --format ids | wc -l)
	b=$("$QTOOL" -Q "$Q" list --sasl ben.ortiz@branch.example --format ids | wc -l)
	[ "$("$QTOOL" -Q "$Q" list --sasl anna.keller@victim.example \
	    --sasl ben.ortiz@branch.example --format ids | wc -l)" -eq $((a + b)) ]
	h=$("$QTOOL" -Q "$Q" list --sasl anna.keller@victim.example --queue hold --format ids | wc -l)
	d=$("$QTOOL" -Q "$Q" list --sasl anna.keller@victim.example --queue deferred --format ids | wc -l)
	[ $((h + d)) -eq "$a" ]
}

@test "--ids from a file, from standard input" {
	"$QTOOL" -Q "$Q" list --format ids --limit 5 >"$BATS_TEST_TMPDIR/ids"
	run_q -Q "$Q" list --ids "$BATS_TEST_TMPDIR/ids" --format ids
	expect_status 0
	[ "$(sort <<<"$output")" = "$(sort "$BATS_TEST_TMPDIR/ids")" ]
	n=$("$QTOOL" -Q "$Q" list --ids - --format ids <"$BATS_TEST_TMPDIR/ids" | wc -l)
	[ "$n" -eq 5 ]
}

@test "nothing matched is exit 1 and an empty but whole document" {
	run_q -Q "$Q" list --sasl nobody@nowhere.example --json
	expect_status 1
	[ "$(jq length <<<"$output")" -eq 0 ]
	run_q -Q "$Q" list --sasl nobody@nowhere.example --format ids
	expect_status 1
	[ -z "$output" ]
}

@test "nothing matched: said on a terminal, silent in a script" {
	export TERM=dumb
	for cmd in "list --sasl nobody" "top --sasl nobody"; do
		run -1 script -qec "'$QTOOL' -Q '$Q' $cmd" /dev/null
		[[ $output == *"no message matches"*"--explain"* ]]
		run -1 script -qec "'$QTOOL' -Q '$Q' $cmd --quiet" /dev/null
		[ -z "$output" ]
		# shellcheck disable=SC2086 # words
		run_q -Q "$Q" $cmd
		expect_status 1
		[ -z "$output$stderr" ]
	done
	run -1 script -qec "'$QTOOL' -Q '$Q' query 'SELECT 1 WHERE 0'" /dev/null
	[[ $output == *"no row"* ]]
}

@test "--explain: the SQL, the parameters, and what each clause keeps" {
	run_q -Q "$Q" list --explain --sasl anna.keller@victim.example --queue hold
	expect_status 0
	[[ $output == *"SELECT "*"FROM messages WHERE"* ]]
	[[ $output == *anna.keller@victim.example* ]]
	n=$("$QTOOL" -Q "$Q" list --sasl anna.keller@victim.example --format ids | wc -l)
	h=$("$QTOOL" -Q "$Q" list --queue hold --format ids | wc -l)
	both=$("$QTOOL" -Q "$Q" list --sasl anna.keller@victim.example --queue hold --format ids | wc -l)
	grep -Eq "^ +300  \(every" <<<"$output"
	grep -Eq "^ +$n  .*sasl" <<<"$output"
	grep -Eq "^ +$h  .*queue" <<<"$output"
	grep -Eq "^ +$both  \(all" <<<"$output"
}

@test "the same output at --jobs 1 and --jobs 8" {
	for spool in "$Q" "$H"; do
		for format in table json jsonl csv tsv ids; do
			for jobs in 1 8; do
				"$QTOOL" -Q "$spool" list --jobs $jobs --format $format \
				    --columns queue_id,path,state,error,sender,recipients,subject,delay_reason \
				    >"$BATS_TEST_TMPDIR/$jobs" 2>&1 || true
			done
			cmp "$BATS_TEST_TMPDIR/1" "$BATS_TEST_TMPDIR/8"
			[ -s "$BATS_TEST_TMPDIR/1" ]
		done
	done
}

@test "a hostile queue: every entry one row, exit 3, and the remark" {
	n=$("$QTOOL" -Q "$H" list --columns path --format ids0 2>/dev/null | tr -dc '\0' | wc -c)
	[ "$n" -eq "$(files_in "$H")" ]
	run_q -Q "$H" list --format jsonl
	expect_status 3
	[[ $stderr == *corrupt*misplaced*foreign*"--state corrupt,foreign,misplaced"* ]]
	[ "$(jq -r .path <<<"$output" | sort | uniq -d | wc -l)" -eq 0 ]
}

@test "the command that the remark names works and shows them" {
	run_q -Q "$H" list
	expect_status 3
	hint=$(sed -n 's/.*to see them: qtool //p' <<<"$stderr")
	[ -n "$hint" ]
	run --separate-stderr bash -c "\"$QTOOL\" $hint"
	expect_status 3
	[[ $output == *corrupt* && $output == *foreign* && $output == *misplaced* ]]
	[[ $output != *" ok "* ]]
}

@test "each hostile fixture has the state it must have" {
	bad=0
	while IFS=$'\t' read -r fixture _ id expect; do
		[[ $id == *\\* ]] && continue # names with escapes: another test
		got=$("$QTOOL" -Q "$BATS_TEST_TMPDIR/one" list --columns state --format ids "$id" 2>/dev/null) || true
		[ -n "$got" ] || got=none
		if [ "$got" != "$expect" ]; then
			echo "$fixture: $got, not $expect"
			bad=1
		fi
	done < <("$TOOLS/mkqueue" -e "$BATS_TEST_TMPDIR/one" \
	    "$FIXTURES"/places/*.txt "$FIXTURES"/modes/*.txt)
	[ "$bad" -eq 0 ]
}

@test "reading changes nothing" {
	before=$(tree "$H")
	for cmd in "list --json" "list --columns body,sha256 --json" "top" "status"; do
		# shellcheck disable=SC2086
		"$QTOOL" -Q "$H" $cmd >/dev/null 2>&1 || true
	done
	[ "$before" = "$(tree "$H")" ]
}

@test "no format lets a control character through" {
	for format in table csv tsv json jsonl; do
		"$QTOOL" -Q "$H" list --format $format >"$BATS_TEST_TMPDIR/out" 2>"$BATS_TEST_TMPDIR/err" || true
		is_harmless $format <"$BATS_TEST_TMPDIR/out" || { echo "$format"; false; }
		is_harmless <"$BATS_TEST_TMPDIR/err" || { echo "$format: stderr"; false; }
		"$QTOOL" -Q "$H" list --format $format --columns queue_id,sender,subject,error,delay_reason \
		    >"$BATS_TEST_TMPDIR/out" 2>/dev/null || true
		is_harmless $format <"$BATS_TEST_TMPDIR/out" || { echo "$format"; false; }
	done
}

@test "a hostile subject: shown, escaped for its medium" {
	fixture_queue "$BATS_TEST_TMPDIR/s" content/subject-escape-sequences \
	    content/subject-formula content/subject-bidi
	run_q -Q "$BATS_TEST_TMPDIR/s" list --columns subject
	expect_status 0
	[[ $output == *'\x1B[2J'* ]]
	[[ $output == *'\u{202E}'* ]]
	run_q -Q "$BATS_TEST_TMPDIR/s" list --columns subject --format json
	[ "$(jq -r '.[].subject' <<<"$output" | grep -c $'\033')" -eq 1 ]
	run_q -Q "$BATS_TEST_TMPDIR/s" list --columns subject --format csv
	grep -q "^\"'[=+@-]" <<<"$output"
}

@test "what is JSON is valid JSON, whatever is in the queue" {
	"$QTOOL" -Q "$H" list --json 2>/dev/null | jq empty
	"$QTOOL" -Q "$H" list --columns queue_id,body,subject,recipients --json 2>/dev/null | jq empty
}

@test "tables: a byte that is no UTF-8 is escaped once, a login's backslash not" {
	local q=$BATS_TEST_TMPDIR/q login='DOMAIN\tom'
	fixture_queue "$q" content/subject-8bit-latin1
	sed 's/^A sasl_username=.*/A sasl_username=DOMAIN\\\\tom/' \
	    "$FIXTURES/origins/smtpd-login.txt" >"$BATS_TEST_TMPDIR/login.txt"
	"$TOOLS/mkqueue" "$q" "$BATS_TEST_TMPDIR/login.txt"
	run_q -Q "$q" list -C subject --subject '^K'
	expect_status 0
	[ "${lines[1]}" = 'K\xF6ln' ]
	# what a table or a hint shows can be given back as it stands
	run_q -Q "$q" top
	[[ $output == *"$login"* && $output != *'\\'* ]]
	run_q -Q "$q" status
	[[ $output == *"--sasl '$login'"* && $output != *'\\'* ]]
	run_q -Q "$q" list --sasl "$login"
	expect_status 0
	run_q -Q "$q" delete -n --sasl "$login"
	expect_status 0
	[[ $output == *"$login"* && $output != *'\\'* ]]
}

@test "the table of several queues tells them apart" {
	local two=$BATS_TEST_TMPDIR/two
	fixture_queue "$two" accepted/plain
	run_q -Q "$Q" -Q "$two" list --sort host
	expect_status 0
	[[ ${lines[0]} == host\ * ]]
	[ "$(grep -c "^$two " <<<"$output")" -eq 1 ]
	[ "$(grep -c "^$Q " <<<"$output")" -eq 300 ]
	run_q -Q "$Q" list --limit 1
	[[ ${lines[0]} == queue_id\ * ]]
}

@test "a foreign file's long name makes no other line wide" {
	local q=$BATS_TEST_TMPDIR/q name
	fixture_queue "$q" accepted/plain
	name=$(printf 'A%.0s' {1..250})
	touch "$q/deferred/$name"
	run_q -Q "$q" list
	expect_status 3
	[[ $output == *"$name"* ]]
	[ "$(grep -v "$name" <<<"$output" | wc -L)" -lt 160 ]
	TERM=dumb run script -qec "stty cols 120; '$QTOOL' -Q '$q' list 2>/dev/null" /dev/null
	[ "$(wc -L <<<"$output")" -le 125 ]
}

@test "--body finds what a reader sees, and what is stored" {
	local q=$BATS_TEST_TMPDIR/b qp alt
	fixture_queue "$q" content/body-latin1-qp content/mime-alternative content/html accepted/plain \
	    content/body-latin1-8bit
	qp=$(id_of "$q" content/body-latin1-qp)
	alt=$(id_of "$q" content/mime-alternative)
	run_q -Q "$q" list --body 'wird gelöscht' --format ids
	expect_status 0
	[ "$output" = "$qp" ]
	run_q -Q "$q" list --body 'gel=F6scht|wird ge=' --format ids
	[ "$output" = "$qp" ]
	run_q -Q "$q" list --body '(?m)^Grüße aus Köln$' --older 1h --format ids
	[ "$output" = "$alt" ]
	# as one condition among others, and negated
	run_q -Q "$q" list --body 'Grüße aus' --sasl nobody --format ids
	expect_status 1
	run_q -Q "$q" list --body '!Grüße aus' --body '!gelöscht' --format ids
	[ "${#lines[@]}" -eq 3 ]
	[[ $output != *$qp* && $output != *$alt* ]]
	run_q -Q "$q" list --body '^Mäuse' --format ids
	[ "$output" = "$(id_of "$q" content/body-latin1-8bit)" ]
	run_q -Q "$q" query --format tsv \
	    "SELECT body_text(headers_text, body) FROM messages WHERE queue_id = '$qp'"
	[ "${lines[1]}" = 'Ihr Konto wird gelöscht.\n' ]
}

@test "a body of parts in parts, as deep as they may be, is read to an end" {
	local q=$BATS_TEST_TMPDIR/d n
	{
		sed '/^N Subject/,$d' "$FIXTURES/content/html.txt"
		for ((n = 0; n < 3000; n++)); do
			printf 'N Content-Type: multipart/mixed; boundary=b%d\nN\nN --b%d\n' $n $n
		done
		printf 'N Content-Type: text/plain\nN\nN the end of it\nX\nE\n'
	} >"$BATS_TEST_TMPDIR/deep.txt"
	"$TOOLS/mkqueue" "$q" "$BATS_TEST_TMPDIR/deep.txt"
	run_q -Q "$q" list --body 'the end of it' --format ids
	expect_status 0
	run_q -Q "$q" query --format tsv "SELECT length(body_text(headers_text, body)) < 16777216 FROM messages"
	expect_status 0
	[ "${lines[1]}" = 1 ]
}

@test "what another command says can be given like a file" {
	local id
	practice_queue "$BATS_TEST_TMPDIR/q" 20
	id=$("$QTOOL" -Q "$BATS_TEST_TMPDIR/q" list --format ids --limit 1)
	run_q -Q "$BATS_TEST_TMPDIR/q" list --format ids --ids <(echo "$id")
	expect_status 0
	[ "$output" = "$id" ]
}
