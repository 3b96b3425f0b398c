#!/usr/bin/env bats
# qtool archive --move: mail out of the queue into an archive, or neither.

load common
load bag
load rows

setup() {
	Q=$BATS_TEST_TMPDIR/spool
	practice_queue "$Q" 120
	OUT=$BATS_TEST_TMPDIR/out
	mkdir "$OUT"
	X=$OUT/x.tar.zst
	# leaks cannot be looked for meanwhile
	TRACED=(env "ASAN_OPTIONS=${ASAN_OPTIONS:-}:detect_leaks=0" strace)
}

teardown() {
	if mountpoint -q "$OUT"; then
		umount "$OUT" || umount -l "$OUT"
	fi
}

# Mail and logs as they are: names, bytes and all but the change time.
queue() {
	find "$Q" -path "$Q/qtool" -prune -o -type f \
	    -printf '%P %i %m %U %G %s %T@ %n\n' | LC_ALL=C sort
	find "$Q" -path "$Q/qtool" -prune -o -type f -exec sha256sum {} + |
	    LC_ALL=C sort
}

move() {
	run_q -Q "$Q" archive --move -o "$X" --yes "$@"
}

# nothing_moved BEFORE: the queue is as it was, and there is no archive.
nothing_moved() {
	diff <(queue) - <<<"$1"
	no_file_left
}

@test "the archive is the one that a copy makes, and the mail is gone" {
	"$QTOOL" -Q "$Q" archive -q -o "$OUT/copy.tar.zst" --queue hold,deferred --all
	check_bag "$OUT/copy.tar.zst"
	mv "$BAG" "$BATS_TEST_TMPDIR/copy"
	n=$(wc -l <"$BATS_TEST_TMPDIR/copy/metadata/messages.jsonl")
	[ "$n" -gt 50 ]
	move --all
	expect_status 0
	[ -z "$stderr" ]
	[[ ${lines[0]} == "transaction 1: archived and took $n messages; to undo: "*" undo 1" ]]
	[[ ${lines[1]} == "archived $n messages and "* ]]
	(cd "$OUT" && sha256sum --quiet --strict -c x.tar.zst.sha256)
	check_bag "$X"
	copy=$BATS_TEST_TMPDIR/copy
	# names and bytes of mail and logs, sums, recipients, every line but for
	# the change time, which the renames alter
	diff -r data "$copy/data"
	cmp manifest-sha256.txt "$copy/manifest-sha256.txt"
	cmp metadata/recipients.jsonl "$copy/metadata/recipients.jsonl"
	diff <(jq -cS 'del(.stat.ctime_ns)' metadata/messages.jsonl) \
	    <(jq -cS 'del(.stat.ctime_ns)' "$copy/metadata/messages.jsonl")
	# the database has them where they were, and not in the transaction
	not="config_dir queue_dir ctime_ns body"
	rows "$OUT/moved" "$not" -- -D metadata/index.sqlite
	rows "$OUT/copied" "$not" -- -D "$copy/metadata/index.sqlite"
	[ "$(grep -c '"sha256"' "$OUT/moved")" -eq "$n" ]
	same "$OUT/copied" "$OUT/moved"
	[ -n "$(ls data/queue/defer)" ]
	[ ! -e metadata/missing.jsonl ]
	[ "$(jq -c '[.mode, .transaction, .messages]' metadata/case.json)" = "[\"move\",1,$n]" ]
	[ "$(jq -c '[.mode, .transaction]' "$copy/metadata/case.json")" = '["copy",null]' ]
	# the queue
	[ -z "$(find "$Q"/hold "$Q"/deferred "$Q"/defer -type f)" ]
	[ -n "$(find "$Q/active" "$Q/incoming" -type f)" ]
	[ "$("$QTOOL" -Q "$Q" history --format json | jq -r '.[] | [.operation, .state, .staged] | @csv')" = \
	    "\"archive\",\"committed\",$n" ]
}

@test "undo brings the mail back, and the archive stays" {
	before=$(queue)
	move --all
	expect_status 0
	[ "$(queue)" != "$before" ]
	"$QTOOL" -Q "$Q" undo --in-place 1
	diff <(queue) - <<<"$before"
	check_bag "$X"
}

