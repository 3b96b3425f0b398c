# qtool verify, and the check of an archive without qtool.

load common
load bag

setup() {
	Q=$BATS_TEST_TMPDIR/q
	OUT=$BATS_TEST_TMPDIR/out
	mkdir "$OUT"
	practice_queue "$Q" 30
	A=$OUT/a.tar.zst
}

make_archive() {
	"$QTOOL" -Q "$Q" archive -o "$A" --all "$@" >/dev/null
}

key() {
	ssh-keygen -q -t ed25519 -N '' -C "$1" -f "$OUT/$1"
	echo "$1@mx.example namespaces=\"qtool-evidence\" $(cut -d' ' -f1,2 "$OUT/$1.pub")" >>"$OUT/allowed"
}

# verify STATUS ARGS...
verify() {
	local want=$1
	shift
	run_q verify "$@"
	expect_status "$want"
	is_harmless <<<"$output$stderr"
}

@test "one that is as it was made is good, in every form" {
	for form in tar tar.gz tar.xz tar.zst; do
		A=$OUT/a.$form
		make_archive --eml
		verify 0 "$A"
		[[ $output == *": good: 30 messages and "* ]]
		[[ $output == *"sha256 $(cut -d' ' -f1 "$A.sha256")"* ]]
		[ -z "$stderr" ]
	done
	Q=$BATS_TEST_TMPDIR/hostile
	hostile_queue "$Q"
	A=$OUT/hostile.tar.gz
	make_archive --eml || [ $? = 3 ]
	verify 0 "$A"
	A=$OUT/redacted.tar
	make_archive --redact full || [ $? = 3 ]
	verify 0 "$A"
}

@test "every command in README.txt, with plain tools alone" {
	key anna
	make_archive --sign "$OUT/anna" --sha512
	mkdir "$OUT/v"
	cp "$A" "$A.sha256" "$A.sig" "$OUT/v"
	cd "$OUT/v"
	tar --zstd -xOf a.tar.zst --wildcards '*/README.txt' >README.txt
	# what is indented by two, from HOW TO CHECK on; FILE and ID are ours
	sed -n '/^HOW TO CHECK/,$p' README.txt | sed -n 's/^  //p' |
	    sed 's/FILE\.tar\.zst/a.tar.zst/g; s/FILE\.sha256/a.tar.zst.sha256/g' >commands
	grep -q '^tar ' commands
	grep -q '^sha256sum --quiet --strict -c manifest' commands
	grep -q '^sha512sum --quiet --strict -c manifest' commands
	grep -q '^ssh-keygen -Y verify' commands
	grep -q '^jq ' commands
	id=$(jq -r 'select(.queue_name == "deferred") | .queue_id' <(tar --zstd -xOf a.tar.zst --wildcards '*/messages.jsonl') | head -1)
	sed -i "s,/deferred/ID .*,/deferred/$id,; s/  *who sent what from where\$//" commands
	# qtool is out of reach; and a Postfix that has a configuration
	mkdir etc
	printf 'compatibility_level = 3.6\nqueue_directory = %s\n' "$Q" >etc/main.cf
	MAIL_CONFIG=$PWD/etc PATH=/usr/sbin:/usr/bin:/sbin:/bin run --separate-stderr -0 bash -euo pipefail commands
	[ -z "$(command -v qtool)" ]
	[[ $output == *"a.tar.zst: OK"* ]]
	[[ $output == *'Good "qtool-evidence" signature for evidence with ED25519 key'* ]]
	[[ $output == *"*** ENVELOPE RECORDS data/queue/deferred/$id"* ]]
	! grep -q -e FAILED -e '^[<>]' <<<"$output"
}

@test "and they find what verify finds" {
	make_archive
	mkdir "$OUT/v"
	cd "$OUT/v"
	tar --warning=no-timestamp --zstd -xf "$A"
	cd qtool-evidence_*
	f=$(find data/queue -type f | head -1)
	chmod u+w "$f" && printf x >>"$f"
	run ! sha256sum --quiet --strict -c manifest-sha256.txt
	[[ $output == *"$f: FAILED"* ]]
	touch data/queue/hold/ADDED
	run ! diff <(cut -c67- manifest-sha256.txt) <(find data -type f | LC_ALL=C sort)
	[[ $output == *"> data/queue/hold/ADDED"* ]]
	cd ..
	tar --owner=0 --group=0 -cf "$OUT/b.tar" qtool-evidence_*
	verify 1 "$OUT/b.tar"
	[[ $output == *"altered: $f is not what manifest-sha256.txt has the sum of; expected "*"; found "* ]]
	[[ $output == *"altered: $f has not the length that metadata/messages.jsonl says; expected "* ]]
	[[ $output == *"added: data/queue/hold/ADDED is in the archive and not in manifest-sha256.txt"* ]]
	[[ $stderr == *"problems found"* ]]
}

