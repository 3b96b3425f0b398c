#!/usr/bin/env bats
# qtool query: SQL over the tables, read-only, and its errors.

load common

setup_file() {
	practice_queue "$BATS_FILE_TMPDIR/q" 120
}

setup() {
	Q=$BATS_FILE_TMPDIR/q
}

@test "SELECT in every format" {
	sql="SELECT queue_name, count(*) AS n FROM messages GROUP BY 1 ORDER BY 2 DESC"
	run_q -Q "$Q" query "$sql" --json
	expect_status 0
	[ "$(jq '[.[].n] | add' <<<"$output")" -eq 120 ]
	run_q -Q "$Q" query "$sql" --format csv
	[ "${lines[0]}" = '"queue_name","n"' ]
	run_q -Q "$Q" query "$sql" --format tsv
	[ "${lines[0]}" = $'queue_name\tn' ]
	run_q -Q "$Q" query "$sql"
	[[ ${lines[0]} == queue_name*n ]]
}

@test "from a file and from standard input" {
	echo "SELECT count(*) FROM messages" >"$BATS_TEST_TMPDIR/sql"
	run_q -Q "$Q" query -f "$BATS_TEST_TMPDIR/sql" --format ids
	expect_status 0
	[ "$output" = 120 ]
	[ "$(echo "SELECT count(*) FROM messages" | "$QTOOL" -Q "$Q" query -f - --format ids)" = 120 ]
	run_q -Q "$Q" query -f /nonexistent/sql
	expect_status 5
	[[ $stderr == */nonexistent/sql* ]]
}

@test "recipients, headers and records agree with messages" {
	run_q -Q "$Q" query --format ids \
	    "SELECT (SELECT count(*) FROM recipients WHERE state = 'todo') - (SELECT sum(rcpt_todo) FROM messages)"
	expect_status 0
	[ "$output" = 0 ]
	run_q -Q "$Q" query --format ids \
	    "SELECT count(DISTINCT queue_id) FROM headers WHERE name = 'Subject'"
	[ "$output" -gt 100 ]
	run_q -Q "$Q" query --format ids "SELECT count(*) FROM records WHERE type = 'S'"
	[ "$output" = 120 ]
}

@test "the functions of the manual" {
	run_q -Q "$Q" query --format csv "SELECT cidr('192.0.2.7', '192.0.2.0/24'), domain('a@Example.COM'), org('mx.example.co.uk'), has('[\"a\"]', 'a'), 'viagra' REGEXP '(?i)VIA'"
	expect_status 0
	[ "${lines[1]}" = '1,"example.com","example.co.uk",1,1' ]
}

@test "nothing but SELECT" {
	local sql
	mkdir "$BATS_TEST_TMPDIR/here"
	cd "$BATS_TEST_TMPDIR/here"
	before=$(tree "$Q")
	while read -r sql; do
		run_q -Q "$Q" query "$sql"
		expect_status 2 || { echo "for: $sql"; false; }
		[ -n "$stderr" ]
	done <<'SQL'
ATTACH 'evil.db' AS e
PRAGMA writable_schema = 1
CREATE TABLE t(x)
CREATE TEMP TABLE t(x)
INSERT INTO messages(queue_id) VALUES ('x')
DELETE FROM messages
UPDATE messages SET sender = ''
DROP TABLE messages
VACUUM INTO 'evil.db'
SELECT load_extension('evil.so')
SELECT * FROM sqlite_master
BEGIN
SELECT 1; SELECT 2
SQL
	[ -z "$(ls)" ]
	[ "$before" = "$(tree "$Q")" ]
}

@test "a syntax error: exit 2, SQLite's words, and where" {
	run_q -Q "$Q" query "SELECT queue_id FROM messages WHERE sendr = 1"
	expect_status 2
	[[ $stderr == *sendr* ]]
	[[ $stderr == *$'\n'*"^"* ]]
}

@test "no rows: exit 1 and the heading" {
	run_q -Q "$Q" query "SELECT queue_id FROM messages WHERE 0" --format csv
	expect_status 1
	[ "$output" = '"queue_id"' ]
}

@test "one statement is needed" {
	run_q -Q "$Q" query
	expect_status 2
	run_q -Q "$Q" query "SELECT 1" "SELECT 2"
	expect_status 2
	run_q -Q "$Q" query --tables "SELECT 1"
	expect_status 2
}

@test "--tables and --columns need no queue, and every column can be selected" {
	run_q query --tables --format ids
	expect_status 0
	tables=$output
	[[ $tables == *messages* && $tables == *recipients* ]]
	for t in $tables; do
		run_q query --columns "$t" --format ids
		expect_status 0
		run_q -Q "$Q" query "SELECT $(paste -sd, <<<"$output") FROM $t LIMIT 3" --json
		expect_status 0
	done
	run_q query --columns mesages
	expect_status 2
	[[ $stderr == *messages* ]]
}

@test "hostile text in an error is escaped" {
	run_q -Q "$Q" query $'SELECT \033[2J'
	expect_status 2
	is_harmless <<<"$stderr"
}
