#!/usr/bin/env bats
# qtool archive --showq: what Postfix itself says of its queue.  Postfix is not
# running: root's postqueue then reads the queue itself.

load common
load bag

# instance DIR QUEUE: a configuration whose queue is QUEUE.
instance() {
	mkdir "$1"
	printf '%s\n' 'compatibility_level = 3.6' "queue_directory = $2" \
	    "data_directory = $1/data" 'myhostname = mx.example' >"$1/main.cf"
	touch "$1/master.cf"
}

setup_file() {
	chmod 755 "$BATS_FILE_TMPDIR" # the queue's owner has to come through
	export Q=$BATS_FILE_TMPDIR/spool ETC=$BATS_FILE_TMPDIR/etc
	practice_queue "$Q" 60
	chown -R postfix "$Q"/*
	instance "$ETC" "$Q"
	postqueue -c "$ETC" -j >"$Q.said" 2>/dev/null
	[ "$(wc -l <"$Q.said")" -eq 60 ]
}

setup() {
	D=$BATS_TEST_TMPDIR OUT=$BATS_TEST_TMPDIR/out
	X=$OUT/x.tar.zst
	chmod 755 "$D"
	mkdir "$OUT"
}

teardown() {
	! mountpoint -q "$OUT" || umount "$OUT"
}

# own_queue: the same for a test that changes it.
own_queue() {
	cp -a "$Q" "$D/spool"
	Q=$D/spool ETC=$D/etc
	instance "$ETC" "$Q"
}

archive() {
	run_q -c "$ETC" archive -q -o "$X" --showq "$@"
}

# with_postqueue SCRIPT ARGS...: qtool where that is postqueue; it leaves $D/ran.
with_postqueue() {
	printf '#!/bin/sh\n: >%q\n%s\n' "$D/ran" "$1" >"$D/postqueue"
	chmod 755 "$D/postqueue"
	# shellcheck disable=SC2016 # for the inner shell
	run --separate-stderr unshare --mount sh -c \
	    'mount --bind "$1" /usr/sbin/postqueue && shift && exec "$@"' \
	    sh "$D/postqueue" "$QTOOL" -c "$ETC" archive -q "${@:2}"
}

names() {
	find "$Q" -path "$Q/qtool" -prune -o -type f \
	    -printf '%P %i %m %U %G %s %T@ %n\n' | LC_ALL=C sort
}

@test "it is what postqueue says, of the whole queue, and the sums are over it" {
	archive --queue hold --all
	expect_status 0
	check_bag "$X"
	cmp data/context/showq.jsonl "$Q.said"
	[ "$(jq -r .showq_messages metadata/case.json)" -eq 60 ]
	[ "$(jq -r .messages metadata/case.json)" -lt 60 ]
	[ "$(jq -r .showq_command metadata/case.json)" = "postqueue -c $ETC -j" ]
	jq -e '.varies | any(startswith("data/context/showq.jsonl"))' metadata/case.json
	grep -q '^  data/context/showq\.jsonl  ' README.txt
	[ "$(LC_ALL=C awk 'length > 79 || /[^ -~]/' README.txt)" = "" ]
	run_q verify "$X"
	expect_status 0
}

@test "nobody who has not asked for it gets it" {
	with_postqueue 'exit 1' -o "$X" --all
	expect_status 0
	[ ! -e "$D/ran" ]
	check_bag "$X"
	[ ! -e data/context/showq.jsonl ]
	! grep -q showq README.txt metadata/case.json
}

@test "more than is kept in memory" {
	for ((i = 0; i < 3000; i++)); do cat "$Q.said"; done | head -c 20M | sed '$d' >"$D/said"
	with_postqueue "cat '$D/said'" -o "$X" --showq --queue hold --all
	expect_status 0
	[ "$(ls "$OUT" | wc -l)" -eq 2 ]
	check_bag "$X"
	cmp data/context/showq.jsonl "$D/said"
	[ "$(jq -r .showq_messages metadata/case.json)" -eq "$(wc -l <"$D/said")" ]
	run_q verify "$X"
	expect_status 0
}

@test "standard output, and a directory, likewise" {
	"$QTOOL" -c "$ETC" archive -q -o - --showq --all >"$D/x.tar.zst"
	archive -o "$OUT" --all
	expect_status 0
	for f in "$D/x.tar.zst" "$OUT"/*.tar.zst; do
		check_bag "$f"
		cmp data/context/showq.jsonl "$Q.said"
		cd "$D"
		rm -r "$D/bag"
	done
}

@test "verify names a line that was altered" {
	X=$OUT/x.tar
	archive --queue hold --all
	expect_status 0
	id=$(jq -rs '.[41].queue_id' "$Q.said")
	LC_ALL=C sed -i "s/\"queue_id\": \"$id\"/\"queue_ib\": \"$id\"/" "$X"
	run_q verify --json "$X"
	expect_status 1
	[ "$(jq -r '.problems[] | select(.path == "data/context/showq.jsonl") | .text' <<<"$output")" = \
	    $'line 42 has no queue_id\nis not what manifest-sha256.txt has the sum of' ]
}

@test "it is no hindrance to -A, to restore, or to an archive of the archive" {
	archive --all
	expect_status 0
	diff <("$QTOOL" -A "$X" list --all --format ids | sort) \
	    <("$QTOOL" -Q "$Q" list --all --format ids | sort)
	practice_queue "$D/other" 1
	run_q -Q "$D/other" restore "$X" --queue hold --all --yes --json
	expect_status 0
	[ "$(jq .done <<<"$output")" -eq "$(find "$Q/hold" -type f | wc -l)" ]
	run_q -A "$X" archive -q -o "$OUT/2.tar.zst" --all
	expect_status 0
	run_q verify "$OUT/2.tar.zst"
	expect_status 0
}

@test "--move: as the queue was before, and out of it" {
	own_queue
	moved=$(find "$Q/hold" -type f | wc -l)
	postqueue -c "$ETC" -j >"$D/said" 2>/dev/null
	archive --queue hold --all --move --yes
	expect_status 0
	[ -z "$(find "$Q/hold" -type f)" ]
	check_bag "$X"
	cmp data/context/showq.jsonl "$D/said"
	[ "$(jq -s 'map(select(.queue_name == "hold")) | length' data/context/showq.jsonl)" -eq "$moved" ]
	run_q verify "$X"
	expect_status 0
}

@test "postqueue that fails: its own words, no archive, and the queue as it was" {
	own_queue
	before=$(names)
	echo 'message_size_limit = much' >>"$ETC/main.cf"
	for how in '' '--move --yes'; do
		# shellcheck disable=SC2086 # words
		archive --all $how
		expect_status 5
		[[ $stderr == *"postqueue: exit status "*"message_size_limit"* ]]
		no_file_left
	done
	diff <(names) - <<<"$before"
}

@test "what it says of its failure drives no terminal" {
	with_postqueue "printf '\\033[2Jno\\n' >&2; exit 3" -o "$X" --showq --all
	expect_status 5
	[[ $stderr == *"postqueue: exit status 3: "* ]]
	is_harmless <<<"$stderr"
	with_postqueue "kill -9 \$\$" -o "$X" --showq --all
	expect_status 5
	[[ $stderr == *"postqueue: killed by signal 9"* ]]
	no_file_left
}

@test "half a list, or none of JSON, is no list" {
	for said in '{"queue_name": "hold", "queue_id": "ABC' 'Mail queue is empty'; do
		with_postqueue "printf '%s' '$said'" -o "$X" --showq --all
		expect_status 5
		[[ $stderr == *"postqueue: line 1 of what it says is no JSON object"* ]]
		no_file_left
	done
}

@test "Ctrl-C while Postfix is asked: exit 5, and no archive" {
	own_queue
	before=$(names)
	for how in '' '--move --yes'; do
		rm -f "$D/ran"
		# what qtool is told and what it does to postqueue, which would wait
		# for a day, and ignores both
		# shellcheck disable=SC2086 # words
		with_postqueue "trap '' INT TERM; kill -INT \$PPID; exec sleep 86400" \
		    -o "$X" --showq --all $how
		expect_status 5
		[ -e "$D/ran" ]
		[[ $stderr == *"no archive was made: interrupted"* ]]
		no_file_left
	done
	diff <(names) - <<<"$before"
	[ ! -e "$Q/qtool" ]
}

@test "no room for what it says: exit 5, and nothing left" {
	mount -t tmpfs -o size=200k tmpfs "$OUT"
	with_postqueue "while :; do cat '$Q.said'; done" -o "$X" --showq --all
	left=$(ls -A "$OUT")
	used=$(df --output=used "$OUT" | tail -1)
	umount "$OUT"
	expect_status 5
	[[ $stderr == *"No space left on device"* ]]
	[ -z "$left" ]
	[ "$used" -eq 0 ]
}

# What is refused is so before postqueue runs.
refused() {
	expect_status "$1"
	[ ! -e "$D/ran" ]
	no_file_left
}

@test "what it cannot go with is said at once" {
	with_postqueue 'exit 0' -o "$X" --showq --all --redact full
	refused 2
	[[ $stderr == *"--showq: has names of the whole queue"* ]]
	with_postqueue 'exit 0' -o "$X" --showq
	refused 2
	with_postqueue 'exit 0' --showq --all
	refused 2
	with_postqueue 'exit 0' -o - --showq --all --move --yes
	refused 2
	with_postqueue 'exit 0' -o "$OUT/x.zip" --showq --all
	refused 2
	with_postqueue 'exit 0' -o "$X" --showq --all -n
	refused 0
	run_q -Q "$Q" archive -o "$X" --showq --all
	refused 2
	[[ $stderr == *"--showq: asks Postfix itself"* ]]
	"$QTOOL" -Q "$Q" archive -q -o "$D/a.tar.zst" --all
	run_q -A "$D/a.tar.zst" archive -o "$X" --showq --all
	refused 2
	"$QTOOL" -Q "$Q" snapshot -q -o "$D/s.db" --all
	run_q -D "$D/s.db" archive -o "$X" --showq --all
	refused 2
	touch "$X"
	with_postqueue 'exit 0' -o "$X" --showq --all
	expect_status 4
	[ ! -e "$D/ran" ]
	[ "$(ls "$OUT")" = x.tar.zst ]
}
