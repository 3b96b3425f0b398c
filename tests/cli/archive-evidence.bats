#!/usr/bin/env bats
# What qtool archive puts beside the queue files: signatures, mail as mail
# programs have it, log lines; and archives without people's names.

load common
load bag
load rows

setup_file() {
	export Q=$BATS_FILE_TMPDIR/spool KEY=$BATS_FILE_TMPDIR/key
	practice_queue "$Q" 120
	ssh-keygen -q -t ed25519 -N '' -C analyst -f "$KEY"
}

setup() {
	OUT=$BATS_TEST_TMPDIR/out
	mkdir "$OUT"
	X=$OUT/x.tar.zst
}

archive() {
	run_q -Q "$Q" archive -q -o "$X" "$@"
}

# check_signature SIGNATURE FILE [PUBLIC KEY]
check_signature() {
	(printf 'evidence '; cat "${3:-$KEY.pub}") >"$BATS_TEST_TMPDIR/allowed"
	ssh-keygen -q -Y verify -f "$BATS_TEST_TMPDIR/allowed" -I evidence \
	    -n qtool-evidence -s "$1" <"$2" 2>/dev/null
}

@test "a directory: the archive gets a name that tells host, time and case" {
	run_q -Q "$Q" archive -q -o "$OUT" --queue hold --all --case 2026-17
	expect_status 0
	X=$(echo "$OUT"/qtool-evidence_*_2026-17.tar.zst)
	[[ ${X##*/} =~ ^qtool-evidence_[A-Za-z0-9._-]+_[0-9]{8}T[0-9]{6}Z_2026-17\.tar\.zst$ ]]
	(cd "$OUT" && sha256sum --quiet -c "${X##*/}.sha256")
	[ "$(ls "$OUT" | wc -l)" -eq 2 ]
	[ "$(stat -c %a "$X" "$X.sha256" | sort -u)" = 400 ]
	check_bag "$X"
	# the same name as the directory in it
	[ "${BAG##*/}" = "$(basename "$X" .tar.zst)" ]
}

@test "what the operator says is in case.json and bag-info.txt" {
	archive --queue hold --all --case 17 --title 'Spam run' --keep-until 2027-06-30 \
	    --organization 'Example Ltd' --contact 'Anna <anna@example.org>' --note 'court order'
	expect_status 0
	check_bag "$X"
	[ "$(jq -r '[.case, .title, .reason, .keep_until, .redaction] | join("|")' metadata/case.json)" = \
	    '17|Spam run|court order|2027-06-30|none' ]
	[ "$(jq -r .program_sha256 metadata/case.json)" = "$(sha256sum <"$QTOOL" | cut -c-64)" ]
	jq -r .selection metadata/case.json | grep -q queue_name
	grep -qx 'Source-Organization: Example Ltd' bag-info.txt
	grep -qx 'Contact-Name: Anna' bag-info.txt
	grep -qx 'Contact-Email: anna@example.org' bag-info.txt
	[ "$(jq -r .why metadata/custody.jsonl | sort -u)" = 'court order' ]
}

@test "each line of custody has the sum of the one before" {
	archive --queue hold --all --sign "$KEY"
	expect_status 0
	check_bag "$X"
	[ "$(jq -r .event metadata/custody.jsonl | tr '\n' ' ')" = 'collected hashed signed ' ]
	prev=null
	while IFS= read -r line; do
		[ "$(jq -r .prev <<<"$line")" = "$prev" ]
		prev=$(printf '%s\n' "$line" | sha256sum | cut -c-64)
	done <metadata/custody.jsonl
	[ "$(jq -r 'select(.event == "hashed").sha256' metadata/custody.jsonl)" = \
	    "$(sha256sum <manifest-sha256.txt | cut -c-64)" ]
}

@test "two archives of the same mail differ in what is declared alone" {
	archive --all --eml
	check_bag "$X"
	mv "$BAG" "$BATS_TEST_TMPDIR/first"
	sleep 1.1 # another second in every time stamp
	X=$OUT/y.tar.zst
	archive --all --eml --jobs 1
	check_bag "$X"
	run diff -rq "$BATS_TEST_TMPDIR/first" "$BAG"
	[ "$(sed 's/.* and .*\/\(.*\) differ/\1/' <<<"$output" | sort | tr '\n' ' ')" = \
	    'README.txt case.json custody.jsonl tagmanifest-sha256.txt ' ]
	diff <(grep -v begun README.txt) <(grep -v begun "$BATS_TEST_TMPDIR/first/README.txt")
	diff <(jq 'del(.started, .finished, .clock, .command)' metadata/case.json) \
	    <(jq 'del(.started, .finished, .clock, .command)' "$BATS_TEST_TMPDIR/first/metadata/case.json")
	diff <(jq -c 'del(.time, .prev)' metadata/custody.jsonl) \
	    <(jq -c 'del(.time, .prev)' "$BATS_TEST_TMPDIR/first/metadata/custody.jsonl")
}

@test "index.sqlite: the tables, for sqlite3 alone" {
	archive --all
	expect_status 0
	check_bag "$X"
	db=metadata/index.sqlite
	[ "$(sqlite3 -readonly $db 'PRAGMA integrity_check')" = ok ]
	# the columns and rows that qtool has
	for t in messages recipients headers; do
		diff <("$QTOOL" query --columns $t --format tsv | sed 1d | cut -f1) \
		    <(sqlite3 -readonly $db "SELECT name FROM pragma_table_info('$t')" |
			head -n "$("$QTOOL" query --columns $t --format tsv | sed 1d | wc -l)")
	done
	for sql in 'SELECT queue_name, queue_id, path, sasl_username, sender, sender_domain, sender_org, sender_shown, subject, from_domain, message_origin, log_ident, peer_name, peer_port, helo_name, mtime_ns, rcpt_todo, rcpt_domain, delay_reason, sha256, headers_text, recipients, rcpt_domains, todo_rcpts, todo_domains, delay_reasons FROM messages ORDER BY 1, 2' \
	    'SELECT host, queue_name, queue_id, address, domain, org, orig_address, state, offset, notify, delay_reason, dsn, action, remote_mta, diagnostic, dsn_orcpt FROM recipients ORDER BY 1, 2, 3, 4, 9' \
	    'SELECT host, queue_name, queue_id, n, name, value FROM headers ORDER BY 1, 2, 3, 4'; do
		sqlite3 -readonly -json $db "$sql" | jq -cS . >"$BATS_TEST_TMPDIR/theirs"
		"$QTOOL" -Q "$Q" query --format json "$sql" | jq -cS . >"$BATS_TEST_TMPDIR/ours"
		[ "$(jq length "$BATS_TEST_TMPDIR/ours")" -gt 100 ]
		# what is JSON is a text for sqlite3
		cmp <(jq -cS 'map(map_values(if type == "string" and test("^\\[[]{\"]") then fromjson else . end))' "$BATS_TEST_TMPDIR/theirs") \
		    "$BATS_TEST_TMPDIR/ours"
	done
	# most lists are made of the rows of recipients
	[ "$(sqlite3 -readonly $db "SELECT sum(typeof(todo_rcpts) = 'integer') * 10 > count(*) * 9,
	    sum(typeof(recipients) = 'integer') * 10 > count(*) * 9 FROM stored_messages")" = "1|1" ]
	# README.txt's command
	sed -n '/^  sqlite3 /,/DESC.$/p' README.txt >"$BATS_TEST_TMPDIR/command"
	[ "$(bash "$BATS_TEST_TMPDIR/command" | wc -l)" -gt 3 ]
}

@test "index.sqlite: taken out by tar, it gives qtool the rows of the queue" {
	hostile_queue "$BATS_TEST_TMPDIR/odd"
	for q in "$Q" "$BATS_TEST_TMPDIR/odd"; do
		X=$OUT/$(basename "$q").tar.zst
		run_q -Q "$q" archive -q -o "$X" --all
		[ "$status" -eq 0 ] || [ "$status" -eq 3 ]
		tar --warning=no-timestamp -xOf "$X" --wildcards '*/metadata/index.sqlite' \
		    >"$OUT/index.sqlite"
		# nothing but the tables; no body and no records
		rows "$OUT/index" body -- -D "$OUT/index.sqlite"
		rows "$OUT/queue" body -- -Q "$q"
		grep -v '"segment"' "$OUT/queue" |
		    grep -vE '"error": "(a symbolic link|a FIFO|a directory|a socket|a device)"' >"$OUT/expected"
		[ "$(wc -l <"$OUT/expected")" -gt 100 ]
		same "$OUT/expected" "$OUT/index"
		rows "$OUT/index" "body host in_delivery config_dir queue_dir" -- -D "$OUT/index.sqlite"
		rows "$OUT/packed" "body host in_delivery config_dir queue_dir" -- -A "$X"
		same <(grep -v '"segment"' "$OUT/packed") "$OUT/index"
	done
	for v in "list --json --all" "list --format ids --every-rcpt --rcpt *@*.example" \
	    "list --format json --header X-Mailer=Bulk" "top -b sender_domain --json" \
	    "query --format csv SELECT\ class,client_address,sha256,rcpt_domains\ FROM\ messages\ ORDER\ BY\ path"; do
		eval "\"$QTOOL\" -Q '$Q' $v" >"$OUT/a" || true
		X=$OUT/spool.tar.zst
		tar --warning=no-timestamp -xOf "$X" --wildcards '*/metadata/index.sqlite' >"$OUT/index.sqlite"
		eval "\"$QTOOL\" -D '$OUT/index.sqlite' $v" >"$OUT/b" || true
		[ -s "$OUT/a" ]
		same <(sed "s/,\$//" "$OUT/a" | sort) <(sed "s/,\$//" "$OUT/b" | sort)
	done
	id=$("$QTOOL" -Q "$Q" list --format ids --limit 1)
	run_q -D "$OUT/index.sqlite" show --json "$id"
	expect_status 0
	[ "$(jq -r '.[].queue_id' <<<"$output")" = "$id" ]
	# what it has not is said
	run_q -D "$OUT/index.sqlite" list --body account
	expect_status 2
	[[ $stderr == *"no body"* ]]
}

@test "--no-sqlite" {
	archive --queue hold --all --no-sqlite
	check_bag "$X"
	[ ! -e metadata/index.sqlite ]
	! grep -q sqlite README.txt
}

@test "--eml: the mail that show gives, beside its file" {
	archive --all --eml
	expect_status 0
	check_bag "$X"
	n=0
	for f in data/eml/*/*.eml; do
		id=$(basename "$f" .eml)
		"$QTOOL" -Q "$Q" show --eml "$id" | cmp - "$f"
		n=$((n + 1))
	done
	[ "$n" -eq "$(wc -l <metadata/messages.jsonl)" ]
	jq -r '.eml.sha256 + "  " + .eml.path' metadata/messages.jsonl |
	    sha256sum --quiet --strict -c
}

@test "the body's sum is that of the mail, its links are in it; the kernel's file handle" {
	archive --all --eml
	expect_status 0
	check_bag "$X"
	jq -r '[.eml.path, .body_sha256] | @tsv' metadata/messages.jsonl | while IFS=$'\t' read -r f sum; do
		[ "$(sed '1,/^$/d' "$f" | sha256sum | cut -c-64)" = "$sum" ] || { echo "$f"; exit 1; }
	done
	[ "$(jq -r '.urls[]' metadata/messages.jsonl | wc -l)" -gt 10 ]
	jq -r '.eml.path as $f | .urls[] | [$f, .] | @tsv' metadata/messages.jsonl |
	    while IFS=$'\t' read -r f url; do grep -qF "$url" "$f" || { echo "$url"; exit 1; }; done
	jq -r '[.found, .stat.handle_type, .stat.handle] | @tsv' metadata/messages.jsonl >"$OUT/told"
	python3 - "$Q" "$OUT/told" <<-'END'
	import ctypes, os, sys
	libc = ctypes.CDLL(None, use_errno=True)
	class Handle(ctypes.Structure):
	    _fields_ = [("bytes", ctypes.c_uint), ("type", ctypes.c_int), ("data", ctypes.c_ubyte * 128)]
	for line in open(sys.argv[2]):
	    path, kind, told = line.rstrip("\n").split("\t")
	    h, mount = Handle(bytes=128), ctypes.c_int()
	    r = libc.name_to_handle_at(-100, os.path.join(sys.argv[1], path).encode(), ctypes.byref(h), ctypes.byref(mount), 0)
	    want = (str(h.type), bytes(h.data[:h.bytes]).hex()) if r == 0 else ("", "")
	    assert (kind, told) == want, (path, kind, told, want)
	END
	# what an archive is made from has its mail, and no handle
	run_q -A "$X" archive -q --all -o "$OUT/again.tar.zst"
	cd "$OUT"
	rm -r "$BATS_TEST_TMPDIR/bag"
	(check_bag "$OUT/again.tar.zst"; jq -c '[.stat.handle, .body_sha256 == null, (.body_simhash | type)]' metadata/messages.jsonl) |
	    sort -u >"$OUT/kinds"
	[ "$(cat "$OUT/kinds")" = '[null,false,"string"]' ]
}

@test "--sign: ssh-keygen verifies the archive, the sums, and nothing altered" {
	archive --queue hold --all --sign "$KEY"
	expect_status 0
	check_signature "$X.sig" "$X.sha256"
	(cd "$OUT" && sha256sum --quiet -c x.tar.zst.sha256)
	[ "$(stat -c %a "$X.sig")" = 400 ]
	# signatures are not in the list that they are over
	mkdir "$BATS_TEST_TMPDIR/bag"
	tar --warning=no-timestamp -xf "$X" -C "$BATS_TEST_TMPDIR/bag"
	cd "$BATS_TEST_TMPDIR"/bag/*
	sha256sum --quiet --strict -c tagmanifest-sha256.txt manifest-sha256.txt
	cmp signatures/signer.pub "$KEY.pub"
	check_signature signatures/tagmanifest-sha256.txt.sig tagmanifest-sha256.txt
	chmod u+w tagmanifest-sha256.txt
	sed -i '1s/^./x/' tagmanifest-sha256.txt
	! check_signature signatures/tagmanifest-sha256.txt.sig tagmanifest-sha256.txt
	# what README.txt says, with another's key
	ssh-keygen -q -t ed25519 -N '' -f "$BATS_TEST_TMPDIR/other"
	! check_signature "$X.sig" "$X.sha256" "$BATS_TEST_TMPDIR/other.pub"
}

@test "--sign with --move: read back, and then the mail is gone" {
	cp -a "$Q" "$BATS_TEST_TMPDIR/moved"
	Q=$BATS_TEST_TMPDIR/moved
	archive --move --yes --all --sign "$KEY"
	expect_status 0
	check_signature "$X.sig" "$X.sha256"
	[ -z "$(find "$Q/deferred" "$Q/hold" -type f)" ]
}

@test "the commands in README.txt check the signatures" {
	archive --queue hold --all --sign "$KEY"
	tar --warning=no-timestamp -xf "$X" -C "$OUT"
	cd "$OUT"/qtool-evidence_*
	sed -n '/^  (printf/p; /^  ssh-keygen/,/txt$/p' README.txt >"$BATS_TEST_TMPDIR/commands"
	[ "$(wc -l <"$BATS_TEST_TMPDIR/commands")" -eq 3 ]
	run -0 bash -e "$BATS_TEST_TMPDIR/commands"
	[[ $output == 'Good "qtool-evidence" signature for evidence'* ]]
	[ "$(LC_ALL=C awk 'length > 79 || /[^ -~]/' README.txt)" = "" ]
}

@test "no signature, no archive, and with --move the queue as it was" {
	before=$(tree "$Q")
	archive --all --sign "$BATS_TEST_TMPDIR/none"
	expect_status 5
	no_file_left
	# a public key alone, and no agent that has the other half
	cp "$KEY.pub" "$BATS_TEST_TMPDIR/alone.pub"
	unset SSH_AUTH_SOCK
	archive --all --sign "$BATS_TEST_TMPDIR/alone.pub"
	expect_status 5
	[[ $stderr == *"not signed"* ]]
	no_file_left
	cp -a "$Q" "$BATS_TEST_TMPDIR/moved"
	Q=$BATS_TEST_TMPDIR/moved
	names=$(find "$Q" -name qtool -prune -o -type f -printf '%P %i %s %T@\n' | sort)
	archive --all --sign "$BATS_TEST_TMPDIR/alone.pub" --move --yes
	expect_status 5
	[[ $stderr == *"nothing was changed"* ]]
	no_file_left
	diff <(find "$Q" -name qtool -prune -o -type f -printf '%P %i %s %T@\n' | sort) - <<<"$names"
}

@test "a key that an agent has" {
	cp "$KEY.pub" "$BATS_TEST_TMPDIR/alone.pub"
	eval "$(ssh-agent -a "$BATS_TEST_TMPDIR/agent")" >/dev/null
	ssh-add -q "$KEY"
	archive --queue hold --all --sign "$BATS_TEST_TMPDIR/alone.pub"
	kill "$SSH_AGENT_PID"
	expect_status 0
	check_signature "$X.sig" "$X.sha256"
}

@test "--timestamp-request: openssl reads it, and it is for this archive" {
	archive --queue hold --all --timestamp-request
	expect_status 0
	check_bag "$X"
	openssl ts -query -in "$X.tsq" -text 2>/dev/null >"$BATS_TEST_TMPDIR/request"
	grep -q 'Hash Algorithm: sha256' "$BATS_TEST_TMPDIR/request"
	grep -q 'Certificate required: yes' "$BATS_TEST_TMPDIR/request"
	sum=$(sed -n 's/^    00[0-9]0 - \(.*\)   .*/\1/p' "$BATS_TEST_TMPDIR/request" | tr -d ' \n-')
	[ "$sum" = "$(sha256sum <tagmanifest-sha256.txt | cut -c-64)" ]
	run_q -Q "$Q" archive -o - --all --timestamp-request
	expect_status 2
}

@test "files beside it that exist are refused and stay" {
	for f in sig tsq key sha256; do
		echo mine >"$X.$f"
		archive --all --sign "$KEY" --timestamp-request --redact full
		expect_status 4
		[[ $stderr == *"not overwritten"* ]]
		[ "$(cat "$X.$f")" = mine ]
		[ "$(ls "$OUT")" = "x.tar.zst.$f" ]
		rm "$X.$f"
	done
}

@test "whichever file does not get its name: none of them is there" {
	for n in 1 2 3 4 5; do
		run env "ASAN_OPTIONS=${ASAN_OPTIONS:-}:detect_leaks=0" \
		    strace -f -o /dev/null -P "$OUT" -e trace=renameat2 \
		    -e inject=renameat2:error=EIO:when="$n" \
		    "$QTOOL" -Q "$Q" archive -q -o "$X" --queue hold --all \
		    --sign "$KEY" --timestamp-request --redact recipients
		[ "$status" -eq 5 ]
		no_file_left
	done
}

# ---- the mail log ----

# Lines about one login's mail, and about others'.
make_log() {
	login=$("$QTOOL" -Q "$Q" query --format ids "SELECT sasl_username FROM messages
	    WHERE sasl_username IS NOT NULL GROUP BY 1 ORDER BY count(*) DESC LIMIT 1")
	id=$("$QTOOL" -Q "$Q" list --sasl "$login" --format ids | head -1)
	local p='Nov 27 02:03:04 mx postfix'
	cat >"$BATS_TEST_TMPDIR/ours.1" <<-EOF2
		$p/smtpd[1]: AAAAAAAAAAA: client=x[192.0.2.1], sasl_method=LOGIN, sasl_username=$login
		$p/qmgr[2]: AAAAAAAAAAA: removed
	EOF2
	cat >"$BATS_TEST_TMPDIR/ours.2" <<-EOF2
		$p/qmgr[2]: $id: from=<x@y>, size=1234, nrcpt=1 (queue active)
	EOF2
	printf '%s\n' "$p/qmgr[2]: BBBBBBBBBBB: from=<ann@z>, size=1" \
	    "$p/smtpd[1]: warning: z[192.0.2.9]: SASL LOGIN authentication failed, sasl_username=ann@z" \
	    >"$BATS_TEST_TMPDIR/theirs"
	cat "$BATS_TEST_TMPDIR"/{theirs,ours.1} >"$BATS_TEST_TMPDIR/mail.log.1"
	cat "$BATS_TEST_TMPDIR"/{ours.2,theirs} >"$BATS_TEST_TMPDIR/mail.log"
}

@test "--log: the lines of these messages and logins, rotated and packed, nobody else's" {
	make_log
	cd "$BATS_TEST_TMPDIR"
	for pack in gzip bzip2 xz 'zstd -q --rm'; do
		cp mail.log.1 rotated
		$pack rotated
		archive --sasl "$login" --log rotated.* --log mail.log
		expect_status 0
		check_bag "$X"
		cmp data/context/maillog.txt <(cat "$BATS_TEST_TMPDIR"/ours.{1,2})
		[ "$(jq -c '[.mail_log_files, .mail_log_lines]' metadata/case.json)" = '[2,3]' ]
		cd "$BATS_TEST_TMPDIR"
		rm -rf bag rotated.* "$OUT"/*
	done
}

@test "--log: a file that is not there, or is damaged, is no archive" {
	make_log
	archive --all --log "$BATS_TEST_TMPDIR/none"
	expect_status 5
	no_file_left
	gzip -c "$BATS_TEST_TMPDIR/mail.log" | head -c 40 >"$BATS_TEST_TMPDIR/cut.gz"
	archive --all --log "$BATS_TEST_TMPDIR/cut.gz"
	expect_status 5
	no_file_left
}

# ---- without names ----

@test "--redact: no recipient's name in the archive, the key is beside it" {
	"$QTOOL" -Q "$Q" query --format tsv \
	    "SELECT DISTINCT address FROM recipients WHERE address LIKE '%_._%@%'" |
	    sed 1d | sed 's/@.*//' | sort -u >"$BATS_TEST_TMPDIR/names"
	[ "$(wc -l <"$BATS_TEST_TMPDIR/names")" -gt 100 ]
	archive --all --redact full --rcpt '*'
	expect_status 0
	[ "$(stat -c %a "$X.key")" = 400 ]
	check_bag "$X"
	[ ! -e data/queue ]
	[ "$(ls data/eml/*/*.eml | wc -l)" -eq "$(wc -l <metadata/messages.jsonl)" ]
	! grep -rqiFw -f "$BATS_TEST_TMPDIR/names" .
	! grep -rqF -f "$X.key" .
	[ "$(jq -r .redaction metadata/case.json)" = full ]
	grep -q 'r-XXXXXXXXXXXXXXXX' README.txt
	! grep -q postcat README.txt
}

@test "--redact recipients: each message without the names of its own recipients" {
	archive --all --redact recipients
	expect_status 0
	check_bag "$X"
	n=0
	while IFS=$'\t' read -r path queue id; do
		"$QTOOL" -Q "$Q" query --format tsv "SELECT address FROM recipients
		    WHERE queue_id = '$id' AND queue_name = '$queue'" | sed 1d | sed 's/@.*//' \
		    >"$BATS_TEST_TMPDIR/names"
		! grep -qiFw -f "$BATS_TEST_TMPDIR/names" "$path"
		n=$((n + 1))
	done < <(jq -r '[.path, .queue_name, .queue_id] | @tsv' metadata/messages.jsonl | head -40)
	[ "$n" -eq 40 ]
	! jq -r '.address, .orig_address // empty' metadata/recipients.jsonl |
	    grep -vE '^r-[a-z2-7]{16}@'
	# who sent it stays
	jq -r '.sasl_username // empty' metadata/messages.jsonl | grep -q @
}

@test "the same key gives the same tokens, another one others" {
	archive --queue hold --all --redact recipients
	cp "$X.key" "$BATS_TEST_TMPDIR/key"
	for n in 1 2 3; do
		key=(--redact-key "$BATS_TEST_TMPDIR/key")
		[ "$n" -ne 3 ] || key=()
		X=$OUT/$n.tar
		archive --queue hold --all --redact recipients "${key[@]}"
		expect_status 0
		tar -xOf "$X" --wildcards '*/recipients.jsonl' | sha256sum >"$BATS_TEST_TMPDIR/$n"
		tar -xOf "$X" --wildcards '*/case.json' | jq -r .redaction_key_id >>"$BATS_TEST_TMPDIR/$n"
	done
	cmp "$BATS_TEST_TMPDIR/1" "$BATS_TEST_TMPDIR/2"
	! cmp -s "$BATS_TEST_TMPDIR/1" "$BATS_TEST_TMPDIR/3"
	[ ! -e "$OUT/1.tar.key" ]
	[ -e "$OUT/3.tar.key" ]
}

@test "what cannot be together with --redact" {
	make_log
	archive --all --redact full --move --yes
	expect_status 2
	archive --all --redact full --log "$BATS_TEST_TMPDIR/mail.log"
	expect_status 2
	archive --all --redact some
	expect_status 2
	archive --all --redact-key "$KEY"
	expect_status 2
	run_q -Q "$Q" archive -o - --all --redact full
	expect_status 2
	archive --all --redact full --redact-key "$KEY"
	expect_status 2
	no_file_left
}

@test "a full disk: neither the archive nor what is beside it" {
	mount -t tmpfs -o size=200k tmpfs "$OUT"
	for ((k = 0; k <= 190; k += 10)); do
		head -c "${k}k" /dev/zero >"$OUT/fill"
		archive --queue hold --all --sign "$KEY" --timestamp-request
		[ "$status" -eq 0 ] || break
		rm -f "$X"*
	done
	left=$(ls "$OUT")
	umount "$OUT"
	expect_status 5
	[[ $stderr == *"No space left on device"* ]]
	[ "$left" = fill ]
}

@test "a message that an agent has open is told" {
	file=$(find "$Q/deferred" -type f | LC_ALL=C sort | head -1)
	exec 8<"$file"
	flock -s 8
	archive --queue deferred --all
	exec 8<&-
	expect_status 0
	check_bag "$X"
	[ "$(jq -r 'select(.locked_at_capture).queue_id' metadata/messages.jsonl)" = "${file##*/}" ]
}

# How many files of the queue a process has open.
open_files() {
	find "/proc/$1/fd" -lname "$Q/*/*" 2>/dev/null | wc -l
}

# Messages are picked, and the first is about to be read: that takes four seconds.
@test "what is delivered meanwhile is in the archive all the same" {
	cp -a "$Q" "$BATS_TEST_TMPDIR/live"
	Q=$BATS_TEST_TMPDIR/live
	n=$(find "$Q"/{active,incoming,deferred,hold} -type f | wc -l)
	env "ASAN_OPTIONS=${ASAN_OPTIONS:-}:detect_leaks=0" strace -D -f -o /dev/null \
	    -e trace=statx -e inject=statx:delay_enter=4000000:when=1 \
	    "$QTOOL" -Q "$Q" archive -q -o "$X" --all >"$BATS_TEST_TMPDIR/report" 2>&1 &
	pid=$!
	for ((i = 0; i < 300; i++)); do
		[ "$(open_files $pid)" -lt 10 ] || break
		sleep 0.01
	done
	sleep 1 # until nothing else can be read
	[ "$(open_files $pid)" -ge 10 ]
	[ ! -e "$X" ]
	rm -rf "$Q"/{active,incoming,deferred,hold}
	wait $pid
	check_bag "$X"
	[ "$(wc -l <metadata/messages.jsonl)" -eq "$n" ]
	[ ! -e metadata/missing.jsonl ]
}