@test "a byte changed: where, and the sum beside it" {
	A=$OUT/a.tar
	make_archive
	at=$(grep -abo 'Subject:' "$A" | head -1 | cut -d: -f1)
	printf X | dd of="$A" bs=1 seek="$at" conv=notrunc status=none
	verify 1 "$A"
	[[ $output == *"sum: the file is not the one whose sum is in FILE.sha256; expected $(cut -d' ' -f1 "$A.sha256"); found $(sha256sum <"$A" | cut -d' ' -f1)"* ]]
	[ "$(grep -c '^altered: data/queue/' <<<"$output")" = 2 ]
	rm "$A.sha256"
	verify 1 "$A"
	[[ $output != *"sum: "* ]]
	[[ $stderr == *"there is no $A.sha256 beside it"* ]]
}

@test "signatures: whose, and whose not" {
	key anna
	key eve
	sed -i '/^eve/d' "$OUT/allowed"
	make_archive --sign "$OUT/anna"
	verify 0 "$A"
	[[ $stderr == *'FILE.sig: Good "qtool-evidence" signature with ED25519 key SHA256:'* ]]
	[[ $stderr == *"whose keys these are is not known"* ]]
	verify 0 --allowed-signers "$OUT/allowed" "$A"
	[ "$(grep -c 'signature for anna@mx.example with ED25519' <<<"$stderr")" = 2 ]
	verify 0 --allowed-signers "$OUT/allowed" --identity anna@mx.example "$A"
	verify 1 --allowed-signers "$OUT/allowed" --identity eve@mx.example "$A"
	# signed by another
	B=$OUT/b.tar.zst
	A=$B make_archive --sign "$OUT/eve"
	verify 0 "$B"
	verify 1 --allowed-signers "$OUT/allowed" "$B"
	[ "$(grep -c '^signature: .* is not good: its key is none of those' <<<"$output")" = 2 ]
	# not signed at all
	A=$OUT/c.tar make_archive
	verify 1 --allowed-signers "$OUT/allowed" "$OUT/c.tar"
	[[ $output == *"signature: it is not signed"* ]]
	# a signature of other bytes
	cp "$B.sig" "$A.sig"
	verify 1 "$A"
	[[ $output == *"signature: FILE.sig is not good"* ]]
	run_q verify --identity x "$A"
	expect_status 2
	run_q verify --allowed-signers "$OUT/none" "$A"
	expect_status 5
}

@test "what no list has: twice, or not of the archive" {
	key anna
	A=$OUT/a.tar
	make_archive --sign "$OUT/anna"
	cd "$OUT"
	tar --warning=no-timestamp -xf a.tar
	chmod u+w a.tar
	bag=$(echo qtool-evidence_*)
	echo hello >"$bag/signatures/note"
	rm a.tar.s*
	tar -rf a.tar "$bag/signatures/note" "$bag/signatures/signer.pub" \
	    "$bag/signatures/tagmanifest-sha256.txt.sig" "$bag/tagmanifest-sha256.txt"
	verify 1 a.tar
	[[ $output == *"added: signatures/note is in the archive and no signature"* ]]
	[[ $output == *"added: signatures/signer.pub is in the archive twice"* ]]
	[[ $output == *"added: signatures/tagmanifest-sha256.txt.sig is in the archive twice"* ]]
	[[ $output == *"added: tagmanifest-sha256.txt is in the archive twice"* ]]
}

