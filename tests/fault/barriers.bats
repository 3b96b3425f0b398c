#!/usr/bin/env bats
# What is synced belongs to the transaction and not to its messages: as many
# syncs for 10,000 messages as for 100.

load ../cli/common

setup_file() {
	practice_queue "$BATS_FILE_TMPDIR/q" 12000
}

setup() {
	Q=$BATS_FILE_TMPDIR/q
}

# some_ids FILE N: N messages of deferred.
some_ids() {
	"$QTOOL" -Q "$Q" list --queue deferred --format ids --limit "$2" >"$1"
	[ "$(wc -l <"$1")" -eq "$2" ]
}

# syncs NAME ARGS...: how often a run of qtool, which has to succeed, syncs.
syncs() {
	local trace=$BATS_TEST_TMPDIR/trace.$1
	shift
	strace -f -qq --seccomp-bpf -o "$trace" -e trace=fsync,fdatasync,syncfs,sync,sync_file_range,msync \
	    "$QTOOL" -Q "$Q" "$@" >"$BATS_TEST_TMPDIR/out"
	grep -cE '(sync|fs|range)\(' "$trace"
}

# same FEW MANY LIMIT: as many, and no more than a constant.
same() {
	echo "syncs: $1 for few, $2 for many"
	[ "$1" -ge 2 ] # plan and COMMIT are durable
	[ "$1" -eq "$2" ]
	[ "$1" -le 16 ]
}

@test "delete, undo and purge of 10,000 messages sync as often as those of 100" {
	local list=$BATS_TEST_TMPDIR/ids n=() undone=() purged=() count id
	# what is made once in a spool's life does not count, nor that a spool
	# with a history has its logs synced when it is opened
	some_ids "$list" 1
	"$QTOOL" -Q "$Q" delete --ids "$list" --yes
	for count in 100 10000; do
		some_ids "$list" "$count"
		n+=("$(syncs delete delete --ids "$list" --yes --expect "$count")")
		id=$(sed -n 's/^transaction \([0-9]*\):.*/\1/p' "$BATS_TEST_TMPDIR/out")
		undone+=("$(syncs undo undo --in-place "$id")")
		grep -q "put back" "$BATS_TEST_TMPDIR/out"
	done
	same "${n[@]}"
	same "${undone[@]}"
	for count in 100 10000; do
		some_ids "$list" "$count"
		"$QTOOL" -Q "$Q" delete --ids "$list" --yes --expect "$count" >"$BATS_TEST_TMPDIR/out"
		id=$(sed -n 's/^transaction \([0-9]*\):.*/\1/p' "$BATS_TEST_TMPDIR/out")
		purged+=("$(syncs purge purge --yes "$id")")
		grep -q "unlinked" "$BATS_TEST_TMPDIR/out"
	done
	same "${purged[@]}"
}

@test "hold, release and their undo sync as often for 1,000 as for 100" {
	local list=$BATS_TEST_TMPDIR/ids held=() released=() undone=() count id
	Q=$BATS_TEST_TMPDIR/q
	practice_queue "$Q" 1500
	some_ids "$list" 1
	"$QTOOL" -Q "$Q" delete --ids "$list" --yes
	for count in 100 1000; do
		some_ids "$list" "$count"
		held+=("$(syncs hold hold --ids "$list" --yes --expect "$count")")
		released+=("$(syncs release release --ids "$list" --yes --expect "$count" \
		    --allow old,null-sender,deleted)")
		id=$(sed -n 's/^transaction \([0-9]*\):.*/\1/p' "$BATS_TEST_TMPDIR/out")
		undone+=("$(syncs undo undo --in-place "$id")")
		grep -q "put back" "$BATS_TEST_TMPDIR/out"
		# deferred again, for the next
		"$QTOOL" -Q "$Q" release --ids "$list" --yes --allow old,null-sender,deleted
	done
	same "${held[@]}"
	same "${released[@]}"
	same "${undone[@]}"
}