@test "--purge: no undo, and nothing is left in the spool" {
	move --all --purge
	expect_status 0
	[[ $output == *"purged; there is no undo"* ]]
	[[ $output != *"to undo"* ]]
	[ -z "$(find "$Q/qtool" -path '*/m/*' -type f)" ]
	run_q -Q "$Q" undo 1
	expect_status 4
	check_bag "$X"
}

@test "every format is read back" {
	for f in x.tar x.tar.gz x.tar.xz; do
		X=$OUT/$f
		move --all
		expect_status 0
		check_bag "$X"
		rm -rf "$BATS_TEST_TMPDIR/bag"
		"$QTOOL" -Q "$Q" undo "$("$QTOOL" -Q "$Q" history --format json | jq 'map(.transaction) | max')"
	done
}

@test "an archive of what a transaction keeps" {
	move --all
	expect_status 0
	check_bag "$X"
	mv "$BAG" "$BATS_TEST_TMPDIR/move"
	run_q -Q "$Q" --transaction 1 archive -o "$OUT/y.tar.zst" --all
	expect_status 0
	check_bag "$OUT/y.tar.zst"
	diff -r data "$BATS_TEST_TMPDIR/move/data"
	[ "$(jq -c '[.mode, .transaction]' metadata/case.json)" = '["copy",1]' ]
	# told where it was read, as found
	[ "$(jq -r .found metadata/messages.jsonl | grep -vc '^qtool/tx/000001/m/')" -eq 0 ]
}

@test "a late log is kept beside the first" {
	id=$(find "$Q/deferred" -type f -printf '%f\n' | while read -r i; do
		[ -z "$(find "$Q/defer" -name "$i")" ] || { echo "$i"; break; }
	done)
	"$QTOOL" -Q "$Q" delete "$id" --yes
	first=$(find "$Q/qtool" -path '*/x/*' -name "*.$id.d")
	[ -n "$first" ]
	sed 's/^reason=.*/reason=late/' "$first" >"${first%d}D"
	"$QTOOL" -Q "$Q" --transaction 1 archive -q -o "$X" --all
	check_bag "$X"
	cmp "data/queue/defer/$id" "$first"
	cmp data/odd/0001 "${first%d}D"
	[ "$(jq -c '.logs | map([.kind, .path])' metadata/messages.jsonl)" = \
	    "[[\"defer\",\"data/queue/defer/$id\"],[\"defer\",\"data/odd/0001\"]]" ]
	run_q -Q "$Q" --transaction 1 list --json
	[[ $output == *'"delay_reason": "late"'* ]]
}

@test "what cannot be: standard output, another transaction's mail, no --move" {
	before=$(queue)
	run_q -Q "$Q" archive --move -o - --all --yes
	expect_status 2
	[[ $stderr == *"cannot be read back"* ]]
	run_q -Q "$Q" archive -o "$X" --all --yes
	expect_status 2
	[[ $stderr == *"--yes: goes with --move"* ]]
	run_q -Q "$Q" archive -o "$X" --all --purge
	expect_status 2
	move
	expect_status 2
	[[ $stderr == *"all mail is --all"* ]]
	nothing_moved "$before"
	[ ! -e "$Q/qtool" ]
	"$QTOOL" -Q "$Q" delete --all --yes
	run_q -Q "$Q" --transaction 1 archive --move -o "$X" --all --yes
	expect_status 2
	[[ $stderr == *"transaction 1 has taken this mail out of the queue already"* ]]
	no_file_left
}

@test "the guards and the question of the other changes" {
	before=$(queue)
	run_q -Q "$Q" archive --move -o "$X" --all
	expect_status 4
	[[ $stderr == *"no terminal to ask at whether to archive"* ]]
	move --all --max 3
	expect_status 4
	move --all --expect 1
	expect_status 4
	move --sasl nobody@nowhere.example
	expect_status 1
	run_q -Q "$Q" archive --move -n -o "$X" --all
	expect_status 0
	[[ $output == *"would archive"* ]]
	nothing_moved "$before"
}

@test "a target that exists, or cannot be made: nothing is asked or taken" {
	before=$(queue)
	run_q -Q "$Q" archive --move -o "$OUT/none/x.tar" --all --yes
	expect_status 5
	nothing_moved "$before"
	echo mine >"$X"
	move --all
	expect_status 4
	[[ $stderr == *"not overwritten"* ]]
	[ "$(cat "$X")" = mine ]
	rm "$X"
	nothing_moved "$before"
	[ ! -e "$Q/qtool" ]
}

