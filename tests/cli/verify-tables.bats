# The tables of an archive against its files: whoever alters one value, and
# makes all sums anew, is found out, and told what it was.

load common
load bag

setup_file() {
	export DIR=$BATS_FILE_TMPDIR Q=$BATS_FILE_TMPDIR/q
	practice_queue "$Q" 30
	"$QTOOL" -Q "$Q" archive -q -o "$DIR/good.tar" --all
	mkdir "$DIR/bag"
	tar --warning=no-timestamp -xf "$DIR/good.tar" -C "$DIR/bag"
	chmod -R u+w "$DIR/bag"
}

setup() {
	cp -a "$DIR/bag" "$BATS_TEST_TMPDIR/bag"
	cd "$BATS_TEST_TMPDIR"/bag/qtool-evidence_*
	T=$BATS_TEST_TMPDIR/t.tar
	DB=metadata/index.sqlite
}

# The bag as a tar again, with sums that are right.
remake() {
	python3 - "$DIR/good.tar" "" "$T" <<-'END'
		import hashlib, sys, tarfile
		whole = open(sys.argv[1], "rb").read()
		out = open(sys.argv[3], "wb")
		sums = {}
		for m in tarfile.open(sys.argv[1]):
		    path = m.name.split("/", 1)[1]
		    if path == "tagmanifest-sha256.txt":
		        tags = sorted(p for p in sums if not p.startswith("data/"))
		        data = "".join(f"{sums[p]}  {p}\n" for p in tags).encode()
		    else:
		        data = open(path, "rb").read()
		    sums[path] = hashlib.sha256(data).hexdigest()
		    head = bytearray(whole[m.offset:m.offset_data])
		    head[-512 + 124:-512 + 135] = b"%011o" % len(data)
		    head[-512 + 148:-512 + 156] = b" " * 8
		    head[-512 + 148:-512 + 155] = b"%06o\0" % sum(head[-512:])
		    out.write(head + data + b"\0" * (-len(data) % 512))
		out.write(b"\0" * 1024)
		out.close()
	END
}

# sql STATEMENT...: done to the database, by who knows SQLite.
sql() {
	rm -f "$DB.new"
	cp "$DB" "$DB.new"
	python3 - "$DB.new" "$@" <<-'END'
		import sqlite3, sys
		db = sqlite3.connect(sys.argv[1])
		db.executescript("PRAGMA journal_mode = OFF;" + ";".join(sys.argv[2:]))
		db.commit()
		db.close()
	END
	mv "$DB.new" "$DB"
}

# found TEXT: verify finds one flaw, and it is that.
found() {
	remake
	run_q verify "$T"
	expect_status 1
	[[ $output == *"$1"* ]] || { echo "$1"; echo "$output"; false; }
	[ "$(wc -l <<<"$output")" -eq "${2:-1}" ] || { echo "$output"; false; }
}

# found_all TEXT ALL: that, and in what is made of the altered value; each line has ALL, or
# is about a text that no row has any more.
found_all() {
	remake
	run_q verify "$T"
	expect_status 1
	[[ $output == *"$1"* ]] || { echo "$1"; echo "$output"; false; }
	[ "$(grep -vF "has a row of texts that none" <<<"$output" | grep -vcF "$2")" -eq 0 ] || { echo "$output"; false; }
}

@test "made anew without a change it is good" {
	remake
	run_q verify "$T"
	expect_status 0
	sql "VACUUM"
	remake
	run_q verify "$T"
	expect_status 0
}

