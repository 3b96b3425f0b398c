#!/usr/bin/env bats
# shellcheck disable=SC2030,SC2031 # each test has its own state directory
# A spool whose file system has no block and no inode left: what can be looked
# at, what can be deleted, and that a refusal loses nothing.  On a tmpfs, and on
# ext4 and xfs in a file: there a directory takes blocks as it grows, and on xfs
# it gives them back.

load common

JOE=anna.keller@victim.example
BEN=ben.ortiz@branch.example

setup() {
	M=$BATS_TEST_TMPDIR/mnt
	Q=$M/q
	ELSEWHERE=$BATS_TEST_TMPDIR/state
	mkdir "$M"
}

teardown() {
	if mountpoint -q "$M"; then
		umount "$M" || umount -l "$M"
	fi
	rm -rf "$M" "$BATS_TEST_TMPDIR/image" "$ELSEWHERE"
}

# small_disk tmpfs | ext4 | ext4-1k | xfs [MESSAGES]: with a practice queue, at
# $M.  No test is skipped where this fails: it needs root, as delivering mail
# does.
small_disk() {
	local image=$BATS_TEST_TMPDIR/image n=${2:-300}
	KIND=$1
	case $KIND in
	tmpfs)
		mount -t tmpfs -o size=24m,nr_inodes=1200,mode=755 none "$M"
		;;
	ext4*)
		truncate -s $((20 + n / 40))M "$image"
		mkfs.ext4 -q -b "$([ "$KIND" = ext4 ] && echo 4096 || echo 1024)" \
		    -N $((n * 4)) "$image"
		mount -o loop "$image" "$M"
		;;
	xfs) # no smaller one can be made; few blocks for inodes
		truncate -s 300M "$image"
		mkfs.xfs -q -i maxpct=1 "$image"
		mount -o loop "$image" "$M"
		;;
	esac
	practice_queue "$Q" "$n"
	mv "$Q.truth" "$BATS_TEST_TMPDIR/truth"
	mkdir "$M/fill" "$M"/fill/d{1..40}
}

# Append until there is no room, with ever smaller pieces; the journal of a
# file system gives blocks back at a sync.
fill_blocks() {
	local size at
	: >>"$M/fill/0"
	at=$(stat -c %s "$M/fill/0")
	for size in 16777216 1048576 65536; do
		while fallocate -o "$at" -l "$size" "$M/fill/0" 2>/dev/null; do
			at=$((at + size))
		done
	done
	for size in 4k 512; do
		dd if=/dev/zero bs=$size status=none 2>/dev/null >>"$M/fill/0" || true
		sync -f "$M"
	done
}

# Inodes first: their names take blocks.  xfs makes inodes of blocks, so there
# are some left when it has no block for their names in a large directory.
fill_disk() {
	local n=0 dir
	[ "$KIND" != xfs ] || fill_blocks
	for dir in . d{1..40}; do
		while true >"$M/fill/$dir/$n"; do
			n=$((n + 1))
		done 2>/dev/null
	done
	fill_blocks
	is_full
	FREE=$(stat -f -c %f "$M")
}

# Since it was full.  Free in all: ext4 keeps some for itself that "available"
# leaves out.
has_more_blocks() { # at least
	[ "$(stat -f -c %f "$M")" -ge "$((FREE + $1))" ]
}

# No block for root, no inode, and the file system says so itself.
is_full() {
	# xfs keeps a handful to itself, and counts inodes by blocks
	[ "$(stat -f -c '%a %d' "$M")" = "0 0" ] || [ "$KIND" = xfs ]
	run ! dd if=/dev/zero bs=4096 count=1 oflag=append conv=notrunc status=none of="$M/fill/0"
	run ! mkdir "$M/one"
}

# Names, inodes, modes, owners, sizes and times of what Postfix has.
queue_files() {
	find "$Q" -path "$Q/qtool" -prune -o -type f \
	    -printf '%P %i %m %U %G %s %T@\n' | LC_ALL=C sort
}

sums() {
	find "$Q" -path "$Q/qtool" -prune -o -type f -exec sha256sum {} + | LC_ALL=C sort
}

# Queue, ID and login of all mail.
mail() {
	"$QTOOL" -Q "$Q" list -C queue_name,queue_id,sasl_username --format tsv | LC_ALL=C sort
}

messages_of() { # login
	awk -F'\t' -v l="$1" '$1 == l {print $2}' "$BATS_TEST_TMPDIR/truth"
}

# The whole account and nothing else is gone, for good, and there is room.
purged_alone() { # login, mail before
	local n
	n=$(messages_of "$1")
	[[ ${lines[0]} == "transaction "*": deleted $n messages" ]]
	[[ ${lines[1]} == *": $n messages purged; there is no undo" ]]
	[ "$(grep -c "$1\$" <<<"$2")" -eq "$n" ]
	diff <(grep -v "$1\$" <<<"$2") <(mail)
	[ -z "$(find "$Q/qtool/tx" -type f ! -name plan ! -name log)" ]
	[ "$(stat -f -c %d "$M")" -ge "$n" ]
	has_more_blocks "$n"
}

