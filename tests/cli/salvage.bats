#!/usr/bin/env bats
# Damaged archives: what verify says of them, and what --salvage makes of them.

load common
load changes

setup_file() {
	export FROM=$BATS_FILE_TMPDIR/from GOOD=$BATS_FILE_TMPDIR/good
	practice_queue "$FROM" 900
	mkdir "$GOOD"
	"$QTOOL" -Q "$FROM" archive -q -o "$GOOD/a.tar.zst" --all >/dev/null
	"$QTOOL" -Q "$FROM" archive -q -o "$GOOD/a.tar" --all >/dev/null
	"$QTOOL" -Q "$FROM" archive -q -o "$GOOD/a.tar.gz" --all >/dev/null
	rm "$GOOD"/*.sha256
	(cd "$FROM" && find incoming active deferred hold -type f -exec sha256sum {} +) |
	    cut -c-64 | sort >"$GOOD/sums"
	tar --zstd --warning=no-timestamp -tf "$GOOD/a.tar.zst" |
	    sed -nE 's,^[^/]*/(data/queue/(incoming|active|deferred|hold)/.*),\1,p' | sort >"$GOOD/names"
}

setup() {
	Q=$BATS_TEST_TMPDIR/q
	A=$BATS_TEST_TMPDIR/a
	practice_queue "$Q" 1
	find "$Q" -type f -delete
}

# damage FILE PER-MILLE BYTES: those, of the archive FILE, overwritten: $A.
damage() {
	A=$BATS_TEST_TMPDIR/$1
	python3 - "$GOOD/$1" "$A" "$2" "$3" <<-'END'
	import sys
	d = bytearray(open(sys.argv[1], "rb").read())
	at, n = len(d) * int(sys.argv[3]) // 1000, int(sys.argv[4])
	d[at:at + n] = bytes(b ^ 0x5a for b in d[at:at + n])
	open(sys.argv[2], "wb").write(d)
	END
}

# Messages in FILE's reports of that kind, sorted.
named() { # FILE KIND
	grep -oE "^$2: data/queue/(incoming|active|deferred|hold)/[0-9A-Za-z]+" "$1" |
	    sed 's/^[a-z]*: //' | sort -u
}

verify() {
	run --separate-stderr "$QTOOL" verify "$A"
	[ "$status" -eq 1 ]
	printf '%s\n' "$output" >"$BATS_TEST_TMPDIR/said"
}

# What is on hold now: N files, each of them one of the archive's, unaltered.
restored() { # N
	find "$Q/hold" -type f -exec sha256sum {} + | cut -c-64 | sort >"$BATS_TEST_TMPDIR/is"
	[ "$(wc -l <"$BATS_TEST_TMPDIR/is")" -eq "$1" ] || { wc -l "$BATS_TEST_TMPDIR/is"; echo "not $1: $stderr"; return 1; }
	[ -z "$(comm -23 "$BATS_TEST_TMPDIR/is" "$GOOD/sums")" ]
}

@test "a damaged frame: where, which files it took, and everything behind it checked" {
	damage a.tar.zst 300 50
	verify
	grep -qE '^damaged: it is damaged in or after ".*, at byte [0-9]+ .*; read on from byte [0-9]+$' "$BATS_TEST_TMPDIR/said"
	named "$BATS_TEST_TMPDIR/said" missing >"$BATS_TEST_TMPDIR/lost"
	lost=$(wc -l <"$BATS_TEST_TMPDIR/lost")
	all=$(wc -l <"$GOOD/names")
	[ "$lost" -gt 0 ]
	[ "$lost" -lt "$((all - 100))" ]
	# they are next to each other: what is behind them was read
	[ "$(grep -nxFf "$BATS_TEST_TMPDIR/lost" "$GOOD/names" | cut -d: -f1 | awk 'NR > 1 && $1 != was + 1 {n++} {was = $1} END {print n + 0}')" -le 3 ]
	[[ $stderr == *"$((all - lost)) messages and "*" logs in it could be read"* ]]
	run -1 "$QTOOL" verify --json "$A"
	[ "$(jq -c '[.good, .whole, .problems[0].kind]' <<<"$output")" = '[false,false,"damaged"]' ]
}

