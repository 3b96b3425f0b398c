#!/usr/bin/env bats
# Snapshots: the same mail gives the same rows, several sources at once, and what
# a stranger made of one.

load common
load rows

setup_file() {
	export DIR=$BATS_FILE_TMPDIR Q=$BATS_FILE_TMPDIR/q
	practice_queue "$Q" 120
	hostile_queue "$Q"
	"$QTOOL" -Q "$Q" snapshot --quiet --text --records -o "$DIR/all.db" ||
	    [ $? -eq 3 ]
	"$QTOOL" -Q "$Q" snapshot --quiet -o "$DIR/plain.db" || [ $? -eq 3 ]
}

@test "a snapshot gives the rows of the queue, each of them" {
	rows "$DIR/live" "" -- -Q "$Q"
	[ "$(grep -c '"sha256"' "$DIR/live")" -gt 200 ]
	rows "$DIR/snap" "" -- -D "$DIR/all.db"
	same "$DIR/live" "$DIR/snap"
}

@test "lists whose order and entries are those of the log, whatever it has" {
	local q=$BATS_TEST_TMPDIR/q n
	practice_queue "$q" 300
	/usr/bin/python3 - "$q" <<-'END'
		import glob, re, sys
		logs = sorted(f for f in glob.glob(sys.argv[1] + "/defer/**/*", recursive=True)
		              if re.fullmatch(r".*/[0-9A-Za-z]{6,}", f))
		many = 0
		for i, name in enumerate(logs):
		    entries = open(name, "rb").read().strip(b"\n").split(b"\n\n")
		    many += len(entries) > 2
		    how = i % 8
		    if how == 0:
		        entries.reverse()
		    elif how == 1: # twice: the last one is its recipient's
		        entries.insert(0, re.sub(rb"(?m)^reason=.*", b"reason=once", entries[-1]))
		    elif how == 2: # the others come behind, without a reason
		        entries = entries[len(entries) // 2 + 1:][::-1]
		    elif how == 3: # of another recipient
		        entries[0] = re.sub(rb"(?m)^recipient=.*", b"recipient=eve@x.example", entries[0])
		    elif how == 4:
		        entries[0] = re.sub(rb"(?m)^reason=.*", 'reason=d\u00e9lai "a\\b"\t\u200b'.encode(), entries[0])
		    elif how == 5: # of none
		        entries[-1] = re.sub(rb"(?m)^offset=.*", b"offset=7", entries[-1])
		    elif how == 6:
		        entries[0] = re.sub(rb"(?m)^reason=.*", rb'reason=say "a\\b" \\n', entries[0])
		    else:
		        entries[0] = re.sub(rb"(?m)^reason=.*", b"reason=", entries[0])
		    open(name, "wb").write(b"\n\n".join(entries) + b"\n\n" if entries else b"")
		assert many > 60, many
	END
	"$QTOOL" -Q "$q" snapshot --quiet --text --records -o "$BATS_TEST_TMPDIR/s.db" || [ $? -eq 3 ]
	rows "$BATS_TEST_TMPDIR/live" "" -- -Q "$q"
	rows "$BATS_TEST_TMPDIR/snap" "" -- -D "$BATS_TEST_TMPDIR/s.db"
	same "$BATS_TEST_TMPDIR/live" "$BATS_TEST_TMPDIR/snap"
	"$QTOOL" -D "$BATS_TEST_TMPDIR/s.db" snapshot --quiet --text --records -o "$BATS_TEST_TMPDIR/again.db"
	rows "$BATS_TEST_TMPDIR/snap" "" -- -D "$BATS_TEST_TMPDIR/again.db"
	same "$BATS_TEST_TMPDIR/live" "$BATS_TEST_TMPDIR/snap"
	# each of the forms is there, in either
	for n in s again; do
		[ "$(sqlite3 -readonly "$BATS_TEST_TMPDIR/$n.db" "SELECT sum(recipients = 1) > 20, sum(recipients GLOB '[[][0-9]*') > 10,
		    sum(recipients GLOB '[[]{*') > 10, sum(delay_reasons = 1) > 20, sum(delay_reasons GLOB '[[]*') > 5
		    FROM stored_messages")" = "1|1|1|1|1" ] || { echo "$n"; false; }
	done
}

@test "a snapshot of a snapshot, and of an archive, is the same" {
	"$QTOOL" -D "$DIR/all.db" snapshot --quiet --text --records \
	    -o "$DIR/again.db" || [ $? -eq 3 ]
	rows "$DIR/first" "" -- -D "$DIR/all.db"
	rows "$DIR/second" "" -- -D "$DIR/again.db"
	same "$DIR/first" "$DIR/second"
	tar -C "$Q" -cf "$DIR/spool.tar" .
	run_q -A "$DIR/spool.tar" snapshot -o "$DIR/tar.db" --sasl anna.keller@victim.example
	expect_status 3
	run -0 "$QTOOL" -D "$DIR/tar.db" query --format tsv \
	    "SELECT count(*), min(host), count(dev) FROM messages"
	n=$("$QTOOL" -Q "$Q" list --sasl anna.keller@victim.example --format ids | wc -l)
	[ "$n" -gt 10 ]
	[ "${lines[1]}" = "$n"$'\t'"spool.tar"$'\t'0 ]
}

@test "exit status, selection and --explain are those of the queue" {
	for s in "" "--state ok" "--ids /dev/null" "--state corrupt --queue hold"; do
		# shellcheck disable=SC2086 # words
		run "$QTOOL" -Q "$Q" list $s
		# shellcheck disable=SC2086
		run "-$status" "$QTOOL" -D "$DIR/plain.db" list $s
	done
	for s in "--sasl anna.keller@victim.example" "--class bounce" \
	    "--rcpt-domain webpost.example" "--queue hold" "--subject invoice" \
	    "--reason 451" "--header X-Mailer=Bulk" "--every-rcpt --rcpt *@*.example"; do
		# shellcheck disable=SC2086 # words
		a=$("$QTOOL" -Q "$Q" list --format ids $s 2>/dev/null | sort | sha256sum)
		# shellcheck disable=SC2086
		b=$("$QTOOL" -D "$DIR/plain.db" list --format ids $s 2>/dev/null | sort | sha256sum)
		[ "$a" = "$b" ] || { echo "$s"; false; }
	done
	id=$("$QTOOL" -Q "$Q" list --sasl anna.keller@victim.example --format ids --limit 1) || [ $? -eq 3 ]
	run -0 "$QTOOL" -D "$DIR/plain.db" list --format ids "$id"
	[ "$output" = "$id" ]
	run -1 "$QTOOL" -D "$DIR/plain.db" list 0000000000
}

@test "any program reads it" {
	run -0 /usr/bin/python3 - "$DIR/plain.db" <<-'END'
		import sqlite3, sys
		db = sqlite3.connect("file:%s?mode=ro&immutable=1" % sys.argv[1], uri=True)
		assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
		n = db.execute("SELECT count(*) FROM messages WHERE body IS NOT NULL").fetchone()[0]
		t = sorted(r[0] for r in db.execute("SELECT name FROM sqlite_master WHERE type IN ('table', 'view')"))
		print(n, *t)
		# the rows of one message without reading all
		for t in ("messages", "recipients", "headers"):
		    plan = [r[3] for r in db.execute("EXPLAIN QUERY PLAN SELECT * FROM %s WHERE queue_id = 'x'" % t)]
		    assert not any(p in ("SCAN t", "SCAN m") for p in plan), plan
	END
	[ "$output" = "0 headers messages recipients snapshot stored_headers stored_messages stored_recipients texts" ]
	[ "$(stat -c %a "$DIR/plain.db")" = 400 ]
}

@test "what is not in a snapshot is refused, not taken for nothing" {
	run_q -D "$DIR/plain.db" query "SELECT count(body) FROM messages"
	expect_status 2
	[[ $stderr == *"no body"* ]]
	run_q -D "$DIR/plain.db" list --body viagra
	expect_status 2
	run_q -D "$DIR/plain.db" query "SELECT count(*) FROM records"
	expect_status 2
	[[ $stderr == *"no records"* ]]
	run_q -D "$DIR/plain.db" snapshot --text -o "$DIR/x.db"
	expect_status 2
	[ ! -e "$DIR/x.db" ]
	for how in --eml --records; do
		run_q -D "$DIR/plain.db" show $how 0000000000
		expect_status 2
		[[ $stderr == *"no message's file"* ]]
	done
}

@test "show: the same text as of the queue, but for what the tables do not have" {
	local mail=$BATS_TEST_TMPDIR/mail
	practice_queue "$mail" 60
	"$QTOOL" -Q "$mail" snapshot -q --text -o "$BATS_TEST_TMPDIR/text.db"
	"$QTOOL" -Q "$mail" snapshot -q -o "$BATS_TEST_TMPDIR/plain.db"
	# of ages and what is told of records alone
	plain() { grep -vE '^(flags|full name|filter|redirect|envelope ID) ' | sed -E '/^(arrived|queued|next try) /s/, (in )?[0-9a-z ]+( ago)?$//'; }
	ids=$("$QTOOL" -Q "$mail" list --format ids | sed -n '1~2p')
	n=0
	for id in $ids; do
		run "$QTOOL" -Q "$mail" show "$id"
		[ "$status" -eq 0 ]
		plain <<<"$output" >"$BATS_TEST_TMPDIR/a"
		run "$QTOOL" -D "$BATS_TEST_TMPDIR/text.db" show "$id"
		[ "$status" -eq 0 ]
		plain <<<"$output" >"$BATS_TEST_TMPDIR/b"
		diff "$BATS_TEST_TMPDIR/a" "$BATS_TEST_TMPDIR/b"
		# made without the text: that is said, and the rest is there
		run "$QTOOL" -D "$BATS_TEST_TMPDIR/plain.db" show "$id"
		[ "$status" -eq 0 ]
		[[ $output == *"(the snapshot was made without the text of messages"* ]]
		plain <<<"$output" | head -8 | diff - <(head -8 "$BATS_TEST_TMPDIR/a")
		n=$((n + 1))
	done
	[ "$n" -gt 20 ]
	run_q -D "$BATS_TEST_TMPDIR/plain.db" show "$id" 0000000000
	expect_status 3
	[[ $stderr == *"0000000000: in no queue"* ]]
	run_q -D "$DIR/plain.db" show 0000000000
	expect_status 1
	# what a stranger put into it drives no terminal
	for id in $("$QTOOL" -Q "$Q" list --format ids 2>/dev/null | grep -E '^[0-9A-Za-z]+$' | head -40); do
		"$QTOOL" -D "$DIR/all.db" show "$id" | is_harmless
	done
}

@test "several sources at once, told apart by host" {
	practice_queue "$BATS_TEST_TMPDIR/other" 40
	practice_queue "$BATS_TEST_TMPDIR/third" 30
	"$QTOOL" -Q "$BATS_TEST_TMPDIR/other" snapshot --quiet -o "$BATS_TEST_TMPDIR/other.db"
	tar -C "$BATS_TEST_TMPDIR/third" -cf "$BATS_TEST_TMPDIR/third.tar" .
	run_q -Q "$Q" -D "$BATS_TEST_TMPDIR/other.db" -A "$BATS_TEST_TMPDIR/third.tar" \
	    query --format tsv "SELECT host, count(*) FROM messages WHERE state = 'ok' GROUP BY host ORDER BY 2"
	[ "$(cut -f2 <<<"$output" | sed -n 2,3p | paste -sd' ')" = "30 40" ]
	[[ $output == *"third.tar"* && $output == *"$BATS_TEST_TMPDIR/other"* && $output == *"$Q"* ]]
	# rows of two tables belong together by host as well
	run_q -D "$BATS_TEST_TMPDIR/other.db" -A "$BATS_TEST_TMPDIR/third.tar" query --format tsv \
	    "SELECT m.host, count(DISTINCT m.queue_id), sum(m.rcpt_total) = count(*) FROM messages AS m
	     JOIN recipients AS r ON r.host = m.host AND r.queue_name = m.queue_name AND r.queue_id = m.queue_id
	     GROUP BY m.host ORDER BY 1"
	expect_status 0
	[ "$(cut -f2 <<<"$output" | sed 1d | sort -n | paste -sd' ')" = "30 40" ]
	run -0 "$QTOOL" -D "$BATS_TEST_TMPDIR/other.db" -D "$BATS_TEST_TMPDIR/other.db" \
	    query --format tsv "SELECT count(*) FROM messages"
	[ "${lines[1]}" = 80 ]
}

@test "nothing is overwritten, nothing half is left" {
	local T=$BATS_TEST_TMPDIR/t
	mkdir "$T"
	echo mine >"$T/x.db"
	run_q -Q "$Q" snapshot -o "$T/x.db"
	expect_status 4
	[ "$(cat "$T/x.db")" = mine ]
	practice_queue "$BATS_TEST_TMPDIR/q" 20
	run_q -Q "$BATS_TEST_TMPDIR/q" snapshot -o "$T/y.db" \
	    --sasl nobody@nowhere.example
	expect_status 1
	rm -r "$BATS_TEST_TMPDIR"/q*
	run_q -Q "$Q" snapshot
	expect_status 2
	run_q -Q "$Q" snapshot -o -
	expect_status 2
	run_q -Q "$Q" snapshot -o "$T/none/y.db"
	expect_status 5
	# a full disk
	(ulimit -f 100; trap '' XFSZ; exec "$QTOOL" -Q "$Q" snapshot \
	    -o "$T/y.db") && false
	[ "$(ls -A "$T")" = x.db ]
}

@test "root reads them as nobody, and changes nothing" {
	[ "$(id -u)" -eq 0 ]
	for s in "-D $DIR/plain.db" "-A $DIR/none.tar"; do
		[ "$s" = "-D $DIR/plain.db" ] || tar -C "$Q" -cf "$DIR/none.tar" .
		# shellcheck disable=SC2086 # words
		run_q $s status
		[[ $output == *"read as nobody without capabilities"* ]]
		for c in "hold --all" "delete --all --yes" "release --all" history \
		    "undo 1" recover "purge 1" "archive --move -o $DIR/m.tar --all"; do
			# shellcheck disable=SC2086
			run_q $s $c
			expect_status 2
		done
	done
}

# hostile FILE SQL: a copy of the snapshot with that done to it.
hostile() {
	cp "$DIR/plain.db" "$1"
	chmod 600 "$1"
	/usr/bin/python3 - "$1" "$2" <<-'END'
		import sqlite3, sys
		db = sqlite3.connect(sys.argv[1])
		db.executescript(sys.argv[2])
		db.commit()
	END
}

@test "a database with anything else in it is refused" {
	local f=$BATS_TEST_TMPDIR/h.db sql
	for sql in "CREATE VIEW v AS SELECT 1" \
	    "DROP VIEW messages; CREATE VIEW messages AS SELECT * FROM stored_messages" \
	    "DROP VIEW headers; CREATE TABLE headers(x)" \
	    "PRAGMA writable_schema = ON; UPDATE sqlite_schema SET sql = replace(sql, 'cancelled', 'todo') WHERE name = 'recipients'" \
	    "CREATE TRIGGER t AFTER INSERT ON stored_messages BEGIN DELETE FROM stored_headers; END" \
	    "CREATE TRIGGER t INSTEAD OF INSERT ON messages BEGIN DELETE FROM stored_headers; END" \
	    "CREATE TABLE other(x)" \
	    "CREATE VIRTUAL TABLE f USING fts5(x)" \
	    "CREATE INDEX evil ON stored_messages(abs(mtime))" \
	    "DROP INDEX messages_by_id; CREATE INDEX messages_by_id ON stored_messages(sender)" \
	    "DROP INDEX messages_by_id" \
	    "ALTER TABLE stored_headers ADD COLUMN g AS (n + 1)" \
	    "ALTER TABLE stored_headers ADD COLUMN g" \
	    "DROP TABLE stored_headers" "DROP VIEW headers" "DROP TABLE texts" "DROP TABLE snapshot" \
	    "DROP TABLE stored_messages; CREATE TABLE stored_messages(x)" \
	    "PRAGMA application_id = 1" "PRAGMA user_version = 99"; do
		rm -f "$f"
		hostile "$f" "$sql"
		run_q -D "$f" list
		expect_status 5
		[[ $stderr == *"h.db: "* ]] || { echo "$sql: $stderr"; false; }
	done
	echo text >"$f.txt"
	run_q -D "$f.txt" list
	expect_status 5
	[[ $stderr == *"not a SQLite database"* ]]
	: >"$f.empty"
	run_q -D "$f.empty" list
	expect_status 5
	run_q -D "$DIR" list
	expect_status 2
	run_q -D "$f.none" list
	expect_status 5
}

@test "values that a queue cannot have do no harm" {
	local f=$BATS_TEST_TMPDIR/v.db
	hostile "$f" "
	    UPDATE stored_messages SET recipients = 'x\"}], \"evil\": [', rcpt_domains = x'00ff',
		sender = char(27) || '[2J' || char(0) || 'x', arrival_time = 'soon',
		subject = CAST(x'fffe1b5d' AS TEXT), mode = 1.5, state = 'strange',
		queue_name = '../..', client_name = 987654321, sender_domain = -3, sender_org = 1e9,
		sha256 = zeroblob(7), sender_shown = 0.0 WHERE row_id % 3 = 1;
	    UPDATE stored_messages SET recipients = '[1,1,\"1\",{\"a\":1},-5,1.5,99999999,null]', todo_rcpts = 2,
		todo_domains = '[1]', delay_reasons = 1, rcpt_domains = '{' WHERE row_id % 3 = 2;
	    UPDATE texts SET value = CAST(x'c328' AS TEXT) || char(27) || char(0) || value WHERE id % 3 = 1;
	    UPDATE texts SET value = NULL WHERE id % 3 = 2;
	    UPDATE stored_recipients SET address = CAST(x'c328' AS TEXT), state = 7 WHERE row_id % 2;
	    UPDATE stored_recipients SET state = 'todo', domain = 'x', dsn_orcpt = 0 WHERE row_id % 2 = 0;
	    INSERT INTO stored_headers(row_id, name, value) VALUES(-1, 1, 1), (9223372036854775807, 1, 1);
	    UPDATE stored_headers SET n = 'one', value = zeroblob(100)"
	run_q -D "$f" list --format json
	[ "$status" -eq 0 ] || [ "$status" -eq 3 ]
	printf '%s' "$output" | jq -e 'length > 200' >/dev/null
	for c in list status "top -b sender,queue_name" "list --format csv" \
	    "query SELECT*FROM\ recipients" "query SELECT*FROM\ headers"; do
		eval "\"$QTOOL\" -D '$f' $c" >"$BATS_TEST_TMPDIR/out" 2>&1 || [ $? -eq 3 ]
		is_harmless csv <"$BATS_TEST_TMPDIR/out" || { echo "$c"; false; }
	done
	run "$QTOOL" -D "$f" query --format tsv "SELECT count(recipients) > 0, count(rcpt_domains) > 0,
	    sum(typeof(arrival_time) = 'text'), sum(typeof(mode) = 'real') FROM messages"
	[ "${lines[1]}" = $'1\t1\t0\t0' ]
}

@test "a damaged database ends in a message" {
	/usr/bin/python3 - "$DIR/plain.db" "$BATS_TEST_TMPDIR" "$QTOOL" <<-'END'
		import random, subprocess, sys
		whole = open(sys.argv[1], "rb").read()
		rng = random.Random(4)
		for i in range(60):
		    bad = bytearray(whole)
		    if i % 3 == 0:
		        del bad[rng.randrange(len(bad)):]
		    else:
		        page = rng.randrange(len(bad) // 4096) * 4096 if i % 3 == 1 else 0
		        for _ in range(1 + i % 7):
		            bad[page + rng.randrange(200)] ^= 1 << rng.randrange(8)
		    name = sys.argv[2] + "/bad.db"
		    open(name, "wb").write(bad)
		    p = subprocess.run([sys.argv[3], "-D", name, "query", "--format", "jsonl",
		        "SELECT m.sender, m.headers_text, r.*, h.* FROM messages m JOIN recipients r USING (queue_id) JOIN headers h USING (queue_id)"],
		        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, timeout=60)
		    assert p.returncode in (0, 3, 5), (i, p.returncode, p.stderr)
		    assert p.returncode != 5 or b"bad.db: " in p.stderr, (i, p.stderr)
	END
}