# Everything that only looks, with what it found compared with the truth.
look_at_full() {
	local before id
	before=$(tree "$M")
	id=$("$QTOOL" -Q "$Q" list --sasl $JOE --limit 1 --format ids)
	run_q -Q "$Q" status
	expect_status 0
	run_q -Q "$Q" top --json
	expect_status 0
	[ "$(jq --arg l $JOE '.[] | select(.sasl_username == $l) | .messages' <<<"$output")" -eq \
	    "$(messages_of $JOE)" ]
	run_q -Q "$Q" list --json
	expect_status 0
	[ "$(jq length <<<"$output")" -eq 300 ]
	run_q -Q "$Q" show "$id"
	expect_status 0
	[[ $output == *"$JOE"* ]]
	run_q -Q "$Q" query --format csv "SELECT count(*) AS n FROM messages"
	expect_status 0
	[ "${lines[1]}" = 300 ]
	run_q -Q "$Q" delete -n --sasl $JOE
	expect_status 0
	run_q -Q "$Q" history --json
	diff <(echo "$before") <(tree "$M")
}

for_each_kind() { # a test's body, for both file systems
	local kind
	for kind in ${KINDS:-tmpfs ext4}; do
		echo "on $kind"
		small_disk "$kind"
		"$@"
		umount "$M"
		rm -rf "$ELSEWHERE" "$BATS_TEST_TMPDIR/image"
	done
}

looking() {
	fill_disk
	look_at_full
	expect_status 1 # no transactions
	"$QTOOL" -Q "$Q" history >/dev/null || [ $? -eq 1 ]
	[ ! -e "$Q/qtool" ]
}

@test "looking works on a full disk and writes nothing" {
	for_each_kind looking
}

looking_later() {
	"$QTOOL" -Q "$Q" delete --yes --sasl $BEN
	"$QTOOL" -Q "$Q" undo --in-place
	fill_disk
	look_at_full
	expect_status 0
	[ "$(jq -c 'map(.state)' <<<"$output")" = '["undone"]' ]
}

@test "so it does where there are transactions" {
	for_each_kind looking_later
}

plain_delete() {
	local before bytes all
	"$QTOOL" -Q "$Q" recover
	fill_disk
	before=$(queue_files)
	bytes=$(sums)
	all=$(mail)
	for _ in 1 2; do
		run_q -Q "$Q" delete --sasl $JOE --yes
		expect_status 5
		[[ $stderr =~ (transaction [0-9]+|qtool/tx)": "(create plan|write plan|mkdir)": No space left on device" ]]
		[[ $stderr == *"with --state-dir plan and log can be on another file system"* ]]
		[[ $stderr == *"nothing was changed"* ]]
		[ -z "$output" ]
		diff <(echo "$before") <(queue_files)
		diff <(echo "$bytes") <(sums)
	done
	# and has not used up what the other way needs
	run_q -Q "$Q" delete --sasl $BEN --purge --yes --state-dir "$ELSEWHERE"
	expect_status 0
	purged_alone $BEN "$all"
}

@test "a plain delete names the call that failed and leaves every message: exit 5" {
	for_each_kind plain_delete
}

purge_at_once() { # login
	local all
	"$QTOOL" -Q "$Q" recover
	fill_disk
	all=$(mail)
	run_q -Q "$Q" delete --sasl "$1" --purge --yes --state-dir "$ELSEWHERE"
	expect_status 0
	[ -z "$stderr" ]
	purged_alone "$1" "$all"
	[ "$("$QTOOL" -Q "$Q" history --json | jq -c 'map([.state, .staged])')" = '[["purged",0]]' ]
	# and once there is room, a transaction is like any other
	truncate -s -1M "$M/fill/0"
	run_q -Q "$Q" delete --sasl "!$1" --queue hold --yes
	expect_status 0
}

@test "delete --purge --state-dir frees a full disk" {
	for_each_kind purge_at_once $BEN
}

@test "delete --purge --state-dir takes most of the mail of a full disk" {
	KINDS="tmpfs ext4 ext4-1k xfs" for_each_kind purge_at_once $JOE
}

# More messages than are named in one directory, whose further ones there is no
# inode for.
many_at_once() {
	local before
	"$QTOOL" -Q "$Q" recover
	fill_disk
	before=$("$QTOOL" -Q "$Q" list --format ids | wc -l)
	[ "$before" -gt 4200 ]
	run_q -Q "$Q" delete --all --queue hold,deferred --purge --yes --state-dir "$ELSEWHERE"
	expect_status 0
	[[ ${lines[1]} == *": "*" messages purged; there is no undo" ]]
	[ "$("$QTOOL" -Q "$Q" list --queue hold,deferred --format ids | wc -l)" -eq 0 ]
	[ -z "$(find "$Q/qtool/tx" -type f)" ]
}

@test "delete --purge --state-dir of more than 4,096 messages on a full disk" {
	small_disk ext4 5000
	many_at_once
}