@test "views of it: refused, and with --salvage what is intact, the rest by name" {
	damage a.tar.zst 300 50
	run_q -A "$A" list --format ids
	expect_status 5
	[[ $stderr == *"; --salvage shows what is intact" ]]
	run_q --salvage -A "$A" list --format tsv --columns queue_name,queue_id,sender,subject
	expect_status 3
	n=$(wc -l <<<"$output")
	[[ $stderr == *"a.tar.zst: damaged in 1 place, what is intact is shown; the first: "* ]]
	[[ $stderr == *"data/queue/"*" is in its list, and lost"* ]]
	# all other rows are those of the queue
	"$QTOOL" -Q "$FROM" list --format tsv --columns queue_name,queue_id,sender,subject | sort >"$BATS_TEST_TMPDIR/live"
	[ -z "$(comm -13 "$BATS_TEST_TMPDIR/live" <(sort <<<"$output"))" ]
	[ "$n" -gt 100 ]
	[ "$n" -lt "$(wc -l <"$BATS_TEST_TMPDIR/live")" ]
	run_q --salvage -A "$A" top
	expect_status 3
}

@test "restored is what is intact; what is not is told, and it can be undone" {
	damage a.tar.zst 300 50
	run_q -Q "$Q" restore "$A" --all --yes
	expect_status 4
	[[ $stderr == *"--salvage restores what is intact"* ]]
	[ -z "$(find "$Q/hold" -type f)" ]
	run_q --salvage -A "$A" list --queue incoming,active,deferred,hold --state ok --format ids
	n=$(wc -l <<<"$output")
	run_q -Q "$Q" restore --salvage "$A" --all --yes
	expect_status 3
	[[ $stderr == *"damaged: what is intact is restored"* ]]
	[[ $stderr == *"missing: data/queue/"* ]]
	restored "$n"
	run_q -Q "$Q" undo 1
	expect_status 0
	restored 0
}

@test "bytes altered in a plain archive: that message is neither shown nor restored" {
	# in the middle of a message, and in a header of the tar
	for n in 40 1500; do
		damage a.tar 400 "$n"
		find "$Q" -type f -delete
		rm -rf "$Q/qtool"
		verify
		{ named "$BATS_TEST_TMPDIR/said" altered; named "$BATS_TEST_TMPDIR/said" missing; } |
		    sort -u >"$BATS_TEST_TMPDIR/bad"
		bad=$(wc -l <"$BATS_TEST_TMPDIR/bad")
		if [ "$bad" -eq 0 ]; then # it hit a log
			named_logs=$(grep -cE '^(altered|missing): data/queue/(defer|bounce|trace)/' "$BATS_TEST_TMPDIR/said")
			[ "$named_logs" -gt 0 ]
		fi
		[ "$bad" -le 3 ]
		run_q --salvage -A "$A" list --queue incoming,active,deferred,hold --state ok --format tsv --columns queue_name,queue_id,file_size
		tail -n +2 <<<"$output" | sed 's,^,data/queue/,; s,\t,/,; s,\t.*,,' >"$BATS_TEST_TMPDIR/shown"
		! grep -xFf "$BATS_TEST_TMPDIR/bad" "$BATS_TEST_TMPDIR/shown"
		ok=$(grep -c ^data "$BATS_TEST_TMPDIR/shown")
		[ "$ok" -gt 500 ]
		run_q -Q "$Q" restore --salvage "$A" --all --yes
		expect_status 3
		restored "$ok"
	done
}

