#!/usr/bin/env bats
# An archive, or a tarball of a spool, in place of the queue: the same mail gives
# the same rows; what is hostile ends in a message.

load common

setup_file() {
	export DIR=$BATS_FILE_TMPDIR Q=$BATS_FILE_TMPDIR/q
	practice_queue "$Q" 120
	hostile_queue "$Q"
	for x in tar tar.gz tar.xz tar.zst; do
		"$QTOOL" -Q "$Q" archive --all --quiet -o "$DIR/bag.$x" \
		    2>/dev/null || [ $? -eq 3 ]
	done
	tar -C "$Q" -cf "$DIR/spool.tar" .
	tar -C "$DIR" -czf "$DIR/spool.tar.gz" q
}

# What an archive cannot tell, and a plain tarball beyond that; body is in no
# list of columns that is printed.
NOT_KNOWN="host in_delivery config_dir queue_dir"
NOT_IN_TAR="dev inode mtime_ns ctime_ns nlink"

# columns TABLE NOT...: all of a table's, hidden ones too, but those.
columns() {
	local table=$1
	shift
	"$QTOOL" query --columns "$table" --format jsonl | jq -r .name |
	    grep -vxF "$(printf '%s\n' none "$@")" | paste -sd,
}

# rows FILE NOT -- SOURCE...: all tables of a source.
rows() {
	local to=$1 not=$2 t
	shift 3
	for t in messages recipients headers records; do
		# shellcheck disable=SC2086 # words
		"$QTOOL" "$@" query --quiet --format jsonl \
		    "SELECT $(columns $t $not) FROM $t" 2>>"$to.err" ||
		    [ $? -eq 3 ] || return 1
	done | LC_ALL=C sort >"$to"
}

# Entries that are no files are in no bag; in a tarball they have no size.
only_files() { # FILE
	grep -vE '"error": "(a symbolic link|a FIFO|a directory|a socket|a device)"' "$1"
}
without_sizes() {
	sed -E '/"error": "(a symbolic link|a FIFO|a directory|a socket|a device)"/s/"(file|message)_size": [a-z0-9]+/"\1_size": -/g' "$1"
}

same() { # FILE FILE
	cmp "$1" "$2" || { diff "$1" "$2" | head -n 6 | cut -c1-400; false; }
}

@test "a bag of any packing gives the rows of the queue" {
	rows "$DIR/live" "$NOT_KNOWN" -- -Q "$Q"
	[ "$(grep -c '"sha256"' "$DIR/live")" -gt 200 ]
	only_files "$DIR/live" >"$DIR/live.files"
	for x in tar tar.gz tar.xz tar.zst; do
		rows "$DIR/$x" "$NOT_KNOWN" -- -A "$DIR/bag.$x"
		same "$DIR/live.files" "$DIR/$x"
	done
}

@test "a tarball of the spool gives the rows of the queue" {
	rows "$DIR/live" "$NOT_KNOWN $NOT_IN_TAR" -- -Q "$Q"
	# names with control characters are passed over, and counted
	local control='"queue_id": "[^"]*\\[ntu]'
	without_sizes "$DIR/live" | grep -vE "$control" >"$DIR/live.files"
	n=$(grep -cE "$control" "$DIR/live")
	[ "$n" -gt 0 ]
	grep -q '"error": "a FIFO"' "$DIR/live.files"
	for x in tar tar.gz; do
		rows "$DIR/plain.$x" "$NOT_KNOWN $NOT_IN_TAR" -- -A "$DIR/spool.$x"
		without_sizes "$DIR/plain.$x" >"$DIR/plain.files"
		same "$DIR/live.files" "$DIR/plain.files"
		grep -q "spool.$x: $n files in it have names that" "$DIR/plain.$x.err"
	done
}