@test "no room for the archive: all mail is back, exit 5" {
	before=$(queue)
	X=$OUT/x.tar
	mount -t tmpfs -o size=64k tmpfs "$OUT"
	move --all
	expect_status 5
	[[ $stderr == *"No space left on device"* ]]
	[[ $stderr == *"nothing was changed"* ]]
	nothing_moved "$before"
	[ "$("$QTOOL" -Q "$Q" history --format json | jq -r '.[].state')" = aborted ]
	# and with room it goes
	mount -o remount,size=64m "$OUT"
	move --all
	expect_status 0
	check_bag "$X"
}

# busy ID: hold a lock on that message, as a delivery agent does, until
# descriptor 8 is closed.
busy() {
	exec 8<"$(find "$Q/deferred" -name "$1")"
	flock -s 8
}

some_id() {
	find "$Q/deferred" -type f -printf '%f\n' | LC_ALL=C sort | head -1
}

@test "what is in delivery to the end stays, named here and in the archive" {
	id=$(some_id)
	busy "$id"
	move --all --wait 1
	exec 8<&-
	expect_status 3
	[[ $stderr == *"$id: is in delivery"* ]]
	[ -n "$(find "$Q/deferred" -name "$id")" ]
	check_bag "$X"
	[ "$(jq -c '[.queue_name, .queue_id, .why]' metadata/missing.jsonl)" = \
	    "[\"deferred\",\"$id\",\"in_delivery\"]" ]
	[ "$(jq .missing metadata/case.json)" -eq 1 ]
	[ -z "$(find data -name "$id")" ]
}

@test "delivery that ends is waited for" {
	id=$(some_id)
	busy "$id"
	(sleep 1.5) 8<&0 & # not this one: it must not keep the lock
	sleeper=$!
	"$QTOOL" -Q "$Q" archive -q --move -o "$X" --all --yes 8<&- \
	    >"$BATS_TEST_TMPDIR/report" 2>&1 &
	pid=$!
	wait $sleeper
	kill -0 $pid # it waits, by default
	[ ! -e "$X" ]
	exec 8<&-
	wait $pid
	[ -z "$(find "$Q/deferred" -type f)" ]
	check_bag "$X"
	[ -n "$(find data -name "$id")" ]
	[ ! -e metadata/missing.jsonl ]
}

# started ARGS...: a move in the background that waits for a busy message; its pid
# in $pid.
started() {
	"$QTOOL" -Q "$Q" archive --move -o "$X" --all --yes --wait 60 "$@" 8<&- \
	    >"$BATS_TEST_TMPDIR/stdout" 2>"$BATS_TEST_TMPDIR/stderr" &
	pid=$!
	for ((i = 0; i < 500; i++)); do
		! grep -q waiting "$BATS_TEST_TMPDIR/stderr" || return 0
		sleep 0.01
	done
	return 1
}

ended() {
	status=0
	wait "$pid" || status=$?
	output=$(cat "$BATS_TEST_TMPDIR/stdout") stderr=$(cat "$BATS_TEST_TMPDIR/stderr")
}

@test "Ctrl-C while it waits: all as it was, exit 5" {
	before=$(queue)
	busy "$(some_id)"
	started
	kill -INT "$pid"
	ended
	exec 8<&-
	expect_status 5
	nothing_moved "$before"
}

# The archive is whole, and about to get its name: that takes three seconds.
@test "Ctrl-C when all is written: all mail is back, and no archive, exit 5" {
	before=$(queue)
	"${TRACED[@]}" -D -f -o /dev/null -e trace=fchmod \
	    -e inject=fchmod:delay_enter=3000000:when=1 \
	    "$QTOOL" -Q "$Q" archive --move -o "$X" --all --yes \
	    >"$BATS_TEST_TMPDIR/stdout" 2>"$BATS_TEST_TMPDIR/stderr" &
	pid=$!
	sleep 2
	[ -z "$(find "$Q/deferred" -type f)" ] # staged
	kill -INT "$pid"
	ended
	expect_status 5
	[[ $stderr == *"nothing was changed"* ]]
	nothing_moved "$before"
	[ "$("$QTOOL" -Q "$Q" history --format json | jq -r '.[].state')" = aborted ]
}

