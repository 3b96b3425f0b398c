#!/usr/bin/env bats
# qtool archive, seen by somebody who has tar, zstd, sha256sum, jq and cmp.

bats_require_minimum_version 1.5.0
load bag

setup_file() {
	export Q=$BATS_FILE_TMPDIR/spool
	"$TOOLS/mkspool" -n 200 "$Q"
}

setup() {
	OUT=$BATS_TEST_TMPDIR/out
	mkdir "$OUT"
}

# Every message in the bag is the queue's file, byte for byte.
compare_with_queue() {
	local n=0 path found
	while IFS=$'\t' read -r path found; do
		cmp "$path" "$Q/$found"
		n=$((n + 1))
	done < <(jq -r '[.path, .found] | @tsv' metadata/messages.jsonl)
	[ "$n" -gt 0 ]
}

# The same where many were copied, by one process.
compare_sums_with_queue() {
	jq -r '.sha256 + "  " + .found' metadata/messages.jsonl |
	    (cd "$Q" && sha256sum --quiet --strict -c)
}

@test "all mail, checked with plain tools alone" {
	run -0 --separate-stderr "$QTOOL" -Q "$Q" archive -o "$OUT/x.tar.zst" --all --case 2026-17
	[ -z "$stderr" ]
	(cd "$OUT" && sha256sum --strict -c x.tar.zst.sha256)
	zstd -tq "$OUT/x.tar.zst"
	check_bag "$OUT/x.tar.zst"
	[[ $BAG == *_2026-17 ]]
	[ "$(wc -l <metadata/messages.jsonl)" -eq 200 ]
	compare_with_queue
	# the whole queue, and its logs
	diff <(cd "$Q" && find active deferred hold incoming -type f -printf '%f\n' | sort) \
	    <(cd data/queue && find active deferred hold incoming -type f -printf '%f\n' 2>/dev/null | sort)
	diff <(find "$Q/defer" -type f -exec sha256sum {} + | sed 's, .*/, ,' | sort) \
	    <(sha256sum data/queue/defer/* | sed 's, .*/, ,' | sort)
	[ "$(stat -c %a "$OUT/x.tar.zst")" = 400 ]
	[[ ${lines[0]} == "archived 200 messages and "* ]]
}

@test "the commands in the report are the ones that check it" {
	"$QTOOL" -Q "$Q" archive -o "$OUT/it's x.tar.zst" --queue hold --all >"$BATS_TEST_TMPDIR/report"
	sed -n '/^to check/,$p' "$BATS_TEST_TMPDIR/report" | tail -n +2 >"$BATS_TEST_TMPDIR/commands"
	[ "$(wc -l <"$BATS_TEST_TMPDIR/commands")" -eq 5 ]
	bash -e "$BATS_TEST_TMPDIR/commands"
	# and they find a change
	chmod -R u+w "$OUT"
	f=$(ls "$OUT"/qtool-evidence_*/data/queue/hold/* | head -1)
	printf x | dd of="$f" bs=1 seek=3 conv=notrunc status=none
	cd "$OUT"/qtool-evidence_*
	run ! sha256sum --quiet --strict -c tagmanifest-sha256.txt manifest-sha256.txt
}

@test "the commands in README.txt work" {
	"$QTOOL" -Q "$Q" archive -q -o "$OUT/x.tar.zst" --queue hold --all
	tar --warning=no-timestamp -xf "$OUT/x.tar.zst" -C "$OUT"
	cd "$OUT"/qtool-evidence_*
	for cmd in "tar --warning=no-timestamp --zstd -xf FILE.tar.zst" "sha256sum -c FILE.sha256"; do
		grep -qxF "  $cmd" README.txt
	done
	sed -n '/^  sha256sum --quiet/p; /^  diff /,/\(sort\|done\))$/p; /^  jq -r .\.sha256/,/-c$/p' README.txt >"$BATS_TEST_TMPDIR/commands"
	[ "$(wc -l <"$BATS_TEST_TMPDIR/commands")" -eq 9 ]
	run -0 bash -e "$BATS_TEST_TMPDIR/commands"
	[ -z "$output" ]
	[ "$(LC_ALL=C awk 'length > 79 || /[^ -~]/' README.txt)" = "" ]
}

@test "a selection is the one that list shows" {
	login=$("$QTOOL" -Q "$Q" query "SELECT sasl_username FROM messages WHERE sasl_username IS NOT NULL GROUP BY 1 ORDER BY count(*) DESC LIMIT 1" --format ids)
	"$QTOOL" -Q "$Q" list --sasl "$login" --format ids | sort >"$BATS_TEST_TMPDIR/listed"
	[ -s "$BATS_TEST_TMPDIR/listed" ]
	"$QTOOL" -Q "$Q" archive -q -o "$OUT/x.tar.gz" --sasl "$login"
	check_bag "$OUT/x.tar.gz"
	jq -r .queue_id metadata/messages.jsonl | sort | diff - "$BATS_TEST_TMPDIR/listed"
	[ "$(jq -r .sasl_username metadata/messages.jsonl | sort -u)" = "$login" ]
	compare_sums_with_queue
	# recipients: as many lines as the messages say
	[ "$(jq -s 'map(.rcpt_total) | add' metadata/messages.jsonl)" -eq \
	    "$(wc -l <metadata/recipients.jsonl)" ]
	jq -r '.command' metadata/case.json | grep -qF -- "archive -q -o $OUT/x.tar.gz --sasl $login"
}

@test "every format" {
	for f in x.tar x.tar.gz x.tar.xz x.tar.zst; do
		"$QTOOL" -Q "$Q" archive -q -o "$OUT/$f" --queue hold --all
		(cd "$OUT" && sha256sum --quiet --strict -c "$f.sha256")
		check_bag "$OUT/$f"
		rm -rf "$BATS_TEST_TMPDIR/bag"
	done
}

@test "the same mail at any number of jobs" {
	for j in 1 8; do
		"$QTOOL" -Q "$Q" archive -q --jobs $j -o "$OUT/$j.tar" --all
		tar -tf "$OUT/$j.tar" | sed 's,^[^/]*/,,' >"$OUT/$j.names"
		tar -xOf "$OUT/$j.tar" --wildcards '*/messages.jsonl' >"$OUT/$j.jsonl"
	done
	cmp "$OUT/1.names" "$OUT/8.names"
	cmp "$OUT/1.jsonl" "$OUT/8.jsonl"
}

@test "standard output is a whole archive, the report goes to stderr" {
	"$QTOOL" -Q "$Q" archive -o - --queue hold --all >"$OUT/x.tar.zst" 2>"$BATS_TEST_TMPDIR/report"
	check_bag "$OUT/x.tar.zst"
	grep -q "^archived .* in standard output" "$BATS_TEST_TMPDIR/report"
	sum=$(sha256sum <"$OUT/x.tar.zst")
	grep -qx "sha256 ${sum%% *}" "$BATS_TEST_TMPDIR/report"
	[ "$(ls "$OUT")" = x.tar.zst ]
}

@test "a terminal is no place for an archive" {
	run -0 python3 - "$QTOOL" -Q "$Q" archive -o - --all <<-'EOF'
	import os, pty, sys
	pid, fd = pty.fork()
	if pid == 0:
	    os.execv(sys.argv[1], sys.argv[1:])
	out = b""
	try:
	    while True:
	        out += os.read(fd, 4096)
	except OSError:
	    pass
	status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
	print(status, out.decode(errors="replace"))
	EOF
	[[ $output == "4 "*"not written to a terminal"* ]]
}

@test "a reader that goes away is a failure, not a success" {
	run -0 --separate-stderr bash -c \
	    '"$QTOOL" -Q "$Q" archive -o - --all | head -c 100 >/dev/null; echo "${PIPESTATUS[0]}"'
	[ "$output" = 5 ]
	[[ $stderr == *"no archive was made"* ]]
}

@test "nothing matched: exit 1 and no file" {
	run -1 --separate-stderr "$QTOOL" -Q "$Q" archive -o "$OUT/x.tar.zst" --sasl nobody@nowhere.example
	[[ $stderr == *"no archive was made: no message matches"* ]]
	no_file_left
}

@test "usage errors: exit 2 and no file" {
	run -2 "$QTOOL" -Q "$Q" archive -o "$OUT/x.tar.zst"
	[[ $output == *"--all"* ]]
	run -2 "$QTOOL" -Q "$Q" archive -o "$OUT/x.tar.zst" --queue hold
	run -2 "$QTOOL" -Q "$Q" archive --all
	[[ $output == *"-o FILE"* ]]
	run -2 "$QTOOL" -Q "$Q" archive -o "$OUT/x.zip" --all
	[[ $output == *".tar.zst"* ]]
	run -2 "$QTOOL" -Q "$Q" archive -o "$OUT/." --all --keep-until tomorrow
	no_file_left
}

@test "an existing file is refused and stays" {
	for f in x.tar.zst x.tar.zst.sha256; do
		echo mine >"$OUT/$f"
		run -4 "$QTOOL" -Q "$Q" archive -o "$OUT/x.tar.zst" --all
		[[ $output == *"not overwritten"* ]]
		[ "$(cat "$OUT/$f")" = mine ]
		[ "$(ls "$OUT")" = "$f" ]
		rm "$OUT/$f"
	done
	# a link that leads nowhere exists too
	ln -s "$OUT/none/there" "$OUT/x.tar.zst"
	run -4 "$QTOOL" -Q "$Q" archive -o "$OUT/x.tar.zst" --all
}

@test "a dry run says what and makes nothing" {
	run -0 --separate-stderr "$QTOOL" -Q "$Q" archive -n -o "$OUT/x.tar.zst" --all
	n=$(printf '%s\n' "${lines[@]}" | sed -n 's/^would archive \([0-9]*\) from .*/\1/p' | awk '{s += $1} END {print s}')
	[ "$n" -eq 200 ]
	no_file_left
	run -1 "$QTOOL" -Q "$Q" archive -n --sasl nobody@nowhere.example
}

@test "--json reports the same as the archive is" {
	run -0 --separate-stderr "$QTOOL" -Q "$Q" archive --json -o "$OUT/x.tar.zst" --queue hold --all
	[ "$(jq -r .sha256 <<<"$output")" = "$(cut -c1-64 "$OUT/x.tar.zst.sha256")" ]
	[ "$(jq .archive_bytes <<<"$output")" -eq "$(stat -c %s "$OUT/x.tar.zst")" ]
	check_bag "$OUT/x.tar.zst"
	[ "$(jq .messages <<<"$output")" -eq "$(wc -l <metadata/messages.jsonl)" ]
	[ "$(jq -r .base <<<"$output")" = "${BAG##*/}" ]
}

@test "no space left: exit 5 and no file" {
	# a file system that is too small where we may mount one, else a limit
	if [ "$(id -u)" = 0 ] && mount -t tmpfs -o size=64k tmpfs "$OUT" 2>/dev/null; then
		run "$QTOOL" -Q "$Q" archive -o "$OUT/x.tar" --all
		left=$(ls -A "$OUT")
		umount "$OUT"
		[ "$status" -eq 5 ]
		[[ $output == *"No space left on device"* ]]
		[ -z "$left" ]
	fi
	run -5 bash -c 'trap "" XFSZ; ulimit -f 64; exec "$@"' - \
	    "$QTOOL" -Q "$Q" archive -o "$OUT/x.tar" --all
	[[ $output == *"File too large"* ]]
	no_file_left
}

@test "SIGTERM while it works: exit 5 and no file" {
	"$TOOLS/mkspool" -n 3000 "$BATS_TEST_TMPDIR/big"
	"$QTOOL" -Q "$BATS_TEST_TMPDIR/big" archive -o "$OUT/x.tar.xz" --all 2>"$BATS_TEST_TMPDIR/err" &
	pid=$!
	# the temporary name is there from the beginning
	for ((i = 0; i < 2000; i++)); do
		[ -z "$(ls -A "$OUT")" ] || break
		sleep 0.005
	done
	kill -TERM $pid
	status=0
	wait $pid || status=$?
	[ "$status" -eq 5 ]
	grep -q "no archive was made: interrupted" "$BATS_TEST_TMPDIR/err"
	no_file_left
}

@test "what is no message is named, and the rest archived: exit 3" {
	cp -a "$Q" "$BATS_TEST_TMPDIR/odd"
	Q=$BATS_TEST_TMPDIR/odd
	ln -s /etc/passwd "$Q/hold/ABCDE12345"
	mkfifo "$Q/hold/ABCDE12346"
	run -3 --separate-stderr timeout 60 "$QTOOL" -Q "$Q" archive -o "$OUT/x.tar.zst" --queue hold --all
	[[ $stderr == *"ABCDE12345 in hold is not archived: "* ]]
	[[ $stderr == *"ABCDE12346 in hold is not archived: "* ]]
	check_bag "$OUT/x.tar.zst"
	[ "$(jq -r .queue_id metadata/missing.jsonl | sort | tr '\n' ' ')" = "ABCDE12345 ABCDE12346 " ]
	compare_sums_with_queue
	! grep -r root: data
}

@test "names that are none get others, and are told" {
	cp -a "$Q" "$BATS_TEST_TMPDIR/odd"
	Q=$BATS_TEST_TMPDIR/odd
	some=$(find "$Q/hold" -type f | head -1)
	names=($'sp ace' $'\xff\xfe\x01' $'new\nline' $'\\x41' $'$(id)')
	for n in "${names[@]}"; do
		cp -a "$some" "$Q/hold/$n"
	done
	run -3 "$QTOOL" -Q "$Q" archive -o "$OUT/x.tar.zst" --queue hold --all
	check_bag "$OUT/x.tar.zst"
	[ "$(ls data/odd | wc -l)" -eq ${#names[@]} ]
	for n in "${names[@]}"; do
		path=$(jq -r --arg n "$(printf %s "$n" | base64)" \
		    'select(.name_b64 == $n).path' metadata/messages.jsonl)
		cmp "$path" "$Q/hold/$n"
	done
}
