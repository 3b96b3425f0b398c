# qtool custody: who had an archive, and what was done with it.

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

# custody STATUS ARGS...
custody() {
	local want=$1
	shift
	run_q custody "$@"
	expect_status "$want"
	is_harmless <<<"$output$stderr"
}

# The chain of both lists, by jq and sha256sum alone.
check_chain() {
	tar --zstd -xOf "$A" --wildcards '*/metadata/custody.jsonl' >"$OUT/chain"
	cat "$A.custody.jsonl" >>"$OUT/chain"
	diff <(jq -r '.prev // empty' "$OUT/chain") \
	    <(sed '$d' "$OUT/chain" | while IFS= read -r line; do
		printf '%s\n' "$line" | sha256sum | cut -c-64
	done)
	[ "$(jq -s 'map(.seq) == [range(1; length + 1)]' "$OUT/chain")" = true ]
}

# An authority, and what it answers to $A.tsq.
authority() {
	local dir=$OUT/tsa

	mkdir "$dir"
	cat >"$dir/conf" <<-END
		[tsa]
		default_tsa = t
		[t]
		serial = $dir/serial
		signer_digest = sha256
		default_policy = 1.2.3.4.1
		digests = sha256
		tsa_name = yes
		[ext]
		extendedKeyUsage = critical,timeStamping
		keyUsage = critical,digitalSignature
	END
	echo 01 >"$dir/serial"
	openssl req -x509 -newkey rsa:2048 -nodes -days 30 -subj "/CN=Root $1" \
	    -keyout "$dir/ca.key" -out "$OUT/$1.pem"
	openssl req -newkey rsa:2048 -nodes -subj "/O=Stamps/CN=$1" \
	    -keyout "$dir/key" -out "$dir/csr"
	openssl x509 -req -in "$dir/csr" -CA "$OUT/$1.pem" -CAkey "$dir/ca.key" \
	    -CAcreateserial -days 30 -extfile "$dir/conf" -extensions ext -out "$dir/pem"
	openssl ts -reply -config "$dir/conf" -queryfile "$A.tsq" -signer "$dir/pem" \
	    -inkey "$dir/key" -out "$OUT/$1.tsr"
	rm -r "$dir"
} >/dev/null 2>&1

@test "events go on with the archive's own chain" {
	make_archive
	sum=$(sha256sum <"$A")
	custody 0 "$A"
	[[ $output == *"  1  "*"  collected  "*"30 messages and "*"  2  "*"  hashed  "* ]]
	[[ $output == *"$A: good, and the chain of 2 events is whole" ]]
	[ ! -e "$A.custody.jsonl" ]
	custody 0 --add verified "$A"
	custody 0 --add transferred --what $'stick, \e[31mto K. Weber' --note 'case 17' "$A"
	[[ $output == *"  3  "*"  verified  "*"good: 30 messages and "* ]]
	[[ $output == *"  4  "*"  transferred  "*"to K. Weber"*"why: case 17"* ]]
	[[ $output == *"the chain of 4 events is whole" ]]
	# the archive is as it was; each event has its sum
	[ "$(sha256sum <"$A")" = "$sum" ]
	[ "$(jq -r .sha256 "$A.custody.jsonl" | uniq -c | awk '{print $1, $2}')" = "2 ${sum%% *}" ]
	[ "$(stat -c %a "$A.custody.jsonl")" = 600 ]
	check_chain
	custody 0 --json "$A"
	[ "$(jq -c '[.good, .error, .exit_status, (.events | length)]' <<<"$output")" = '[true,null,0,4]' ]
	[ "$(jq -r '.events[3].what' <<<"$output")" = $'stick, \e[31mto K. Weber' ]
	[ "$(jq -c '[.events[].in_archive]' <<<"$output")" = '[true,true,false,false]' ]
	run_q verify --json "$A"
	expect_status 0
	[ "$(jq .events <<<"$output")" = 4 ]
}