@test "a file that appears meanwhile is not overwritten, and all mail is back" {
	before=$(queue)
	busy "$(some_id)"
	started
	echo mine >"$X"
	exec 8<&-
	ended
	expect_status 4
	[[ $stderr == *"has appeared meanwhile and is not overwritten"* ]]
	[[ $stderr == *"nothing was changed"* ]]
	[ "$(cat "$X")" = mine ]
	rm "$X"
	nothing_moved "$before"
}

# killed_at N [OPTION...]: whoever makes the N-th rename, of those that strace's
# options leave, is killed in it; then recovery, and what came of it.
killed_at() {
	local n=$1
	shift
	run "${TRACED[@]}" -f -o /dev/null -e trace=renameat2 \
	    -e inject=renameat2:signal=KILL:when="$n" "$@" \
	    "$QTOOL" -Q "$Q" archive -q --move -o "$X" --all --yes
	[ "$status" -ne 0 ]
	"$QTOOL" -Q "$Q" recover >/dev/null 2>&1
	# what has the name is whole, and it is no half of the mail's
	if [ -e "$X" ]; then
		check_bag "$X"
		[ "$(wc -l <metadata/messages.jsonl)" -eq "$mail" ]
		rm -rf "$BATS_TEST_TMPDIR/bag"
	fi
	diff <(queue) - <<<"$before"
	rm -f "$OUT"/*
}

@test "killed anywhere, then recovered: the mail is in the queue" {
	before=$(queue)
	mail=$(find "$Q/hold" "$Q/deferred" -type f | wc -l)
	killed_at 2 # of staging
	killed_at "$mail"
	killed_at 1 -P "$OUT" # the archive's name, and its sum's
	killed_at 2 -P "$OUT"
}

# One byte is flipped between the archive's name and its reading back.
@test "an archive that reads back differently costs no mail" {
	before=$(queue)
	for X in "$OUT/x.tar" "$OUT/x.tar.zst"; do
		"${TRACED[@]}" -D -f -o /dev/null -e trace=fadvise64 \
		    -e inject=fadvise64:delay_enter=4000000 \
		    "$QTOOL" -Q "$Q" archive --move -o "$X" --all --yes \
		    >"$BATS_TEST_TMPDIR/stdout" 2>"$BATS_TEST_TMPDIR/stderr" &
		pid=$!
		for ((i = 0; i < 1000; i++)); do
			[ ! -e "$X.sha256" ] || break
			sleep 0.02
		done
		byte=$(dd if="$X" bs=1 skip=2000 count=1 status=none | od -An -tu1)
		# shellcheck disable=SC2059 # the format is the byte
		printf "\\x$(printf %x $((byte ^ 1)))" |
		    dd of="$X" bs=1 seek=2000 conv=notrunc status=none
		ended
		expect_status 5
		[[ $stderr == *"nothing was changed"* ]]
		nothing_moved "$before"
	done
}

@test "--json tells transaction and archive" {
	move --all --json
	expect_status 0
	[ "$(jq -r '.archive.sha256' <<<"$output")" = "$(cut -c1-64 "$X.sha256")" ]
	[ "$(jq -c '[.command, .transaction, .state, .archive.messages == .done, .archive.file == $x]' \
	    --arg x "$X" <<<"$output")" = '["archive",1,"committed",true,true]' ]
	move --all --json
	expect_status 4
	[ "$(jq -c .archive <<<"$output")" = null ]
}

@test "a script is answered when a move cannot begin" {
	for args in "-o - --all" "-o $BATS_TEST_TMPDIR/none/a.tar --all" "-o $BATS_TEST_TMPDIR/a.tar"; do
		# shellcheck disable=SC2086 # words
		run_q -Q "$Q" archive --json --move --yes $args
		[ "$status" -ne 0 ]
		[ "$(jq -r '[.command, .archive, .exit_status] | @tsv' <<<"$output")" = $'archive\t\t'"$status" ]
		[ -n "$(jq -r .error <<<"$output")" ]
		[ -n "$stderr" ]
	done
	run_q -Q "$BATS_TEST_TMPDIR/nothing" archive --move --json --yes -o "$BATS_TEST_TMPDIR/a.tar" --all
	expect_status 5
	[ "$(jq -r .exit_status <<<"$output")" = 5 ]
}