# A column of a table in each of several messages, one verify for all of them: each
# is told, and nothing about other messages.
altered_columns() { # table column...
	local t=$1 c i=0 sql=() want=() about=()
	shift
	for c in "$@"; do
		sql+=("UPDATE stored_$t SET $c = CASE typeof($c) WHEN 'integer' THEN $c + 1
		    WHEN 'blob' THEN zeroblob(32) WHEN 'null' THEN 'x' ELSE $c || 'x' END
		    WHERE row_id = (SELECT min(row_id) FROM $t WHERE queue_id = '${ids[i]}')")
		[ "$c" = config_dir ] || [ "$c" = in_delivery ] ||
		    want+=("row: metadata/index.sqlite does not say what the file says: $t.$c of message ${ids[i]} ")
		about+=(-e "of message ${ids[i]}")
		i=$((i + 1))
	done
	cp "$BATS_TEST_TMPDIR/db" $DB
	sql "${sql[@]}"
	remake
	run_q verify "$T"
	expect_status 1
	for c in "${want[@]}"; do
		[[ $output == *"$c"* ]] || { echo "$c"; echo "$output"; false; }
	done
	[ "$(grep -vF "has a row of texts that none" <<<"$output" | grep -vcF "${about[@]}")" -eq 0 ] || { echo "$output"; false; }
}

@test "any column of any table of index.sqlite: which, where, and what it should be" {
	local t c id n=0 ids columns
	mapfile -t ids < <(sqlite3 -readonly $DB "SELECT queue_id FROM messages AS m WHERE queue_name = 'deferred'
	    AND EXISTS (SELECT 1 FROM recipients AS r WHERE r.queue_id = m.queue_id)
	    AND EXISTS (SELECT 1 FROM headers AS h WHERE h.queue_id = m.queue_id) LIMIT 8")
	[ "${#ids[@]}" -eq 8 ]
	id=${ids[0]}
	cp $DB "$BATS_TEST_TMPDIR/db"
	for t in messages recipients headers; do
		# what names the row is told as one row less, and one more
		mapfile -t columns < <(sqlite3 -readonly $DB "SELECT name FROM pragma_table_info('stored_$t')
		    WHERE name NOT IN ('row_id') AND '$t.' || name NOT IN ('messages.queue_name', 'messages.queue_id', 'messages.path')")
		for ((c = 0; c < ${#columns[@]}; c += 8)); do
			altered_columns "$t" "${columns[@]:c:8}"
		done
		n=$((n + ${#columns[@]}))
	done
	[ "$n" -gt 70 ]
	cp "$BATS_TEST_TMPDIR/db" $DB
	sql "UPDATE stored_messages SET subject = 'eve' WHERE queue_id = '$id'"
	found "messages.subject of message $id in deferred; expected $(sqlite3 -readonly "$BATS_TEST_TMPDIR/db" \
	    "SELECT subject FROM messages WHERE queue_id = '$id'"); found eve"
	cp "$BATS_TEST_TMPDIR/db" $DB
	sql "UPDATE stored_recipients SET address = 'eve@x.example' WHERE row_id = (SELECT min(row_id) FROM recipients WHERE queue_id = '$id')"
	found_all "recipients.address of message $id in deferred, row 1 of it; expected " "of message $id in deferred"
	# what several rows have is found in each of them, and what none has is found
	cp "$BATS_TEST_TMPDIR/db" $DB
	sql "UPDATE texts SET value = 'eve' WHERE value = 'Received'"
	found_all "headers.name of message $id in deferred, row 1 of it; expected Received; found eve" "; expected Received; found eve"
	[ "$(wc -l <<<"$output")" -gt 10 ]
	cp "$BATS_TEST_TMPDIR/db" $DB
	sql "INSERT INTO texts(value) VALUES('what nobody wrote')"
	found "table: metadata/index.sqlite has a row of texts that none of its rows is about, row ID "
	# what is not in the file of a message is in its line, or the same in all
	cp "$BATS_TEST_TMPDIR/db" $DB
	sql "UPDATE stored_messages SET in_delivery = 1 WHERE queue_id = '$id'"
	found "messages.in_delivery of message $id in deferred; expected 0; found 1"
	cp "$BATS_TEST_TMPDIR/db" $DB
	sql "UPDATE stored_messages SET config_dir = '/etc/x' WHERE row_id = 7"
	found "messages.config_dir of message "
}

@test "rows of index.sqlite that are too many, or are not there" {
	cp $DB "$BATS_TEST_TMPDIR/db"
	for t in messages recipients headers; do
		cp "$BATS_TEST_TMPDIR/db" $DB
		sql "DELETE FROM stored_$t WHERE row_id = (SELECT max(row_id) FROM stored_$t)"
		remake
		run_q verify "$T"
		expect_status 1
		[[ $output == *"table: metadata/index.sqlite lacks a row of $t: message "* ]]
		cp "$BATS_TEST_TMPDIR/db" $DB
		sql "CREATE TEMP TABLE x AS SELECT * FROM stored_$t LIMIT 1; UPDATE x SET row_id = NULL; INSERT INTO stored_$t SELECT * FROM x"
		remake
		run_q verify "$T"
		expect_status 1
		[[ $output == *"table: metadata/index.sqlite has a row of $t that no file has: message "* ]]
	done
	cp "$BATS_TEST_TMPDIR/db" $DB
	sql "UPDATE stored_messages SET queue_id = '0000000000' WHERE row_id = 3"
	remake
	run_q verify "$T"
	expect_status 1
	[[ $output == *"lacks a row of messages"* ]]
	[[ $output == *"has a row of messages that no file has: message 0000000000 in "*", row ID 3"* ]]
}

@test "an index.sqlite that is another thing" {
	cp $DB "$BATS_TEST_TMPDIR/db"
	for s in "CREATE VIEW v AS SELECT 1" \
	    "CREATE TRIGGER t AFTER INSERT ON stored_messages BEGIN DELETE FROM stored_headers; END" \
	    "CREATE TABLE other(x)" "DROP TABLE stored_headers" "DROP VIEW recipients" \
	    "DROP VIEW messages; CREATE VIEW messages AS SELECT * FROM stored_messages" \
	    "PRAGMA writable_schema = ON; UPDATE sqlite_schema SET sql = replace(sql, 'cancelled', 'todo') WHERE name = 'recipients'" \
	    "ALTER TABLE stored_headers ADD COLUMN g AS (n + 1)" \
	    "PRAGMA application_id = 1" "PRAGMA user_version = 1" \
	    "UPDATE snapshot SET value = '1' WHERE name = 'records'" \
	    "UPDATE snapshot SET value = '1' WHERE name = 'body'"; do
		cp "$BATS_TEST_TMPDIR/db" $DB
		sql "$s"
		found "table: metadata/index.sqlite "
	done
	for bytes in "" "no database"; do
		printf '%s' "$bytes" >$DB
		found "table: metadata/index.sqlite "
	done
	# damage: whatever it is, it is told, and comes to an end
	for at in 16 20 100 $(seq 32768 32768 $(($(stat -c %s "$BATS_TEST_TMPDIR/db") - 1))); do
		cp "$BATS_TEST_TMPDIR/db" $DB
		printf '\377\377\377\377' | dd of=$DB bs=1 seek="$at" conv=notrunc status=none
		remake
		run_q verify "$T"
		expect_status 1
		[[ $output == *"metadata/index.sqlite"* ]]
		is_harmless <<<"$output$stderr"
	done
}

# change ID CODE [ID CODE ...]: the lines m of these messages altered so (python),
# and looked through.
change() {
	python3 - "$BATS_TEST_TMPDIR/lines" "$@" >metadata/messages.jsonl <<-'END'
		import json, sys
		code = dict(zip(sys.argv[2::2], sys.argv[3::2]))
		for line in open(sys.argv[1]):
		    m = json.loads(line)
		    exec(code.get(m["queue_id"], ""))
		    print(json.dumps(m, ensure_ascii=False))
	END
	remake
	run_q verify "$T"
	expect_status 1
	is_harmless <<<"$output$stderr"
}

# altered CODE TEXT: that of the message ID, and TEXT told of it.
altered() {
	change "$ID" "$1"
	[[ $output == *"$2"* ]] || { echo "$1"; echo "$output"; false; }
}

# Members, each in another message: each is told, and nothing else.
altered_members() {
	local m i=0 args=()
	for m in "$@"; do
		args+=("${ids[i]}" "v = m['$m']; m['$m'] = not v if isinstance(v, bool) else v + 1 if isinstance(v, int) else [] if isinstance(v, (list, dict)) else (v or '') + 'x'")
		i=$((i + 1))
	done
	change "${args[@]}"
	i=0
	for m in "$@"; do
		[[ $output == *"row: data/queue/deferred/${ids[i]} does not say what its row says: $m; expected "* ]] ||
		    { echo "$m"; echo "$output"; false; }
		i=$((i + 1))
	done
	[ "$(wc -l <<<"$output")" -eq $# ] || { echo "$output"; false; }
}

@test "any member of messages.jsonl: which, where, and what it should be" {
	local i ids members
	cp metadata/messages.jsonl "$BATS_TEST_TMPDIR/lines"
	# some that have the same members
	mapfile -t ids < <(jq -rs 'map(select(.queue_name == "deferred" and (.logs | length) > 0)) |
	    group_by(keys) | max_by(length)[].queue_id' "$BATS_TEST_TMPDIR/lines")
	[ "${#ids[@]}" -ge 5 ]
	ID=${ids[0]}
	# but what says which file it is, and how it lay there
	mapfile -t members < <(jq -r --arg id "$ID" 'select(.queue_id == $id) | keys - ["path", "found", "queue_name",
	    "queue_id", "size", "sha256", "stat", "logs", "locked_at_capture"] | .[]' "$BATS_TEST_TMPDIR/lines")
	[ "${#members[@]}" -gt 50 ]
	for ((i = 0; i < ${#members[@]}; i += 5)); do
		altered_members "${members[@]:i:5}"
	done
	for m in path queue_name queue_id size sha256; do
		altered "m['$m'] = 'x'" "$ID"
	done
	altered "m['found'] = 'hold/x'" "metadata/messages.jsonl has no line about deferred/"
	altered "m['stat']['mtime_ns'] += 1" mtime_ns
	altered "m['stat']['mode'] = '0600'" mode
	altered "m['stat']['ino'] += 1" inode
	altered "m['logs'] = []" "data/queue/defer/$ID"
	altered "m['locked_at_capture'] = True" "messages.in_delivery of message $ID in deferred; expected 1; found 0"
	altered "del m['rcpt_domains']" "rcpt_domains; expected "
	altered "m['header']['received'][0] = 'from nowhere'" "does not say what its row says: header"
	altered "m['subject'] = 'nothing'" "does not say what its row says: subject; expected "
}

@test "any member of recipients.jsonl" {
	local m n=0
	cp metadata/recipients.jsonl "$BATS_TEST_TMPDIR/lines"
	for m in $(head -1 "$BATS_TEST_TMPDIR/lines" | jq -r 'keys[]'); do
		head -1 "$BATS_TEST_TMPDIR/lines" | jq -c ".$m |= (if type == \"number\" then . + 1
		    elif type == \"null\" then \"x\" else . + \"x\" end)" >metadata/recipients.jsonl
		tail -n +2 "$BATS_TEST_TMPDIR/lines" >>metadata/recipients.jsonl
		found "row: metadata/recipients.jsonl line 1 is not what the message says: $m; expected "
		n=$((n + 1))
	done
	[ "$n" -ge 8 ]
}

@test "a column that is missing where names were taken out" {
	local DIR=$BATS_TEST_TMPDIR/r m n=0
	mkdir "$DIR"
	"$QTOOL" -Q "$Q" archive -q -o "$DIR/good.tar" --all --redact recipients
	mkdir "$DIR/bag"
	tar --warning=no-timestamp -xf "$DIR/good.tar" -C "$DIR/bag"
	chmod -R u+w "$DIR/bag"
	cd "$DIR"/bag/qtool-evidence_*
	cp metadata/messages.jsonl "$BATS_TEST_TMPDIR/lines"
	ID=$(jq -r .queue_id "$BATS_TEST_TMPDIR/lines" | head -1)
	change "$ID" "for k in ('sasl_username', 'client_address', 'rcpt_total', 'subject'): del m[k]"
	for m in sasl_username client_address rcpt_total subject; do
		[[ $output == *"line 1 has no member \"$m\""* ]] || { echo "$output"; false; }
	done
	[ "${#lines[@]}" -eq 4 ]
}
