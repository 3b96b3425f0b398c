#!/usr/bin/env bats
# qtool show: for reading, as records, as mail, as an object.

load common

setup_file() {
	practice_queue "$BATS_FILE_TMPDIR/q" 60
	fixture_queue "$BATS_FILE_TMPDIR/f" accepted content origins edits logs \
	    malformed maildrop modes
}

setup() {
	Q=$BATS_FILE_TMPDIR/q
	F=$BATS_FILE_TMPDIR/f
}

# show_fixture FIXTURE ARGS...
show_fixture() {
	local id
	id=$(id_of "$F" "$1")
	[ -n "$id" ]
	shift
	run_q -Q "$F" show "$@" "$id"
}

@test "who sent it: login, client with port, HELO, times, place" {
	show_fixture origins/smtpd-login
	expect_status 0
	[[ $output == *"login  "* && $output == *"HELO "* && $output == *"deferred/"* ]]
	login=$("$QTOOL" -Q "$F" list --columns sasl_username --format ids "$(id_of "$F" smtpd-login)")
	[[ $output == *"$login"* ]]
	port=$("$QTOOL" -Q "$F" list --columns client_port --format ids "$(id_of "$F" smtpd-login)")
	[[ $output == *"]:$port"* ]]
	[[ $output =~ arrived\ .*[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]+Z ]]
}

@test "recipients: state and reason of the last deferral" {
	show_fixture logs/complete
	expect_status 0
	reason=$("$QTOOL" -Q "$F" query --json \
	    "SELECT delay_reason FROM recipients WHERE queue_id = '$(id_of "$F" complete)' AND delay_reason IS NOT NULL LIMIT 1" |
	    jq -r '.[0].delay_reason')
	[ -n "$reason" ]
	[[ $output == *"$reason"* ]]
	show_fixture accepted/recipient-done
	[[ $output =~ recipients.*done ]]
	show_fixture accepted/recipient-cancelled
	[[ $output == *cancelled* ]]
}

@test "RFC 2047 subjects are decoded" {
	show_fixture content/subject-rfc2047
	expect_status 0
	[[ $output == *"Subject: "* ]]
	[[ $output != *"=?"* ]]
}

