#!/usr/bin/env bats
# The command line: help, version, unknown words, exit statuses, streams.

load common

setup_file() {
	practice_queue "$BATS_FILE_TMPDIR/q" 60
}

setup() {
	Q=$BATS_FILE_TMPDIR/q
}

@test "no command: the overview on stderr, exit 2" {
	run_q
	expect_status 2
	[ -z "$output" ]
	[[ $stderr == *Commands:* ]]
}

@test "--help and help print the same to stdout, exit 0" {
	run_q --help
	expect_status 0
	a=$output
	run_q help
	expect_status 0
	[ "$a" = "$output" ]
	[[ $output == *"who sends how much"* ]]
}

@test "COMMAND --help and help COMMAND are the same for every command" {
	for cmd in status top list show query archive delete history undo purge recover help; do
		run_q "$cmd" --help
		expect_status 0
		a=$output
		run_q help "$cmd"
		expect_status 0
		[ "$a" = "$output" ]
		[[ $output == *"usage: qtool"*" $cmd "* ]]
		[[ $output == *--help* ]]
	done
}

@test "--help wins over a bad operand count and needs no queue" {
	run_q -Q /nonexistent show --help
	expect_status 0
}

@test "--version names the program and exits 0" {
	run_q --version
	expect_status 0
	[[ $output =~ ^qtool\ [0-9]+\.[0-9]+ ]]
}

@test "an unknown command names the closest, exit 2" {
	run_q lst
	expect_status 2
	[[ $stderr == *"did you mean list?"* ]]
}

@test "commands are not abbreviated" {
	for word in l li stat del arch que; do
		run_q -Q "$Q" "$word"
		expect_status 2
	done
}

@test "options are not abbreviated, and the closest is named" {
	run_q -Q "$Q" list --colum queue_id
	expect_status 2
	[[ $stderr == *--columns* ]]
}

@test "global options stand before the command" {
	run_q list -Q "$Q"
	expect_status 2
	run_q -Q "$Q" list --limit 1
	expect_status 0
}