@test "it answers a script" {
	make_archive --case C7
	run_q verify --json "$A"
	expect_status 0
	[ "$(jq -c keys_unsorted <<<"$output")" = '["command","file","good","base","sha256","sum_file","whole","redaction","members","messages","logs","payload_files","payload_bytes","events","signatures","timestamp","problem_count","problems","error","exit_status"]' ]
	[ "$(jq -c '[.good,.messages,.sum_file,.whole,.redaction,.events,.problem_count,.exit_status]' <<<"$output")" = '[true,30,true,true,"none",2,0,0]' ]
	truncate -s -2000 "$A"
	run_q verify --json "$A"
	expect_status 1
	[ "$(jq -c '[.good,.whole,.exit_status]' <<<"$output")" = '[false,false,1]' ]
	[ "$(jq -c '[.problems[].kind]|unique' <<<"$output")" = '["damaged","sum"]' ]
	run_q verify --json "$OUT/none"
	expect_status 5
	[ "$(jq -c '[.good,.exit_status]' <<<"$output")" = '[null,5]' ]
	run_q verify
	expect_status 2
	run_q verify "$OUT"
	expect_status 5
}

@test "what a stranger made comes to an end, and to no terminal" {
	cd "$OUT"
	mkdir -p $'x/\e[2Jdata' "x/$(printf 'a%.0s' {1..200})"
	echo >$'x/\e[2Jdata/f'
	ln -s /etc/passwd x/README.txt
	tar -cf "$A.tar" x ../out/x/README.txt -P 2>/dev/null
	verify 1 "$A.tar"
	[[ $output == *"type: README.txt is no regular file; expected a regular file; found a link"* ]]
	[[ $output == *"missing: manifest-sha256.txt is missing"* ]]
	mkdir -p bag/data && truncate -s 1200M bag/data/zeros
	tar -cf - bag | zstd -q -1 >bomb.tar.zst
	verify 1 bomb.tar.zst
	[[ $output == *"damaged: "*"it expands to more times its size than any mail does"* ]]
	head -c 100000 /dev/urandom >noise
	verify 1 noise
	: >empty
	verify 1 empty
}

# One made anew without a member, or with one more, all its sums right: what has
# to be there is known, and what may be.
remake() {
	local dir=$OUT/remade
	rm -rf "$dir"
	mkdir "$dir"
	tar --warning=no-timestamp -xf "$A" -C "$dir"
	(
		cd "$dir"/*
		mkdir -p data/context
		"$@"
		find . -path ./data -prune -o -type f -printf '%P\n' |
		    grep -v '^tagmanifest\|^signatures/' | LC_ALL=C sort |
		    xargs sha256sum >tagmanifest-sha256.txt
	)
	tar -cf "$OUT/remade.tar" -C "$dir" --transform 's,^\./,,' \
	    $(tar -tf "$A" | while read -r m; do [ ! -e "$dir/$m" ] || echo "$m"; done) \
	    $(cd "$dir" && find . -name 'extra*' -type f)
}

@test "what an archive has to have is missed, whatever its sums" {
	A=$OUT/a.tar
	make_archive
	for m in README.txt metadata/custody.jsonl metadata/recipients.jsonl; do
		remake rm "$m"
		verify 1 "$OUT/remade.tar"
		[[ $output == *"missing: $m is missing"* ]] || { echo "$output"; false; }
	done
	for m in metadata/extra.txt data/context/extra.txt extra; do
		remake touch "$m"
		verify 1 "$OUT/remade.tar"
		[[ $output == *"name: $m is no file that archives have"* ]] || { echo "$output"; false; }
	done
	remake true
	verify 1 "$OUT/remade.tar"
	# how it was packed is all that is told
	! grep -v '^frame: ' <<<"$output"
}

# A line of metadata/$1 without its member $2, by jq; all sums right.
@test "what a line has to have is missed, also where no file tells it" {
	A=$OUT/a.tar
	make_archive
	without() {
		jq -c "del($2)" "metadata/$1" >t
		mv t "metadata/$1"
	}
	for m in stat stat.mtime_ns stat.mode found logs; do
		remake without messages.jsonl ".$m"
		verify 1 "$OUT/remade.tar"
		[[ $output == *"table: metadata/messages.jsonl line 1 has no member \"$m\""* ]] ||
		    { echo "$m: $output"; false; }
	done
	remake without recipients.jsonl .offset
	verify 1 "$OUT/remade.tar"
	[[ $output == *"table: metadata/recipients.jsonl line 1 has no member \"offset\""* ]]
	# of another kind it is not there either
	other() {
		jq -c '.stat = [.stat]' metadata/messages.jsonl >t
		mv t metadata/messages.jsonl
	}
	remake other
	verify 1 "$OUT/remade.tar"
	[[ $output == *'has no member "stat.mtime_ns"'* ]]
}