@test "cut off: what was read until there, and nothing restored without a table" {
	for x in a.tar a.tar.zst a.tar.gz; do
		A=$BATS_TEST_TMPDIR/$x
		head -c "$(($(stat -c %s "$GOOD/$x") / 3))" "$GOOD/$x" >"$A"
		verify
		grep -q '^damaged: .*; what follows could not be checked$' "$BATS_TEST_TMPDIR/said"
		[[ $stderr == *" messages and "*" logs in it could be read"* ]]
		run_q --salvage -A "$A" list --format ids
		expect_status 3
		[ "$(wc -l <<<"$output")" -gt 50 ]
		run_q -Q "$Q" restore --salvage "$A" --all --yes
		[ "$status" -ge 1 ]
		restored 0
	done
}

@test "--salvage of one that is whole is as if it was not given" {
	cp "$GOOD/a.tar.zst" "$BATS_TEST_TMPDIR/a.tar.zst"
	A=$BATS_TEST_TMPDIR/a.tar.zst
	run_q --salvage -A "$A" list --queue hold --format ids
	[ "$stderr" = "" ]
	[ "$output" = "$("$QTOOL" -A "$A" list --queue hold --format ids)" ]
	run_q -Q "$Q" restore --salvage "$A" --queue hold --all --yes
	expect_status 0
	restored "$(wc -l <<<"$("$QTOOL" -A "$A" list --queue hold --format ids)")"
	run_q --salvage -Q "$FROM" list
	expect_status 2
}

@test "the beginning of a damaged frame: what lies before the damage is shown, and restored as it was" {
	A=$BATS_TEST_TMPDIR/a.tar.zst
	# within the second frame, behind three quarters of it: what is in its
	# first half is to be there, by the places of an undamaged copy
	python3 - "$GOOD/a.tar.zst" "$A" >"$BATS_TEST_TMPDIR/before" <<-'END'
	import io, struct, subprocess, sys, tarfile
	d = bytearray(open(sys.argv[1], "rb").read())
	n = struct.unpack("<I", d[-9:-5])[0]
	table = [struct.unpack_from("<II", d, len(d) - 9 - 8 * n + 8 * i) for i in range(n)]
	assert n > 2
	packed, plain = table[0]
	end = plain + table[1][1] // 2
	whole = subprocess.run(["zstd", "-dc", sys.argv[1]], stdout=subprocess.PIPE, check=True).stdout
	for m in tarfile.open(fileobj=io.BytesIO(whole)):
	    name = m.name.split("/", 1)[1]
	    if plain <= m.offset_data and m.offset_data + m.size < end and \
	        name.split("/")[:2] == ["data", "queue"] and name.split("/")[2] in ("incoming", "active", "deferred", "hold"):
	        print(name)
	at = packed + table[1][0] * 3 // 4
	d[at:at + 20] = bytes(b ^ 0x5a for b in d[at:at + 20])
	open(sys.argv[2], "wb").write(d)
	END
	[ "$(wc -l <"$BATS_TEST_TMPDIR/before")" -gt 20 ]
	run_q --salvage -A "$A" list --queue incoming,active,deferred,hold --state ok --format tsv --columns queue_name,queue_id
	expect_status 3
	tail -n +2 <<<"$output" | sed 's,^,data/queue/,; s,\t,/,' | sort >"$BATS_TEST_TMPDIR/shown"
	[ -z "$(sort "$BATS_TEST_TMPDIR/before" | comm -23 - "$BATS_TEST_TMPDIR/shown")" ]
	# verify names what is not shown, and nothing that is
	verify
	{ named "$BATS_TEST_TMPDIR/said" altered; named "$BATS_TEST_TMPDIR/said" missing; } >"$BATS_TEST_TMPDIR/bad"
	[ -s "$BATS_TEST_TMPDIR/bad" ]
	[ -z "$(grep -xFf "$BATS_TEST_TMPDIR/bad" "$BATS_TEST_TMPDIR/shown")" ]
	run_q -Q "$Q" restore --salvage "$A" --all --yes
	expect_status 3
	restored "$(grep -c ^data "$BATS_TEST_TMPDIR/shown")"
}

