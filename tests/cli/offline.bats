#!/usr/bin/env bats
# An archive, or a tarball of a spool, in place of the queue: the same mail gives
# the same rows; what is hostile ends in a message.

load common
load rows

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

# What an archive cannot tell, and a plain tarball beyond that.
NOT_KNOWN="host in_delivery config_dir queue_dir"
NOT_IN_TAR="dev inode mtime_ns ctime_ns nlink"

# Entries that are no files are in no bag; in a tarball they have no size.
only_files() { # FILE
	grep -vE '"error": "(a symbolic link|a FIFO|a directory|a socket|a device)"' "$1"
}
without_sizes() {
	sed -E '/"error": "(a symbolic link|a FIFO|a directory|a socket|a device)"/s/"(file|message)_size": [a-z0-9]+/"\1_size": -/g' "$1"
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

@test "one message out of an archive is what it is in the queue" {
	run "$QTOOL" -Q "$Q" list --sasl anna.keller@victim.example --class forged \
	    --queue deferred --format ids --limit 1
	id=${lines[0]}
	for a in bag.tar.zst bag.tar.gz spool.tar; do
		for how in --eml "--records --content" --json --lines=0; do
			# shellcheck disable=SC2086 # words
			"$QTOOL" -Q "$Q" show $how "$id" | grep -v '^file \|"host"' |
			    sed -E 's/"(in_delivery|host|dev|inode)": [^,]*, //g' >"$DIR/a"
			# shellcheck disable=SC2086
			"$QTOOL" -A "$DIR/$a" show $how "$id" | grep -v '^file \|"host"' |
			    sed -E 's/"(in_delivery|host|dev|inode)": [^,]*, //g' >"$DIR/b"
			[ -s "$DIR/a" ]
			same "$DIR/a" "$DIR/b"
		done
	done
	run -1 "$QTOOL" -A "$DIR/bag.tar.zst" show 0000000000
}

@test "views of an archive: the same answer as of the queue" {
	for v in "top -b sasl_username,queue_name" "list --format ids --class bounce" \
	    "list --format ids --queue hold,deferred --rcpt-domain webpost.example" \
	    "list --format ids --body account --newer 2000h"; do
		# shellcheck disable=SC2086 # words
		"$QTOOL" -Q "$Q" $v 2>/dev/null | sort >"$DIR/a" || [ $? -eq 3 ]
		# shellcheck disable=SC2086
		"$QTOOL" -A "$DIR/bag.tar.xz" $v 2>/dev/null | sort >"$DIR/b" || [ $? -eq 3 ]
		[ "$(wc -l <"$DIR/a")" -gt 3 ]
		[[ $v == top* ]] || same "$DIR/a" "$DIR/b"
	done
	run_q -A "$DIR/bag.tar.gz" status
	[[ $output == "Archive $DIR/bag.tar.gz; a copy"* ]]
	# several at once
	run "$QTOOL" -A "$DIR/bag.tar.gz" -A "$DIR/spool.tar" -Q "$Q" query --quiet --format tsv \
	    "SELECT count(DISTINCT host), count(*) FROM messages WHERE state = 'ok' AND class = 'forged'"
	n=$("$QTOOL" -Q "$Q" list --state ok --class forged --format ids 2>/dev/null | wc -l)
	[[ $output == *$'2\t'$((3 * n))* ]] || { echo "$n: $output"; false; }
}

@test "a spool that another machine made: foreign owner, no Postfix, read-only" {
	cp -a "$Q" "$BATS_TEST_TMPDIR/copy"
	chown -R 54321:54321 "$BATS_TEST_TMPDIR/copy"
	rows "$BATS_TEST_TMPDIR/live" "host queue_dir inode ctime_ns nlink uid gid" -- -Q "$Q"
	mkdir "$BATS_TEST_TMPDIR/bin"
	chmod a+x "$BATS_RUN_TMPDIR"
	unshare -m bash -c "mount --bind '$BATS_TEST_TMPDIR/copy' '$BATS_TEST_TMPDIR/copy' &&
	    mount -o remount,bind,ro '$BATS_TEST_TMPDIR/copy' || exit 9
	    touch '$BATS_TEST_TMPDIR/copy/x' 2>/dev/null && exit 8
	    exec env PATH='$BATS_TEST_TMPDIR/bin' '$QTOOL' -Q '$BATS_TEST_TMPDIR/copy' status" \
	    >"$BATS_TEST_TMPDIR/out" || [ $? -eq 3 ]
	grep -q '^all ' "$BATS_TEST_TMPDIR/out"
	rows "$BATS_TEST_TMPDIR/copied" "host queue_dir inode ctime_ns nlink uid gid" -- \
	    -Q "$BATS_TEST_TMPDIR/copy"
	same "$BATS_TEST_TMPDIR/live" "$BATS_TEST_TMPDIR/copied"
}

@test "an archive of an archive has the same mail" {
	local d=$BATS_TEST_TMPDIR
	for a in bag.tar.zst bag.tar.gz spool.tar; do
		"$QTOOL" -A "$DIR/$a" archive --all --quiet -o "$d/again.tar.zst" 2>/dev/null ||
		    [ $? -eq 3 ]
		rows "$d/first" "$NOT_KNOWN" -- -A "$DIR/$a"
		rows "$d/second" "$NOT_KNOWN" -- -A "$d/again.tar.zst"
		only_files "$d/first" >"$d/first.files"
		same "$d/first.files" "$d/second"
		rm "$d/again.tar.zst"*
	done
}

# ---- archives from a stranger ----

# make_tar FILE PYTHON: t is the open tar; add(name, bytes, ...) adds to it.
make_tar() {
	/usr/bin/python3 - "$1" "$2" <<-'END'
		import io, sys, tarfile
		name = sys.argv[1]
		t = tarfile.open(name, "w:" + (name.rsplit(".", 1)[1] if not name.endswith(".tar") else ""),
		    format=tarfile.PAX_FORMAT)
		def add(path, data=b"", **kw):
		    info = tarfile.TarInfo(path)
		    info.size, info.mode, info.mtime = len(data), 0o700, 1700000000
		    for k, v in kw.items():
		        setattr(info, k, v)
		    t.addfile(info, io.BytesIO(data))
		exec(sys.argv[2])
		t.close()
	END
}

@test "paths that lead elsewhere, and links, are not followed" {
	local d=$BATS_TEST_TMPDIR
	ln -s "$Q/hold" "$d/link"
	make_tar "$d/x.tar.gz" '
add("spool/deferred/ABCDEF1234", b"x")
for bad in ("../../deferred/ABCDEF0001", "/deferred/ABCDEF0002", "spool/../deferred/ABCDEF0003",
            "spool/deferred//ABCDEF0004", "spool/deferred/\x1b[2J", "spool/deferred/A\nB"):
    add(bad, b"x")
add("spool/deferred/ABCDEF0005", type=tarfile.SYMTYPE, linkname="/etc/shadow")
add("spool/deferred/ABCDEF0006", type=tarfile.LNKTYPE, linkname="../../etc/shadow")
add("spool/deferred/ABCDEF0007", type=tarfile.CHRTYPE)
add("spool/hold", type=tarfile.SYMTYPE, linkname="/var/spool/postfix/hold")
add("spool/defer/ABCDEF1234", type=tarfile.SYMTYPE, linkname="/etc/shadow")'
	run_q -A "$d/x.tar.gz" query --format tsv \
	    "SELECT queue_id, state, error, sha256 IS NULL, delay_reason FROM messages ORDER BY 1"
	expect_status 3
	[[ $stderr == *"6 files in it have names that lead elsewhere"* ]]
	[ "$(grep -c foreign <<<"$output")" -eq 3 ]
	[ "$(grep -c ABCDEF <<<"$output")" -eq 4 ]
	[[ $output != *root:* ]]
	is_harmless <<<"$output$stderr"
}

@test "bombs, and what has no end, are refused in bounded memory" {
	local d=$BATS_TEST_TMPDIR
	# 3 GiB of nothing in 100 KB; a header of 40 MB; a member of 8 EiB
	/usr/bin/python3 - "$d" <<-'END'
		import subprocess, sys, tarfile, io
		info = tarfile.TarInfo("deferred/ABCDEF1234"); info.size = 3 << 30; info.mode = 0o700
		p = subprocess.Popen(["zstd", "-q", "-1", "-o", sys.argv[1] + "/zeros.tar.zst"], stdin=subprocess.PIPE)
		p.stdin.write(info.tobuf(tarfile.GNU_FORMAT))
		for _ in range(3 * 256):
		    p.stdin.write(bytes(4 << 20))
		p.stdin.write(bytes(1024)); p.stdin.close(); assert p.wait() == 0
		info = tarfile.TarInfo("x"); info.type = tarfile.XHDTYPE; info.size = 40 << 20
		open(sys.argv[1] + "/header.tar", "wb").write(info.tobuf(tarfile.USTAR_FORMAT) +
		    b"30 comment=".ljust(40 << 20, b"a") + tarfile.TarInfo("deferred/ABCDEF1234").tobuf() + bytes(1024))
		info = tarfile.TarInfo("deferred/ABCDEF1234"); info.size = (1 << 63) - 513
		open(sys.argv[1] + "/large.tar", "wb").write(info.tobuf(tarfile.GNU_FORMAT) + bytes(2048))
	END
	[ "$(stat -c %s "$d/zeros.tar.zst")" -lt 500000 ]
	for f in zeros.tar.zst header.tar large.tar; do
		run_q -A "$d/$f" list
		expect_status 5
		[[ $stderr == *"$f: "* ]]
	done
	[[ $(QTOOL=$QTOOL; "$QTOOL" -A "$d/zeros.tar.zst" list 2>&1) == *"more times its size"* ]]
}

@test "thousands of members cost what they are worth" {
	local d=$BATS_TEST_TMPDIR
	make_tar "$d/many.tar.gz" '
for i in range(20000):
    add("deferred/A%09X" % i)
    add("defer/A%09X" % i, b"\n" * 3)'
	run "$QTOOL" -A "$d/many.tar.gz" query --quiet --format tsv \
	    "SELECT count(*), count(DISTINCT queue_id), min(state), max(delay_reason) FROM messages"
	[[ $output == *$'20000\t20000\tcorrupt\t'* ]] || { echo "$output"; false; }
}

# A bag unpacked, changed by a shell command in it, and packed again.
changed_bag() { # FILE COMMAND
	rm -rf "$BATS_TEST_TMPDIR/b"
	mkdir "$BATS_TEST_TMPDIR/b"
	tar -C "$BATS_TEST_TMPDIR/b" -xzf "$DIR/bag.tar.gz" --warning=no-timestamp --no-same-permissions
	chmod -R u+w "$BATS_TEST_TMPDIR/b"
	(cd "$BATS_TEST_TMPDIR"/b/* && eval "$2")
	tar -C "$BATS_TEST_TMPDIR/b" --sort=name -czf "$1" .
}

@test "a bag whose list is wrong says so, and shows what is there" {
	local f=$BATS_TEST_TMPDIR/w.tar.gz list=metadata/messages.jsonl
	for c in "echo '{' >>$list" "echo nonsense >>$list" "echo '[1]' >>$list" \
	    "head -n 1 $list >>$list" "printf '{\"path\": \"data/' >>$list" \
	    "echo nonsense >metadata/case.json"; do
		changed_bag "$f" "$c"
		run_q -A "$f" list
		expect_status 5
		[[ $stderr == *"w.tar.gz: metadata/"* ]] || { echo "$c: $stderr"; false; }
	done
	n=$("$QTOOL" -A "$DIR/bag.tar.gz" list --format ids 2>/dev/null | wc -l)
	changed_bag "$f" "sed -i 5,9d $list"
	run_q -A "$f" list --format ids
	[ "$(wc -l <<<"$output")" -eq "$n" ]
	[[ $stderr == *"its list does not have 5 of the files"* ]]
	changed_bag "$f" "rm $list metadata/case.json"
	run_q -A "$f" query --format tsv "SELECT count(*), count(mode), count(inode), min(host) FROM messages"
	[[ $output == *$'\t0\t0\tw.tar.gz'* ]]
	changed_bag "$f" "echo '{\"path\": \"data/queue/hold/NOTHERE1234\"}' >>$list"
	run_q -A "$f" list --format ids
	[[ $stderr == *"its list has 1 files that are not in it"* ]]
	# claims that no queue could make true
	# shellcheck disable=SC2016 # for jq
	changed_bag "$f" "jq -c '.found = \"../../etc/passwd\" | .stat.mode = \"77777777777\" | .stat.mtime_ns = 1e30 |
	    .stat.ino = -1 | .state = \"\\\\u001b[2J\"' $list >x && mv x $list"
	run_q -A "$f" list --format json
	[ "$(jq length <<<"$output")" -eq "$n" ] || { echo "$status ${output:0:300} $stderr"; false; }
	[[ $output != *passwd* ]]
	is_harmless <<<"$output"
}

@test "an archive that is cut off or changed ends in a message" {
	practice_queue "$BATS_TEST_TMPDIR/q" 12
	for x in tar tar.gz tar.xz tar.zst; do
		"$QTOOL" -Q "$BATS_TEST_TMPDIR/q" archive --all --quiet -o "$BATS_TEST_TMPDIR/a.$x" 2>/dev/null
	done
	/usr/bin/python3 - "$BATS_TEST_TMPDIR" "$QTOOL" <<-'END'
		import random, subprocess, sys
		rng = random.Random(7)
		def run(data, ext):
		    name = sys.argv[1] + "/bad" + ext
		    open(name, "wb").write(data)
		    p = subprocess.run([sys.argv[2], "-A", name, "query", "--format", "jsonl",
		        "SELECT m.*, r.*, h.* FROM messages m LEFT JOIN recipients r USING (queue_id) LEFT JOIN headers h USING (queue_id)"],
		        stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)
		    assert p.returncode in (0, 1, 3, 5), (ext, p.returncode, p.stderr)
		    assert p.returncode != 5 or ("bad%s: " % ext).encode() in p.stderr, (ext, p.stderr)
		    return p.returncode
		for ext in ".tar", ".tar.gz", ".tar.xz", ".tar.zst":
		    whole = open(sys.argv[1] + "/a" + ext, "rb").read()
		    assert run(whole, ext) == 0
		    for i in range(8):
		        cut = rng.randrange(len(whole) - 2048 if ext == ".tar" else len(whole) * 3 // 4)
		        assert run(whole[:cut], ext) == 5, (ext, cut)
		    for i in range(20):
		        bad = bytearray(whole)
		        bad[rng.randrange(len(bad))] ^= 1 << rng.randrange(8)
		        run(bad, ext)
	END
}

@test "what is no archive is said" {
	echo text >"$BATS_TEST_TMPDIR/t.tar"
	: >"$BATS_TEST_TMPDIR/e.tar"
	tar -C "$ROOT" -cf "$BATS_TEST_TMPDIR/n.tar" README.md
	for f in t.tar e.tar n.tar none.tar; do
		run_q -A "$BATS_TEST_TMPDIR/$f" list
		expect_status 5
		[[ $stderr == *"$f: "* ]]
	done
	run_q -A "$BATS_TEST_TMPDIR" list
	expect_status 2
	run_q -A "$DIR/bag.tar" --transaction 1 list
	expect_status 2
}

@test "one message out of many is read without the rest" {
	local d=$BATS_TEST_TMPDIR
	practice_queue "$d/many" 1200
	"$QTOOL" -Q "$d/many" archive --all --quiet -o "$d/many.tar.zst" 2>/dev/null
	# the archive's order is that of queue names: active, deferred, hold
	first=$("$QTOOL" -Q "$d/many" list --queue deferred --sort queue_id --format ids --limit 600 | tail -n 1)
	last=$("$QTOOL" -Q "$d/many" list --queue hold --sort queue_id:desc --format ids --limit 1)
	chmod 600 "$d/many.tar.zst"
	# all frames of deferred mail are destroyed, but the first one, and those
	# that have held mail in them, too
	/usr/bin/python3 - "$d/many.tar.zst" "$d/cut.tar.zst" <<-'END'
		import struct, subprocess, sys
		b = bytearray(open(sys.argv[1], "rb").read())
		n = struct.unpack("<I", b[-9:-5])[0]
		at, frames = 0, []
		for i in range(n):
		    size = struct.unpack("<I", b[len(b) - 9 - 8 * (n - i):][:4])[0]
		    text = subprocess.run(["zstd", "-dcq"], input=bytes(b[at:at + size]), stdout=subprocess.PIPE, check=True).stdout
		    if b"/data/queue/hold/" in text:
		        break
		    frames.append((at, size))
		    at += size
		assert len(frames) >= 3, len(frames)
		for at, size in frames[1:]:
		    b[at + size // 2:at + size // 2 + 64] = bytes(64)
		open(sys.argv[2], "wb").write(b)
	END
	run_q -A "$d/cut.tar.zst" list
	expect_status 5
	[[ $stderr == *"cut.tar.zst: it is damaged"* ]]
	for how in --eml "--records --content" "--lines 5"; do
		# shellcheck disable=SC2086 # words
		"$QTOOL" -Q "$d/many" show $how "$last" | grep -v '^file ' >"$d/a"
		# shellcheck disable=SC2086
		"$QTOOL" -A "$d/cut.tar.zst" show $how "$last" | grep -v '^file ' >"$d/b"
		[ -s "$d/a" ]
		same "$d/a" "$d/b"
	done
	run_q -A "$d/cut.tar.zst" show "$first"
	expect_status 5
	run_q -A "$d/cut.tar.zst" show 0000000000
	expect_status 5
	run_q -A "$d/many.tar.zst" show 0000000000
	expect_status 1
	# both from one whole archive
	run -0 "$QTOOL" -A "$d/many.tar.zst" show --lines 1 "$first" "$last!"
}

# in_delivery of each message that a source has, and how many have it so.
locked() {
	"$QTOOL" "$@" query --quiet --format tsv \
	    "SELECT in_delivery, count(*) FROM messages WHERE error IS NULL GROUP BY 1 ORDER BY 1" |
	    tail -n +2
}

index_of() { # ARCHIVE FILE
	tar --warning=no-timestamp -xOf "$1" --wildcards '*/metadata/index.sqlite' >"$2"
}

@test "what was in delivery then is told by every source, and is restored" {
	load changes
	local q=$BATS_TEST_TMPDIR/l to=$BATS_TEST_TMPDIR/to a=$BATS_TEST_TMPDIR/l.tar.zst
	local again=$BATS_TEST_TMPDIR/again.tar.zst plain=$BATS_TEST_TMPDIR/plain.tar
	practice_queue "$q" 20
	in_delivery "$(find "$q/deferred" -type f | head -1)"
	"$QTOOL" -Q "$q" archive --all -q -o "$a"
	want=$(locked -Q "$q")
	kill $!
	[ "$(tail -1 <<<"$want")" = $'true\t1' ] || { echo "$want"; false; }
	index_of "$a" "$BATS_TEST_TMPDIR/l.sqlite"
	[ "$(locked -A "$a")" = "$want" ]
	[ "$(locked -D "$BATS_TEST_TMPDIR/l.sqlite")" = "$want" ]
	# an archive of the archive says the same, and agrees with itself
	"$QTOOL" -A "$a" archive --all -q -o "$again"
	[ "$(locked -A "$again")" = "$want" ]
	"$QTOOL" verify -q "$again"
	# that somebody had it open then keeps nobody from having it back
	practice_queue "$to" 1
	find "$to" -type f -delete
	"$QTOOL" -Q "$to" restore --all --yes --wait 60 "$a"
	[ "$(find "$to/hold" -type f | wc -l)" = 20 ]
	# of a tarball nobody knows, and so it stays
	tar -C "$q" -cf "$plain" .
	"$QTOOL" -A "$plain" archive --all -q -o "$BATS_TEST_TMPDIR/of-plain.tar.zst"
	"$QTOOL" verify -q "$BATS_TEST_TMPDIR/of-plain.tar.zst"
	index_of "$BATS_TEST_TMPDIR/of-plain.tar.zst" "$BATS_TEST_TMPDIR/of-plain.sqlite"
	want=$(locked -A "$plain")
	[ "$(wc -l <<<"$want")" = 1 ]
	[ "$(locked -A "$BATS_TEST_TMPDIR/of-plain.tar.zst")" = "$want" ]
	[ "$(locked -D "$BATS_TEST_TMPDIR/of-plain.sqlite")" = "$want" ]
}

@test "of two truths in an archive neither is taken in silence" {
	local q=$BATS_TEST_TMPDIR/q a=$BATS_TEST_TMPDIR/a.tar bad=$BATS_TEST_TMPDIR/bad.tar
	practice_queue "$q" 20
	"$QTOOL" -Q "$q" archive -q -o "$a" --all
	run_q -A "$a" list --format ids
	expect_status 0
	[ -z "$stderr" ]
	# alter twice|line: a message once more, with another sender; a line with its path twice
	for what in twice line; do
		python3 - "$a" "$bad" "$what" <<-'END'
			import io, sys, tarfile
			out = tarfile.open(sys.argv[2], "w", format=tarfile.PAX_FORMAT)
			done = False
			for m in tarfile.open(sys.argv[1]):
			    data = tarfile.open(sys.argv[1]).extractfile(m).read() if m.isfile() else None
			    if sys.argv[3] == "line" and m.name.endswith("/messages.jsonl"):
			        first, rest = data.split(b"\n", 1)
			        path = first.index(b'"path":"')
			        end = first.index(b'"', path + 8) + 1
			        data = first[:-1] + b"," + first[path:end].replace(b"data/queue/", b"data/queue/x") + b"}\n" + rest
			        m.size = len(data)
			    out.addfile(m, io.BytesIO(data) if data is not None else None)
			    if sys.argv[3] == "twice" and "/data/queue/deferred/" in m.name and not done:
			        out.addfile(m, io.BytesIO(data.replace(b"example", b"EXAMPLE")))
			        done = True
			out.close()
		END
		run_q -A "$bad" list --format ids
		if [ "$what" = twice ]; then
			expect_status 3
			[[ $stderr == *'its list does not have 1 of the files'* ]]
		else
			expect_status 5
			[[ $stderr == *'says a thing twice'* ]]
		fi
	done
}

@test "an archive without names has no queue in it, and is not damaged for that" {
	local q=$BATS_TEST_TMPDIR/q a=$BATS_TEST_TMPDIR/a.tar.zst
	practice_queue "$q" 20
	"$QTOOL" -Q "$q" archive -q -o "$a" --redact recipients --all
	for args in "" --salvage; do
		# shellcheck disable=SC2086 # none or one
		run_q $args -A "$a" list --format ids
		expect_status 1
		[ -z "$output" ]
		[[ $stderr == *'names were taken out of it, and with them 20 files'* ]]
		[ "${#stderr_lines[@]}" -eq 1 ]
	done
}

@test "a bomb is none that --salvage or verify would read on behind" {
	local bomb=$BATS_TEST_TMPDIR/bomb.tar.zst
	# one frame, again and again: a file of 60 MiB of zeros in each
	python3 - "$BATS_TEST_TMPDIR/frame" <<-'END'
		import sys, tarfile
		m = tarfile.TarInfo("spool/deferred/0123456789A")
		m.size = (60 << 20) - 512
		with open(sys.argv[1], "wb") as out:
		    out.write(m.tobuf(tarfile.USTAR_FORMAT))
		    out.truncate(60 << 20)
	END
	zstd -q -1 --no-check "$BATS_TEST_TMPDIR/frame"
	python3 - "$BATS_TEST_TMPDIR/frame.zst" "$bomb" <<-'END'
		import struct, sys
		frame, n = open(sys.argv[1], "rb").read(), 400
		table = struct.pack("<II", len(frame), 60 << 20) * n + struct.pack("<IBI", n, 0, 0x8F92EAB1)
		with open(sys.argv[2], "wb") as out:
		    out.write(frame * n + struct.pack("<II", 0x184D2A5E, len(table)) + table)
	END
	[ "$(stat -c %s "$bomb")" -lt 5000000 ]
	run_q -A "$bomb" --salvage list
	expect_status 5
	[[ $stderr == *"refused at"* ]]
	run_q verify "$bomb"
	expect_status 1
	[[ $output == *"refused at"*"what follows could not be checked"* ]]
	[ "$(grep -c refused <<<"$output")" -eq 1 ]
}