@test "a value that is missing, wrong or empty is a usage error" {
	local args
	while read -r args; do
		# shellcheck disable=SC2086
		run_q -Q "$Q" list $args
		expect_status 2 || { echo "for: $args"; false; }
		[ -n "$stderr" ]
	done <<'ARGS'
--limit
--limit x
--limit -1
--jobs 0
--jobs x
--format yaml
--older soon
--larger big
--client 300.1.2.3
--state fine
--queue nowhere
--class spam
--subject (
--ids /nonexistent/file
--columns nosuch
--columns queue_id,,path
--sort nosuch
--sort queue_id:down
-w nosuch=1
not/an/id
ARGS
	run_q -Q "$Q" list --sasl ''
	expect_status 2
	run_q -Q "$Q" list ''
	expect_status 2
	[[ $stderr == *"empty value matches nothing"* ]]
}

@test "every queue given is read; the same one twice is one" {
	practice_queue "$BATS_TEST_TMPDIR/other" 30
	n=$("$QTOOL" -Q "$Q" list --format ids | wc -l)
	m=$("$QTOOL" -Q "$BATS_TEST_TMPDIR/other" list --format ids | wc -l)
	both=$("$QTOOL" -Q "$Q" -Q "$BATS_TEST_TMPDIR/other" list --format ids | wc -l)
	twice=$("$QTOOL" -Q "$Q" -Q "$Q" list --format ids | wc -l)
	[ "$n" -eq 60 ] && [ "$m" -eq 30 ]
	[ "$both" -eq 90 ]
	[ "$twice" -eq 60 ]
}

@test "a queue that is not there: exit 5 and its name" {
	run_q -Q /nonexistent/spool list
	expect_status 5
	[[ $stderr == *"/nonexistent/spool"* ]]
}

@test "a configuration that is not there: not exit 0, and said" {
	run_q -c /nonexistent/etc list
	[ "$status" -ne 0 ]
	[ -n "$stderr" ]
}

@test "a full disk behind stdout is exit 5 for every view" {
	id=$("$QTOOL" -Q "$Q" list --format ids --limit 1)
	for cmd in "list" "list --json" "list --format ids" "top" "top --json" \
	    "status" "status --json" "show $id" "show --records $id" \
	    "show --eml $id" "show --json $id" "query --tables" "help" \
	    "list --explain"; do
		# shellcheck disable=SC2086
		run --separate-stderr bash -c '"$@" >/dev/full' _ "$QTOOL" -Q "$Q" $cmd
		expect_status 5 || { echo "for: $cmd"; false; }
		[ -n "$stderr" ]
	done
}

@test "a reader that goes away is no error" {
	practice_queue "$BATS_TEST_TMPDIR/many" 2000
	for cmd in "list" "list --json" "list --format ids"; do
		# shellcheck disable=SC2016
		run --separate-stderr bash -c \
		    'set -o pipefail; "$@" | head -n 1 >/dev/null' _ \
		    "$QTOOL" -Q "$BATS_TEST_TMPDIR/many" $cmd
		expect_status 0 || { echo "for: $cmd"; false; }
		[ -z "$stderr" ]
	done
}

@test "standard streams that are closed do no harm" {
	before=$(tree "$Q")
	"$QTOOL" -Q "$Q" list <&- >&- 2>&- || true
	"$QTOOL" -Q "$Q" status >&- 2>&- || true
	[ "$before" = "$(tree "$Q")" ]
}

@test "no command has two options of one name or letter" {
	for cmd in $("$QTOOL" help | sed -n '/^Commands:/,/^$/s/^  \([a-z]*\) .*/\1/p'); do
		"$QTOOL" help "$cmd" >"$BATS_TEST_TMPDIR/help"
		for part in '\2' '\3'; do
			run bash -c "sed -nE 's/^ +(-(.), )?--([a-z-]+).*/$part/p' '$BATS_TEST_TMPDIR/help' |
			    grep . | sort | uniq -d"
			[ -z "$output" ] || { echo "$cmd: $output"; false; }
		done
	done
}

@test "help equals the manual" {
	run "$ROOT/scripts/check-manual"
	expect_status 0
	[ -z "$output" ]
	# and the comparison can fail
	mkdir -p "$BATS_TEST_TMPDIR/scripts" "$BATS_TEST_TMPDIR/man"
	cp "$ROOT/scripts/check-manual" "$BATS_TEST_TMPDIR/scripts"
	sed 's/^\(.It Fl [a-z] , Fl -sort\).*/\1 Ar ORDER/' "$ROOT/man/qtool.1" \
	    >"$BATS_TEST_TMPDIR/man/qtool.1"
	QTOOL=$QTOOL run "$BATS_TEST_TMPDIR/scripts/check-manual"
	expect_status 1
	[[ $output == *"--sort"* ]]
}

# run_tty COMMAND...: on a terminal of 200 columns
run_tty() {
	run script -qec "stty cols 200 rows 50; $(printf '%q ' "$@")" /dev/null
}

@test "colour on a terminal, none with NO_COLOR, none with TERM=dumb" {
	esc=$'\033'
	TERM=xterm run_tty "$QTOOL" -Q "$Q" list --limit 1
	[ "$status" -eq 0 ]
	[[ $output == *"${esc}[1m"* ]]
	NO_COLOR=1 TERM=xterm run_tty "$QTOOL" -Q "$Q" list --limit 1
	[ "$status" -eq 0 ]
	[[ $output != *"${esc}[1m"* ]]
	TERM=dumb run_tty "$QTOOL" -Q "$Q" list --limit 1
	[[ $output != *"${esc}[1m"* ]]
}

@test "a signal ends a statement that would run for ever: exit 3, and it is said" {
	"$QTOOL" -Q "$Q" query "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n, messages" \
	    >"$BATS_TEST_TMPDIR/out" 2>"$BATS_TEST_TMPDIR/err" &
	pid=$!
	sleep 1
	kill -TERM "$pid" # what runs in the background may ignore SIGINT
	rc=0
	wait "$pid" || rc=$?
	[ "$rc" -eq 3 ]
	grep -q interrupted "$BATS_TEST_TMPDIR/err"
}

@test "a signal in the middle of a list: a whole document of what is known, exit 3" {
	practice_queue "$BATS_TEST_TMPDIR/many" 4000
	mkfifo "$BATS_TEST_TMPDIR/pipe"
	"$QTOOL" -Q "$BATS_TEST_TMPDIR/many" list --json \
	    >"$BATS_TEST_TMPDIR/pipe" 2>"$BATS_TEST_TMPDIR/err" &
	pid=$!
	exec 5<"$BATS_TEST_TMPDIR/pipe"
	# it has begun to write and waits for us, the pipe being full; what its
	# readers hold ready then, some 2,000 messages, is printed all the same
	read -r first <&5
	sleep 0.5
	kill -TERM "$pid" # what runs in the background may ignore SIGINT
	{ echo "$first"; cat <&5; } >"$BATS_TEST_TMPDIR/out"
	rc=0
	wait "$pid" || rc=$?
	[ "$rc" -eq 3 ]
	n=$(jq length "$BATS_TEST_TMPDIR/out")
	[ "$n" -gt 0 ] && [ "$n" -lt 4000 ]
	grep -q interrupted "$BATS_TEST_TMPDIR/err"
}

# without_override ARGS...: qtool as somebody whom permission bits stop.
without_override() {
	local drop=()
	[ "$(id -u)" -ne 0 ] || drop=(setpriv --bounding-set
	    -dac_override,-dac_read_search --)
	run --separate-stderr "${drop[@]}" "$QTOOL" "$@"
}

@test "a queue that cannot be read is named, not taken for empty" {
	local q=$BATS_TEST_TMPDIR/q id n
	"$TOOLS/mkspool" -n 60 -o "$(id -un)" "$q"
	id=$("$QTOOL" -Q "$q" list --queue hold --format ids --limit 1)
	n=$("$QTOOL" -Q "$q" list --queue '!hold' --format ids | wc -l)
	chmod 0 "$q/hold"
	without_override -Q "$q" list --format ids
	expect_status 3
	[ "$(wc -l <<<"$output")" -eq "$n" ]
	[[ $stderr == *"cannot be read"*": hold "* && $stderr != *"no message that"* ]]
	without_override -Q "$q" status
	expect_status 3
	[[ $output =~ hold\ +0.*cannot\ be\ read ]]
	[[ $output =~ let\ the\ rest\ go\ +not\ known ]]
	without_override -Q "$q" status --json
	[ "$(jq -r '.[0].queues[] | select(.unreadable).queue_name' <<<"$output")" = hold ]
	without_override -Q "$q" show "$id"
	expect_status 3
	[[ $stderr == *": hold "*"$id: in no other queue" ]]
	without_override -Q "$q" delete --yes "$id"
	expect_status 3
	[[ $stderr == *": hold "*"no message matches" ]]
	chmod 700 "$q/hold"
}