@test "HTML becomes text; an alternative shows its plain part" {
	show_fixture content/html
	expect_status 0
	body=${output#*$'\n\n'}
	[[ $body != *"<p"* && $body != *"<html"* && $body != *"</"* ]]
	show_fixture content/mime-alternative
	expect_status 0
	[[ $output == *"Parts:"*text/plain*text/html* ]]
}

@test "charsets become UTF-8; what has no text says so" {
	sed "s/^N text$/N caf\\\\xe9/; s/^N Subject: fixture$/N Content-Type: text\/plain; charset=iso-8859-1/" \
	    "$FIXTURES/accepted/plain.txt" >"$BATS_TEST_TMPDIR/latin1.txt"
	sed "s/^N Subject: fixture$/N Content-Type: application\/octet-stream/" \
	    "$FIXTURES/accepted/plain.txt" >"$BATS_TEST_TMPDIR/binary.txt"
	ids=$("$TOOLS/mkqueue" "$BATS_TEST_TMPDIR/m" "$BATS_TEST_TMPDIR"/{latin1,binary}.txt | cut -f3)
	# shellcheck disable=SC2086
	run_q -Q "$BATS_TEST_TMPDIR/m" show $ids
	expect_status 0
	[[ $output == *$'\n\ncafé'* ]]
	[[ $output == *"no text part"* ]]
}

@test "--lines limits the text and says so" {
	id=$("$QTOOL" -Q "$Q" list --sort message_size:desc --limit 1 --format ids)
	run_q -Q "$Q" show "$id" --lines 1
	expect_status 0
	short=${#lines[@]}
	run_q -Q "$Q" show "$id" --lines 0
	[ "${#lines[@]}" -ge "$short" ]
	[[ $output != *"more lines"* ]]
}

@test "escape sequences of a mail do not reach the terminal" {
	for f in content/subject-escape-sequences content/body-nul content/body-bare-cr \
	    content/subject-8bit-latin1 logs/escape-in-reason logs/binary \
	    accepted/escape-in-recipient accepted/lf-in-sender; do
		for args in "--lines 0" "--records --content" "--json"; do
			# shellcheck disable=SC2086
			"$QTOOL" -Q "$F" show $args "$(id_of "$F" "$f")" >"$BATS_TEST_TMPDIR/out"
			is_harmless <"$BATS_TEST_TMPDIR/out" || { echo "$f $args"; false; }
		done
	done
	show_fixture content/subject-escape-sequences
	[[ $output == *'\x1B[2J'* ]]
}

@test "--records has offset, type, label and value of every record" {
	show_fixture accepted/plain --records
	expect_status 0
	[[ $output =~ 0\ +envelope\ +C\ +message_size ]]
	[[ $output =~ envelope\ +S\ +sender\ +[0-9]+\ +alice@example.com ]]
	[[ $output =~ envelope\ +R\ +recipient\ +[0-9]+\ +bob@example.org ]]
	[[ $output != *fixture* ]]
	show_fixture accepted/plain --records --content
	[[ $output =~ content\ +N\ .*"Subject: fixture" ]]
}

# What postcat and --records have in common, one record a line: its offset, its
# label, its value; postcat prints times in words, so of those the value goes.
postcat_records() { # FILE
	postcat -c "$BATS_TEST_TMPDIR/etc" -oev "$1" 2>/dev/null |
	    LC_ALL=C sed -nE 's/^ *([0-9]+) ([a-z_]+): (.*)$/\1 \2 \3/p' |
	    LC_ALL=C sed -E 's/ (message_arrival_time|create_time) .*/ \1/; s/ *$//'
}

qtool_records() { # ID, from the JSON lines of all
	jq -r --arg id "$1" 'select(.queue_id == $id and .label != null
		and .segment != "content" and (.type | test("^[MXE]$") | not))
	    | (.type == "A" and (.value | startswith("create_time="))) as $create
	    | [.offset, (if $create then "create_time" else .label end),
	       (if $create or .type == "T" then "" else .value end)]
	    | map(tostring) | join(" ")' "$BATS_TEST_TMPDIR/records" | sed 's/ *$//'
}

@test "--records equals postcat -oev in offsets, types and values" {
	mkdir -p "$BATS_TEST_TMPDIR/etc"
	printf '%s\n' 'compatibility_level = 3.6' "queue_directory = $F" \
	    >"$BATS_TEST_TMPDIR/etc/main.cf"
	: >"$BATS_TEST_TMPDIR/etc/master.cf"
	# what postcat 3.7 loops on (unfinished files) is not among these
	mapfile -t ids < <(awk -F'\t' '/^(smtpd|sendmail|bounce|add-|change-|delete-|insert-|replace-|all-at|reserved|filter|plain|pointer-chain|recipients-three)/ {print $3}' "$F.made")
	[ "${#ids[@]}" -gt 35 ]
	"$QTOOL" -Q "$F" show --records --format jsonl "${ids[@]}" >"$BATS_TEST_TMPDIR/records"
	"$QTOOL" -Q "$F" list --columns queue_id,path --format tsv "${ids[@]}" >"$BATS_TEST_TMPDIR/paths"
	while read -r id path; do
		[ "$id" != queue_id ] || continue
		postcat_records "$F/$path" >"$BATS_TEST_TMPDIR/a"
		qtool_records "$id" >"$BATS_TEST_TMPDIR/b"
		[ -s "$BATS_TEST_TMPDIR/a" ]
		diff "$BATS_TEST_TMPDIR/a" "$BATS_TEST_TMPDIR/b" || {
			grep "$id" "$F.made"
			false
		}
	done <"$BATS_TEST_TMPDIR/paths"
}

@test "--eml is the mail byte by byte" {
	show_fixture accepted/plain --eml
	expect_status 0
	[ "$output" = $'Subject: fixture\n\ntext' ]
	"$QTOOL" -Q "$F" show --eml "$(id_of "$F" body-nul)" >"$BATS_TEST_TMPDIR/eml"
	[ "$(tr -dc '\0' <"$BATS_TEST_TMPDIR/eml" | wc -c)" -ge 1 ]
	# a line that was stored in fragments is one line
	"$QTOOL" -Q "$F" show --eml "$(id_of "$F" long-line)" >"$BATS_TEST_TMPDIR/eml"
	[ "$(awk '{ if (length($0) > m) m = length($0) } END { print m }' "$BATS_TEST_TMPDIR/eml")" -gt 2048 ]
}

@test "--eml refuses a terminal, exit 4" {
	id=$(id_of "$F" plain)
	run script -qec "$(printf '%q ' "$QTOOL" -Q "$F" show --eml "$id")" /dev/null
	expect_status 4
	[[ $output != *Subject* ]]
}

@test "--eml takes one ID, --content needs --records: exit 2" {
	id=$(id_of "$F" plain)
	run_q -Q "$F" show --eml "$id" "$id"
	expect_status 2
	run_q -Q "$F" show --eml --records "$id"
	expect_status 2
	run_q -Q "$F" show --content "$id"
	expect_status 2
	run_q -Q "$F" show
	expect_status 2
	run_q -Q "$F" show ../../etc/passwd
	expect_status 2
}

@test "an ID that is nowhere is named: exit 1, with others exit 3" {
	run_q -Q "$F" show 0123456789AB
	expect_status 1
	[[ $stderr == *0123456789AB* ]]
	run_q -Q "$F" show 0123456789AB "$(id_of "$F" plain)"
	expect_status 3
	[[ $stderr == *0123456789AB* && $output == *alice@example.com* ]]
	run_q -Q "$F" show --json 0123456789AB "$(id_of "$F" plain)"
	expect_status 3
	[ "$(jq length <<<"$output")" -eq 1 ]
}

@test "mailq's marks after an ID are taken" {
	id=$(id_of "$F" plain)
	for mark in '*' '!' '#' '!#'; do
		run_q -Q "$F" show "$id$mark"
		expect_status 0
	done
}

@test "the same ID in two queue directories is shown from each" {
	cp -a "$F" "$BATS_TEST_TMPDIR/copy"
	run_q -Q "$F" -Q "$BATS_TEST_TMPDIR/copy" show "$(id_of "$F" plain)"
	expect_status 0
	[ "$(grep -c '^file ' <<<"$output")" -eq 2 ]
}

@test "--json: as list has it, with header and body" {
	id=$(id_of "$F" plain)
	run_q -Q "$F" show --json "$id"
	expect_status 0
	[ "$(jq -c '.[0].headers' <<<"$output")" = '[{"name":"Subject","value":"fixture"}]' ]
	[ "$(jq -r '.[0].body' <<<"$output")" = text ]
	[ "$(jq -r '.[0].queue_id' <<<"$output")" = "$id" ]
}

@test "every damaged file is shown as far as it goes, and said" {
	ids=()
	while IFS=$'\t' read -r fixture _ id; do
		[ ! -f "$FIXTURES/malformed/$fixture" ] || ids+=("$id")
	done <"$F.made"
	[ "${#ids[@]}" -gt 40 ]
	run_q -Q "$F" show "${ids[@]}"
	expect_status 3
	for id in "${ids[@]}"; do
		[[ $output == *"$id in deferred"* ]] || { echo "$id"; false; }
	done
	[ "$(grep -c '^state       corrupt: ' <<<"$output")" -ge "${#ids[@]}" ]
	run_q -Q "$F" show --records --content "${ids[@]}"
	expect_status 3
	is_harmless <<<"$output"
	[[ $stderr == *"at offset"* ]]
}

@test "show changes nothing" {
	before=$(tree "$F")
	"$QTOOL" -Q "$F" show "$(id_of "$F" plain)" >/dev/null
	"$QTOOL" -Q "$F" show --records "$(id_of "$F" plain)" >/dev/null
	"$QTOOL" -Q "$F" show --eml "$(id_of "$F" plain)" >/dev/null
	[ "$before" = "$(tree "$F")" ]
}

@test "sizes are short as in list, times say ago" {
	local id
	id=$("$QTOOL" -Q "$Q" list -w 'message_size BETWEEN 2048 AND 9999' --format ids --limit 1)
	run_q -Q "$Q" show "$id"
	expect_status 0
	[[ $output =~ size\ +[0-9]{4}\ bytes\ \([0-9]\.[0-9]K\),\ file ]]
	[[ $output =~ arrived\ .*\ ago ]]
}