@test "what was altered or taken out is found" {
	make_archive
	custody 0 --add noted --what one "$A"
	custody 0 --add noted --what two "$A"
	custody 0 --add noted --what three "$A"
	cp "$A.custody.jsonl" "$OUT/good"
	# the problem, and its exit status; nothing is said to be whole
	broken() {
		custody 1 "$A"
		[[ $stderr == *"custody: FILE.custody.jsonl $1"* ]]
		[[ $output != *"is whole"* ]]
		run_q verify "$A"
		expect_status 1
		[[ $output == *"custody: FILE.custody.jsonl $1"* ]]
	}
	sed 's/"two"/"2"/' "$OUT/good" >"$A.custody.jsonl"
	broken "line 3 does not follow the one before it"
	sed 2d "$OUT/good" >"$A.custody.jsonl"
	broken "line 2 is no event of number 4"
	sed '1s/.*/{}/' "$OUT/good" >"$A.custody.jsonl"
	broken "line 1 is no event of number 3"
	sed '1s/"what":"one"/&,"what":"one"/' "$OUT/good" >"$A.custody.jsonl"
	broken "line 1 is no event of number 3"
	sed '1s/"what":"one"/&,"more":"one"/' "$OUT/good" >"$A.custody.jsonl"
	broken "line 1 is no event of number 3"
	# of another archive
	mkdir "$OUT/other"
	A=$OUT/other/a.tar.zst
	"$QTOOL" -Q "$Q" archive -o "$A" --all --queue hold --case other >/dev/null
	cp "$OUT/good" "$A.custody.jsonl"
	broken "line 1 does not follow the one before it"
	# a line that is cut off is not added to
	head -c -5 "$OUT/good" >"$OUT/a.tar.zst.custody.jsonl"
	A=$OUT/a.tar.zst
	broken "its last line is cut off"
	custody 5 --add noted --what four "$A"
	[[ $stderr == *"its last line is cut off: nothing is added to it"* ]]
	[ "$(stat -c %s "$A.custody.jsonl")" = $(($(stat -c %s "$OUT/good") - 5)) ]
}

@test "an event on a damaged archive says so" {
	make_archive
	printf x | dd of="$A" bs=1 seek=5000 conv=notrunc status=none
	# whether its chain can be reached or not, none says that it is good
	run_q custody --add verified "$A"
	[ "$status" = 1 ] || [ "$status" = 5 ]
	[[ $output != *"is whole"* ]]
	[ ! -e "$A.custody.jsonl" ] || [[ $(jq -r .what "$A.custody.jsonl") == "not good: "* ]]
	A=$OUT/b.tar
	make_archive
	at=$(grep -abo '"sender"' "$A" | head -1 | cut -d: -f1)
	printf X | dd of="$A" bs=1 seek=$((at + 1)) conv=notrunc status=none
	custody 1 --add verified "$A"
	[[ $(jq -r .what "$A.custody.jsonl") == "not good: "*" problem"* ]]
	custody 1 --add transferred --what "to anna, as it is" "$A"
	[ "$(jq -rs '.[1].event' "$A.custody.jsonl")" = transferred ]
}

@test "what it cannot do is said, and nothing is left" {
	make_archive
	custody 2 --add transferred "$A"
	[[ $stderr == *"what happened? --what TEXT is missing"* ]]
	custody 2 --add sold --what x "$A"
	custody 2 --what x "$A"
	custody 2 --note x "$A"
	custody 5 "$OUT/none.tar"
	[ "$(find "$OUT" -name '*custody*' | wc -l)" = 0 ]
	# what is no file of its own is not written to
	for kind in fifo link hard dir; do
		case $kind in
		fifo) mkfifo "$A.custody.jsonl" ;;
		link) ln -s "$OUT/target" "$A.custody.jsonl" ;;
		hard) : >"$OUT/victim" && ln "$OUT/victim" "$A.custody.jsonl" ;;
		dir) mkdir "$A.custody.jsonl" ;;
		esac
		run_q custody --add noted --what x "$A"
		[ "$status" = 5 ] || { echo "$kind: $status"; false; }
		[ ! -e "$OUT/target" ]
		[ ! -s "$OUT/victim" ]
		rm -rf "$A.custody.jsonl" "$OUT/victim"
	done
	# nor where nothing can be written
	mkdir "$BATS_TEST_TMPDIR/ro"
	mount --bind "$OUT" "$BATS_TEST_TMPDIR/ro"
	mount -o remount,bind,ro "$BATS_TEST_TMPDIR/ro"
	run_q custody --add noted --what x "$BATS_TEST_TMPDIR/ro/a.tar.zst"
	umount "$BATS_TEST_TMPDIR/ro"
	expect_status 5
	[[ $stderr == *"Read-only file system"* ]]
	# what an earlier archive left is not of the next one
	custody 0 --add destroyed --what "by hand" "$A"
	rm "$A" "$A.sha256"
	run_q -Q "$Q" archive -o "$A" --all
	expect_status 4
	[[ $stderr == *"custody.jsonl"* ]]
}