@test "a frame that has all the bytes of its files, and is not what it says, is damage" {
	A=$BATS_TEST_TMPDIR/a.tar.zst
	# good|sum|long|junk: three frames, the second within a list and with
	# another checksum, with bytes more than the table says, or behind one of
	# no bytes that is none, which others than verify pass over
	for what in good sum long junk; do
		python3 - "$GOOD/a.tar.zst" "$A" "$what" <<-'END'
		import io, struct, subprocess, sys, tarfile
		def zstd(*args, data=None):
		    return subprocess.run(["zstd", "-q", *args], input=data, stdout=subprocess.PIPE, check=True).stdout
		whole, what = zstd("-dc", sys.argv[1]), sys.argv[3]
		at = [m.offset_data for m in tarfile.open(fileobj=io.BytesIO(whole)) if m.name.endswith("/messages.jsonl")][0]
		plain = [whole[:at + 1000], whole[at + 1000:at + 50000], whole[at + 50000:]]
		packed = [zstd("-c", data=p + (b"A" * 5120 if what == "long" and i == 1 else b"")) for i, p in enumerate(plain)]
		if what == "sum":
		    packed[1] = packed[1][:-1] + bytes([packed[1][-1] ^ 1])
		if what == "junk":
		    plain.insert(1, b"")
		    packed.insert(1, b"junk")
		table = b"".join(struct.pack("<II", len(a), len(b)) for a, b in zip(packed, plain))
		open(sys.argv[2], "wb").write(b"".join(packed) + struct.pack("<II", 0x184D2A5E, len(table) + 9) + table +
		    struct.pack("<IBI", len(plain), 0, 0x8F92EAB1))
		END
		if [ "$what" = good ]; then
			run_q verify "$A"
			expect_status 0
			run_q --salvage -A "$A" list --format ids
			expect_status 0
			continue
		fi
		verify
		[[ $output == *'damaged: it is damaged: '*', at byte '* ]]
		[ "${#lines[@]}" -eq 1 ]
		if [ "$what" = junk ]; then
			run zstd -tq "$A"
			[ "$status" -ne 0 ]
			continue
		fi
		run_q -A "$A" list --format ids
		expect_status 5
		# the sums are those of the list, and each of its lines says so
		run_q --salvage -A "$A" list --queue incoming,active,deferred,hold --format ids
		expect_status 3
		[ "${#lines[@]}" -eq "$(wc -l <"$GOOD/names")" ]
		[[ $stderr == *'it is damaged'* ]]
	done
}

@test "with --salvage nothing is read twice where it is not the bytes that are damaged" {
	A=$BATS_TEST_TMPDIR/a.tar
	for what in list stray; do
		python3 - "$GOOD/a.tar" "$A" "$what" <<-'END'
		import io, sys, tarfile
		out = tarfile.open(sys.argv[2], "w", format=tarfile.PAX_FORMAT)
		strays = 3 if sys.argv[3] == "stray" else 0
		of = tarfile.open(sys.argv[1])
		for m in of:
		    data = of.extractfile(m).read()
		    out.addfile(m, io.BytesIO(data))
		    if sys.argv[3] == "list" and m.name.endswith("/messages.jsonl"):
		        out.addfile(m, io.BytesIO(data))
		    if strays > 0 and "/data/queue/deferred/" in m.name:
		        m.name = "other/data/queue/deferred/stray%d" % strays
		        out.addfile(m, io.BytesIO(data))
		        strays -= 1
		out.close()
		END
		run_q -A "$A" list --format ids
		expect_status 5
		run_q --salvage -A "$A" list --queue incoming,active,deferred,hold --format ids
		expect_status 3
		[ "${#lines[@]}" -eq "$(wc -l <"$GOOD/names")" ]
		[ "$(printf '%s\n' "${lines[@]}" | sort -u | wc -l)" -eq "${#lines[@]}" ]
		case $what in
		list) [[ $stderr == *'damaged in 1 place'*'messages.jsonl is in it twice'* ]] ;;
		stray) [[ $stderr == *'damaged in 3 places'*"is not in the bag's directory"* ]] ;;
		esac
		[[ $stderr != *'its list does not have'* ]]
	done
}
