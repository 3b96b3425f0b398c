# qtool archive --sha512: lists of sums by SHA-512 beside those by SHA-256.

load common
load bag
load changes
load rows

setup() {
	Q=$BATS_TEST_TMPDIR/q
	OUT=$BATS_TEST_TMPDIR/out
	mkdir "$OUT"
	practice_queue "$Q" 80
	X=$OUT/x.tar.zst
}

archive() {
	run_q -Q "$Q" archive --sha512 -o "$X" "$@"
}

# check_sha512 FILE: it is a bag with both, the same files in the same order.
check_sha512() {
	rm -rf "$BATS_TEST_TMPDIR/bag"
	check_bag "$1"
	sha512sum --quiet --strict -c tagmanifest-sha512.txt
	sha512sum --quiet --strict -c manifest-sha512.txt
	diff <(cut -c67- manifest-sha256.txt) <(cut -c131- manifest-sha512.txt)
	diff <(cut -c67- tagmanifest-sha256.txt) <(cut -c131- tagmanifest-sha512.txt)
	run -0 "$QTOOL" verify "$1"
}

@test "all files, whoever read them, at any number of jobs and in every form" {
	# over 1 MiB: the scan's workers leave it to who writes
	head -c 1500000 /dev/urandom >"$Q/hold/ABCDE12345"
	chmod 700 "$Q/hold/ABCDE12345"
	for j in 1 8; do
		X=$OUT/$j.tar
		archive --all --eml --jobs $j
		[[ $status = [03] ]]
		check_sha512 "$X"
		mv "$BAG" "$OUT/bag.$j"
	done
	grep -q '  data/queue/hold/ABCDE12345$' "$OUT/bag.1/manifest-sha512.txt"
	grep -q '  data/eml/' "$OUT/bag.1/manifest-sha512.txt"
	grep -q '  data/queue/defer/' "$OUT/bag.1/manifest-sha512.txt"
	cmp "$OUT"/bag.[18]/manifest-sha512.txt
	for f in tar.gz tar.xz tar.zst; do
		X=$OUT/x.$f
		archive --queue hold --all
		[[ $status = [03] ]]
		check_sha512 "$X"
	done
}

@test "without the option nothing speaks of it" {
	run -0 "$QTOOL" -Q "$Q" archive -o "$OUT/plain.tar" --all
	check_bag "$OUT/plain.tar"
	run -1 grep -rqi 'sha-\?512' .
	mv "$BAG" "$OUT/plain"
	X=$OUT/x.tar
	archive --all
	check_sha512 "$X"
	# and with it two files more, and what speaks of them
	[ "$(diff -rq "$OUT/plain" . | sed 's/.*[ /]\([^ ]*\) differ$/\1/; s/^Only in .*: //' | sort | tr '\n' ' ')" = \
	    'README.txt case.json custody.jsonl manifest-sha512.txt tagmanifest-sha256.txt tagmanifest-sha512.txt ' ]
	[ "$(jq -r .sha512_sums metadata/case.json)" = 'manifest-sha512.txt and tagmanifest-sha512.txt, for sha512sum -c' ]
	[ "$(jq -r 'select(.what == "manifest-sha512.txt") | .event + " " + .sha256' metadata/custody.jsonl)" = \
	    "hashed $(sha256sum <manifest-sha512.txt | cut -c-64)" ]
}

@test "signed and redacted, out of an archive, and with --move" {
	ssh-keygen -q -t ed25519 -N '' -f "$OUT/key"
	archive --all --sign "$OUT/key"
	expect_status 0
	check_sha512 "$X"
	tar -tf "$X" | sed 's,^[^/]*/,,' | tail -n 6 >"$OUT/last"
	diff "$OUT/last" - <<-'END'
		manifest-sha256.txt
		manifest-sha512.txt
		tagmanifest-sha256.txt
		tagmanifest-sha512.txt
		signatures/tagmanifest-sha256.txt.sig
		signatures/signer.pub
	END
	n=$(wc -l <metadata/messages.jsonl)
	run_q -A "$X" archive --sha512 -q --all -o "$OUT/again.tar"
	expect_status 0
	cp manifest-sha512.txt "$OUT/first"
	check_sha512 "$OUT/again.tar"
	same "$OUT/first" manifest-sha512.txt
	X=$OUT/redacted.tar.gz
	archive --all --redact recipients
	expect_status 0
	check_sha512 "$X"
	[ "$(grep -c '  data/eml/' manifest-sha512.txt)" -eq "$n" ]
	X=$OUT/moved.tar.zst
	archive --all --move --yes
	expect_status 0
	[ -z "$(find "$Q/hold" "$Q/deferred" -type f)" ]
	check_sha512 "$X"
	[ -s manifest-sha512.txt ]
}

@test "what reads archives reads it like another" {
	run -0 "$QTOOL" -Q "$Q" archive -q -o "$OUT/plain.tar.zst" --all
	archive --all
	expect_status 0
	rows "$OUT/a" "host queue_dir" -- -A "$OUT/plain.tar.zst"
	rows "$OUT/b" "host queue_dir" -- -A "$X"
	same "$OUT/a" "$OUT/b"
	id=$("$QTOOL" -Q "$Q" list --queue hold --format ids --limit 1)
	"$QTOOL" -A "$X" show --eml "$id" >"$OUT/mail"
	"$QTOOL" -Q "$Q" show --eml "$id" | cmp - "$OUT/mail"
	practice_queue "$OUT/to" 1
	find "$OUT/to" -type f -delete
	run_q -Q "$OUT/to" restore "$X" "$id" --yes
	expect_status 0
	cmp "$(find "$Q/hold" -name "$id*")" "$(find "$OUT/to/hold" -type f)"
}

@test "a sum altered, a list left out: named" {
	X=$OUT/x.tar
	archive --queue hold --all
	rm "$X.sha256"
	at=$(grep -abo '^[0-9a-f]\{128\}  data/queue/hold/' "$X" | head -n 1 | cut -d: -f1)
	file=$(dd if="$X" bs=1 skip="$at" count=200 status=none | sed -n '1s/.*  //p')
	was=$(dd if="$X" bs=1 skip="$at" count=128 status=none)
	chmod u+w "$X"
	[ "${was:9:1}" = 0 ] && other=1 || other=0
	printf %s "$other" | dd of="$X" bs=1 seek=$((at + 9)) conv=notrunc status=none
	run_q verify "$X"
	expect_status 1
	[[ $output == *"altered: $file is not what manifest-sha512.txt has the sum of; expected ${was:0:9}$other${was:10}; found $was"* ]]
	[[ $output == *"altered: manifest-sha512.txt is not what tagmanifest-sha256.txt has the sum of"* ]]
	[[ $output == *"altered: manifest-sha512.txt is not what tagmanifest-sha512.txt has the sum of"* ]]
	cd "$OUT"
	tar --warning=no-timestamp -xf "$X"
	tar -tf "$X" | grep -v '/tagmanifest-sha512.txt$' >names
	tar --owner=0 --group=0 -cf b.tar -T names
	run_q verify b.tar
	expect_status 1
	[[ $output == *"missing: tagmanifest-sha512.txt is missing"* ]]
}