@test "two at once: one event each, or one is refused" {
	make_archive
	for i in 1 2 3 4 5 6; do
		"$QTOOL" custody --add noted --what "event $i" "$A" >"$OUT/out.$i" 2>&1 &
		pids[i]=$!
	done
	good=0
	for i in 1 2 3 4 5 6; do
		if wait "${pids[i]}"; then
			good=$((good + 1))
		else
			grep -q "somebody added to it meanwhile" "$OUT/out.$i" || { cat "$OUT/out.$i"; false; }
		fi
	done
	[ "$(wc -l <"$A.custody.jsonl")" = $good ]
	custody 0 "$A"
	check_chain
}

@test "restore adds its own event, where it can" {
	make_archive
	TO=$BATS_TEST_TMPDIR/to
	mkdir -p "$TO"/{active,bounce,corrupt,defer,deferred,flush,hold,incoming,maildrop,saved,trace}
	run_q -Q "$TO" restore -n "$A" --all
	expect_status 0
	[ ! -e "$A.custody.jsonl" ]
	run_q -Q "$TO" restore "$A" --all --yes --note "taken by mistake"
	expect_status 0
	[ "$(jq -c '[.seq, .event, .what, .why]' "$A.custody.jsonl")" = \
	    "[3,\"restored\",\"30 messages into hold of $TO, transaction 1\",\"taken by mistake\"]" ]
	check_chain
	"$QTOOL" -Q "$TO" undo 1 >/dev/null
	mkdir "$BATS_TEST_TMPDIR/ro"
	mount --bind "$OUT" "$BATS_TEST_TMPDIR/ro"
	mount -o remount,bind,ro "$BATS_TEST_TMPDIR/ro"
	run_q -Q "$TO" restore "$BATS_TEST_TMPDIR/ro/a.tar.zst" --all --yes
	umount "$BATS_TEST_TMPDIR/ro"
	expect_status 0
	[[ $stderr == *"not added to its chain of custody: "*"Read-only file system"* ]]
	[ "$(wc -l <"$A.custody.jsonl")" = 1 ]
}

@test "a time stamp is kept when it is one of this archive" {
	make_archive --timestamp-request
	authority anna
	authority eve
	custody 0 --attach "$OUT/anna.tsr" --tsa "$OUT/anna.pem" "$A"
	[[ $output == *"timestamped"*"O=Stamps"* ]]
	cmp "$OUT/anna.tsr" "$A.tsr"
	[ "$(jq -r .sha256 "$A.custody.jsonl")" = "$(sha256sum <"$A.tsr" | cut -c-64)" ]
	tar --zstd -xOf "$A" --wildcards '*/tagmanifest-sha256.txt' >"$OUT/tags"
	openssl ts -verify -data "$OUT/tags" -in "$A.tsr" -CAfile "$OUT/anna.pem"
	# neither it nor its event where the event cannot be written
	rm -f "$A.tsr"
	cp "$A.custody.jsonl" "$OUT/events"
	mount --bind "$A.custody.jsonl" "$A.custody.jsonl"
	mount -o remount,bind,ro "$A.custody.jsonl"
	run_q custody --attach "$OUT/anna.tsr" "$A"
	umount "$A.custody.jsonl"
	expect_status 5
	[ ! -e "$A.tsr" ]
	cmp "$OUT/events" "$A.custody.jsonl"
	custody 0 --attach "$OUT/anna.tsr" --tsa "$OUT/anna.pem" "$A"
	cp "$A.custody.jsonl" "$OUT/events"
	# once
	custody 4 --attach "$OUT/anna.tsr" "$A"
	[[ $stderr == *"it exists already and is not overwritten"* ]]
	run_q verify "$A"
	expect_status 0
	[[ $stderr == *"stamped at "*"whose stamp it is was not checked"* ]]
	run_q verify --json --tsa "$OUT/anna.pem" "$A"
	expect_status 0
	[ "$(jq -c '[.timestamp.believed, .timestamp.time[0:2]]' <<<"$output")" = '[true,"20"]' ]
	# of an authority that is not believed
	run_q verify --tsa "$OUT/eve.pem" "$A"
	expect_status 1
	[[ $output == *"timestamp: FILE.tsr is no stamp of this archive: its signature is not of one of these authorities"* ]]
	run_q verify --tsa "$A.sha256" "$A"
	expect_status 2
	# altered, and of other bytes
	cp "$A.tsr" "$OUT/tsr"
	chmod u+w "$A.tsr"
	head -c 200 "$OUT/tsr" >"$A.tsr"
	run_q verify "$A"
	expect_status 1
	[[ $output == *"timestamp: FILE.tsr is no stamp"* ]]
	: >"$A.tsr"
	run_q verify "$A"
	expect_status 1
	[[ $output == *"timestamp: FILE.tsr is no stamp"* ]]
	# what asks for a stamp gets none from an archive without one
	A=$OUT/b.tar.zst
	make_archive --timestamp-request --case other
	run_q verify --tsa "$OUT/anna.pem" "$A"
	expect_status 1
	[[ $output == *"timestamp: it has no time stamp"* ]]
	custody 4 --attach "$OUT/tsr" "$A"
	[[ $stderr == *"it is about other bytes than tagmanifest-sha256.txt"* ]]
	[[ $stderr == *"is not kept: it is no time stamp of this archive"* ]]
	[ ! -e "$A.tsr" ]
	[ ! -e "$A.custody.jsonl" ]
	# the answer to another request of the same archive
	cp "$A.tsq" "$OUT/tsq"
	openssl ts -query -data <(tar --zstd -xOf "$A" --wildcards '*/tagmanifest-sha256.txt') \
	    -sha256 -cert -out "$OUT/again.tsq" 2>/dev/null
	mv "$A.tsq" "$OUT/first.tsq"
	cp "$OUT/again.tsq" "$A.tsq"
	authority anna
	cp -f "$OUT/tsq" "$A.tsq"
	custody 4 --attach "$OUT/anna.tsr" "$A"
	[[ $stderr == *"it answers another request than FILE.tsq"* ]]
}