# An attempt that the disk has no room for after all, or that is killed, leaves
# all mail and takes nothing from the next one.
tried_in_vain() {
	local before bytes all ids
	"$QTOOL" -Q "$Q" recover
	rm "$Q/qtool/room" # as if it were used up
	fill_disk
	before=$(queue_files)
	bytes=$(sums)
	all=$(mail)
	for _ in 1 2; do
		run_q -Q "$Q" delete --sasl $JOE --purge --yes --state-dir "$ELSEWHERE"
		expect_status 5
		[[ $stderr == *": rename: No space left on device; "*"take fewer first"* ]]
		[[ $stderr == *"nothing was changed"* ]]
		diff <(echo "$before") <(queue_files)
		diff <(echo "$bytes") <(sums)
		[ -d "$Q/qtool/spare/x/0000" ]
		[ -z "$(ls "$Q/qtool/tx")$(ls "$ELSEWHERE/tx")" ]
	done
	# fewer, as it says
	mapfile -t ids < <("$QTOOL" -Q "$Q" list --sasl $JOE --limit 5 --format ids)
	run_q -Q "$Q" delete --purge --yes --state-dir "$ELSEWHERE" "${ids[@]}"
	expect_status 0
	[ "$(mail | wc -l)" -eq $(($(wc -l <<<"$all") - 5)) ]
	has_more_blocks 5
}

@test "a large delete that the full disk has no room for is refused whole, a small one works" {
	KINDS="ext4 xfs" for_each_kind tried_in_vain
}

killed() {
	local before bytes all n
	"$QTOOL" -Q "$Q" recover
	fill_disk
	before=$(queue_files)
	bytes=$(sums)
	all=$(mail)
	for n in $([ "$KIND" = ext4 ] && echo 60 250) 150; do
		run "$BATS_TEST_TMPDIR/inject" -n "$n" -k after "$QTOOL" -Q "$Q" \
		    delete --sasl $JOE --purge --yes --state-dir "$ELSEWHERE"
		[ "$status" -eq 137 ]
		[ "$(queue_files | wc -l)" -lt "$(wc -l <<<"$before")" ]
		[ ! -e "$Q/qtool/spare" ]
		run_q -Q "$Q" recover
		expect_status 0
		[[ $output == "transaction 1: aborted, "*" messages put back where they were" ]]
		diff <(echo "$before") <(queue_files)
		diff <(echo "$bytes") <(sums)
		[ -d "$Q/qtool/spare/x/0000" ]
		run_q -Q "$Q" recover
		[ "$output" = "nothing to recover" ]
	done
	run_q -Q "$Q" delete --sasl $JOE --purge --yes --state-dir "$ELSEWHERE"
	expect_status 0
	purged_alone $JOE "$all"
}

@test "a delete that is killed on a full disk is recovered whole, and works then" {
	"${CC:-cc}" -std=gnu17 -D_GNU_SOURCE -o "$BATS_TEST_TMPDIR/inject" \
	    "$ROOT/tests/fault/inject.c"
	KINDS="tmpfs ext4 xfs" for_each_kind killed
}

purge_later() {
	local all
	all=$(mail)
	"$QTOOL" -Q "$Q" delete --yes --sasl $JOE
	fill_disk
	run_q -Q "$Q" purge 1 --yes
	expect_status 0
	[ "$(stat -f -c %d "$M")" -ge "$(messages_of $JOE)" ]
	diff <(grep -v "$JOE\$" <<<"$all") <(mail)
	has_more_blocks "$(messages_of $JOE)"
}

@test "purge of what was deleted before the disk was full" {
	for_each_kind purge_later
}

undo_later() {
	local before bytes
	before=$(queue_files)
	bytes=$(sums)
	"$QTOOL" -Q "$Q" delete --yes --sasl $JOE
	fill_disk
	run_q -Q "$Q" undo --in-place
	expect_status 0
	diff <(echo "$before") <(queue_files)
	diff <(echo "$bytes") <(sums)
}

@test "undo --in-place on a disk that is full by now" {
	for_each_kind undo_later
}

# Never used here before, so that nothing is reserved: with every little room
# it is refused with all mail as it was, or done whole.
@test "the first use on a full disk is refused whole until there is room" {
	small_disk tmpfs
	fill_disk
	before=$(queue_files)
	bytes=$(sums)
	all=$(mail)
	freed=0
	while true; do
		run_q -Q "$Q" delete --sasl $JOE --purge --yes --state-dir "$ELSEWHERE"
		[ "$status" -ne 0 ] || break
		expect_status 5
		[[ $stderr =~ qtool[a-z/-]*": "(mkdir|open|create|write)": No space left on device" ]]
		[[ $stderr =~ "needs "[1-9]" inodes and "[0-9]+" KiB more: free them first" ]]
		diff <(echo "$before") <(queue_files)
		diff <(echo "$bytes") <(sums)
		freed=$((freed + 1))
		[ "$freed" -le 16 ]
		rm "$M/fill/$freed"
		truncate -s -4096 "$M/fill/0"
	done
	echo "inodes and blocks that had to be freed: $freed"
	purged_alone $JOE "$all"
}