@test "a program of the user's signs" {
	cat >"$OUT/seal-it" <<-'END'
		#!/bin/sh
		openssl dgst -sha256 -hmac key
	END
	chmod +x "$OUT/seal-it"
	ssh-keygen -q -t ed25519 -N '' -f "$OUT/key"
	make_archive --sign-with "$OUT/seal-it" --sign "$OUT/key"
	mkdir "$OUT/v"
	tar --zstd -xf "$A" -C "$OUT/v"
	sig=$(echo "$OUT"/v/*/signatures/tagmanifest-sha256.txt.seal-it.sig)
	cmp "$sig" <(openssl dgst -sha256 -hmac key <"${sig%/signatures/*}/tagmanifest-sha256.txt")
	cmp "$A.seal-it.sig" <(openssl dgst -sha256 -hmac key <"$A.sha256")
	grep -q 'seal-it.sig' "${sig%/signatures/*}/README.txt"
	run_q verify --json "$A"
	expect_status 0
	[ "$(jq -c '[.signatures[] | [.name, .good]]' <<<"$output")" = \
	    '[["FILE.sig",true],["signatures/tagmanifest-sha256.txt.sig",true],["signatures/tagmanifest-sha256.txt.seal-it.sig",null]]' ]
	custody 0 "$A"
	[[ $output == *"signed"*"by the program seal-it"* ]]
	# it is no SSH signature: who asks for one gets none of it
	A=$OUT/b.tar
	make_archive --sign-with "$OUT/seal-it"
	echo "anna $(cat "$OUT/key.pub")" >"$OUT/allowed"
	run_q verify --allowed-signers "$OUT/allowed" "$A"
	expect_status 1
	[[ $output == *"it is not signed"* ]]
	# one that fails, is not there, writes nothing, or has no name for it
	mkdir "$OUT/bad"
	printf '#!/bin/sh\nexit 3\n' >"$OUT/fails"
	printf '#!/bin/sh\ncat >/dev/null\n' >"$OUT/mute"
	printf '#!/bin/sh\nyes\n' >"$OUT/floods"
	chmod +x "$OUT/fails" "$OUT/mute" "$OUT/floods"
	for p in fails mute floods none; do
		run_q -Q "$Q" archive -o "$OUT/bad/c.tar" --all --sign-with "$OUT/$p"
		expect_status 5
		[ -z "$(ls -A "$OUT/bad")" ]
	done
	run_q -Q "$Q" archive -o "$OUT/bad/c.tar" --all --sign-with "gpg -s"
	expect_status 2
}
