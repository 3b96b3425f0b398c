# qtool restore FILE: messages of an archive into another queue.

load common
load changes

setup() {
	FROM=$BATS_TEST_TMPDIR/from
	Q=$BATS_TEST_TMPDIR/q
	A=$BATS_TEST_TMPDIR/a.tar.zst
	practice_queue "$FROM" 60
	empty_queue "$Q"
	"$QTOOL" -Q "$FROM" archive -o "$A" --all >/dev/null
}

# A queue without mail, of the same owner.
empty_queue() {
	practice_queue "$1" 1
	find "$1" -type f -delete
}

restore() {
	"$QTOOL" -Q "$Q" restore "$A" "$@" --yes
}

@test "what is selected comes back byte for byte, under its own new ID" {
	n=$("$QTOOL" -Q "$FROM" list --sasl "$JOE" --format ids | wc -l)
	run_q -Q "$Q" restore "$A" --sasl "$JOE" --yes
	expect_status 0
	[[ $output == *"transaction 1: restored $n messages into hold; to undo: qtool -Q $Q undo 1"* ]]
	[ "$(grep -c ' is hold/' <<<"$output")" = "$n" ]
	# the map leads from each file to its copy
	"$QTOOL" -Q "$Q" history 1 --format tsv | tail -n +2 >"$BATS_TEST_TMPDIR/map"
	[ "$(wc -l <"$BATS_TEST_TMPDIR/map")" = "$n" ]
	while IFS=$'\t' read -r queue old where new; do
		was=$(find "$FROM/$queue" -name "$old")
		[ "$where" = hold ]
		cmp "$was" "$Q/hold/$new"
		[ "$(stat -c '%a %U' "$was")" = "$(stat -c '%a %U' "$Q/hold/$new")" ]
		if [[ $old =~ ^[0-9A-F]+$ ]]; then
			[ "$new" = "$(printf '%s%X' "${old:0:5}" "$(stat -c %i "$Q/hold/$new")")" ]
		else
			[ "$new" = "$old" ]
		fi
		log=$(find "$FROM/defer" -name "$old")
		[ -z "$log" ] || cmp "$log" "$(find "$Q/defer" -name "$new")"
	done <"$BATS_TEST_TMPDIR/map"
	# they are read as they were
	diff <("$QTOOL" -Q "$FROM" list --sasl "$JOE" --format tsv --columns sender,subject,rcpt_todo | sort) \
	    <("$QTOOL" -Q "$Q" list --format tsv --columns sender,subject,rcpt_todo | sort)
}

@test "by ID, by file of IDs, with guards, and shown first" {
	id=$("$QTOOL" -Q "$FROM" list --queue deferred --format ids | head -1)
	run_q -Q "$Q" restore "$A" -n "$id"
	expect_status 0
	[[ $output == "would restore 1 message"* ]]
	[ -z "$(find "$Q/hold" "$Q/qtool" -type f 2>/dev/null)" ]
	run_q -Q "$Q" restore "$A" --all --yes --max 5
	expect_status 4
	run_q -Q "$Q" restore "$A" --sender nobody@nowhere.example --yes
	expect_status 1
	run_q -Q "$Q" restore "$A" --yes
	expect_status 2
	run_q -Q "$Q" restore "$A" --all --yes --queue maildrop
	expect_status 2
	[[ $stderr == *"restore takes mail from incoming"* ]] || [[ $stderr == *"takes mail from"* ]]
	restore "$id" --expect 1
	[ "$(find "$Q/hold" -type f | wc -l)" = 1 ]
	run_q -Q "$Q" restore "$A" --plan "$BATS_TEST_TMPDIR/p" --all
	expect_status 2
}

@test "twice is refused, by name, until it is wanted" {
	restore --sasl "$JOE"
	n=$(find "$Q/hold" -type f | wc -l)
	for how in -n --yes; do
		run_q -Q "$Q" restore "$A" --all "$how"
		expect_status 4
		[[ $stderr == *"$n of "*" messages would be there, or be sent, twice; --again restores them all the same"* ]]
		[ "$(grep -c 'is, or was, in this queue already' <<<"$stderr")" = "$n" ]
	done
	[ "$(find "$Q/hold" -type f | wc -l)" = "$n" ]
	# gone from the queue it is known still
	find "$Q/hold" -type f -delete
	run_q -Q "$Q" restore "$A" --sasl "$JOE" --yes
	expect_status 4
	[[ $stderr == *"which has left the queue since"* ]]
	answer_restore 0 --sasl "$JOE" --again
	[ "$(member '[.state, .done, (.imported | length)]')" = "[\"placed\",$n,$n]" ]
	[ "$(member '.imported[0] | keys')" = '["archive","queue_id","queue_name"]' ]
}

# answer_restore STATUS ARGS...
answer_restore() {
	local want=$1
	shift
	run_q -Q "$Q" restore "$A" "$@" --yes --json
	expect_status "$want"
	[ "$(jq -s length <<<"$output")" = 1 ]
}

@test "not into the queue that still has it, or has a transaction that has" {
	Q=$FROM
	run_q -Q "$Q" restore "$A" --sasl "$JOE" --yes
	expect_status 4
	[[ $stderr == *"is in the queue now"* ]]
	"$QTOOL" -Q "$Q" delete --queue hold,deferred --all --yes
	run_q -Q "$Q" restore "$A" --queue deferred --all --yes
	expect_status 4
	[[ $stderr == *'transaction 1 holds '*'brings it back'* ]]
	"$QTOOL" -Q "$Q" purge 1 --yes
	restore --queue deferred --all
	[ "$(find "$Q/hold" -type f | wc -l)" -gt 10 ]
}

@test "undo, redo and purge" {
	restore --sasl "$JOE" --note 'wrong account'
	n=$(find "$Q/hold" -type f | wc -l)
	before=$(queue_files)
	run_q -Q "$Q" undo
	expect_status 0
	[[ $output == "transaction 1 undone: $n messages taken out of the queue again" ]]
	[ -z "$(queue_files)" ]
	run_q -Q "$Q" purge --all-committed -n
	"$QTOOL" -Q "$Q" undo --redo
	[ "$(queue_files)" = "$before" ]
	run_q -Q "$Q" purge 1 --yes
	expect_status 4
	[[ $stderr == *"the transaction is an import: it holds no messages, they are in the queue"* ]]
	# one is changed, as by an agent that has delivered it in part
	f=$(find "$Q/hold" -type f | head -1)
	printf 'D' | dd of="$f" bs=1 seek=120 conv=notrunc status=none
	run_q -Q "$Q" undo
	expect_status 3
	[[ $stderr == *"${f##*/}: changed"* ]]
	[ "$(find "$Q/hold" -type f)" = "$f" ]
	"$QTOOL" -Q "$Q" purge 1 --yes
	[ "$("$QTOOL" -Q "$Q" history --json | jq -c '.[] | [.operation, .state, .staged]')" = '["import","purged",0]' ]
	[ -z "$(find "$Q/qtool/tx/000001" -path '*/r/*')" ]
	[[ $("$QTOOL" -Q "$Q" history 1 | wc -l) = $((n + 1)) ]]
	run_q -Q "$Q" history 9
	expect_status 2
}

@test "--requeue: into maildrop, new from now on, without logs" {
	restore --requeue --sasl "$JOE"
	n=$("$QTOOL" -Q "$FROM" list --sasl "$JOE" --format ids | wc -l)
	[ "$(find "$Q/maildrop" -type f -newermt '-5 minutes' -perm 0700 | wc -l)" = "$n" ]
	[ -z "$(find "$Q/defer" "$Q/hold" -type f)" ]
	run_q -Q "$Q" restore 1 --requeue --all --yes
	expect_status 2
}

@test "nothing is restored out of what is not as it was made" {
	cp "$A" "$BATS_TEST_TMPDIR/b.tar.zst"
	A=$BATS_TEST_TMPDIR/b.tar.zst
	# another byte than the one that is there
	dd if="$A" bs=1 skip=5000 count=1 status=none | tr '\000-\377' '\001-\377\000' |
	    dd of="$A" bs=1 seek=5000 conv=notrunc status=none
	run ! cmp -s "$A" "$BATS_TEST_TMPDIR/a.tar.zst"
	run_q -Q "$Q" restore "$A" --all --yes
	expect_status 4
	[[ $stderr == *"nothing is restored out of it"* ]]
	A=$BATS_TEST_TMPDIR/r.tar.zst
	"$QTOOL" -Q "$FROM" archive -o "$A" --all --redact recipients >/dev/null
	run_q -Q "$Q" restore "$A" --all --yes
	expect_status 4
	[[ $stderr == *"was redacted (recipients)"* ]]
	A=$BATS_TEST_TMPDIR/plain.tar
	tar -C "$FROM" -cf "$A" .
	run_q -Q "$Q" restore "$A" --all --yes
	expect_status 4
	run_q -Q "$Q" restore "$BATS_TEST_TMPDIR/none" --all --yes
	expect_status 2
	[ -z "$(find "$Q/hold" "$Q/qtool" -type f 2>/dev/null)" ]
}

@test "only mail, and what is no mail is left out by name" {
	hostile_queue "$BATS_TEST_TMPDIR/hostile"
	A=$BATS_TEST_TMPDIR/h.tar.gz
	"$QTOOL" -Q "$BATS_TEST_TMPDIR/hostile" archive -o "$A" --all >/dev/null || [ $? = 3 ]
	run_q -Q "$Q" restore "$A" --all --yes --again
	expect_status 3
	is_harmless <<<"$output$stderr"
	[[ $stderr == *"is no message that Postfix would accept: left out"* ]]
	[[ $stderr == *"no message: left alone"* ]]
	# everything in hold is a whole message under a name of Postfix's
	[ "$("$QTOOL" -Q "$Q" list --format tsv --columns state | sort -u | tail -n +2)" = ok ] ||
	    [ "$("$QTOOL" -Q "$Q" list --format tsv --columns state | sort -u | grep -vxc -e ok -e state)" = 0 ]
	[ -z "$(find "$Q" -path "$Q/qtool" -prune -o -type f ! -name '[0-9A-Za-z_]*' -print)" ]
	[ -z "$(find "$Q/qtool" -path '*/r/*' -type f)" ]
}

@test "without room for it nothing is left" {
	mkdir "$BATS_TEST_TMPDIR/small"
	mount -t tmpfs -o size=300k none "$BATS_TEST_TMPDIR/small"
	Q=$BATS_TEST_TMPDIR/small/q
	empty_queue "$Q"
	run_q -Q "$Q" restore "$A" --all --yes
	out=$status,$stderr
	left=$(find "$Q" -path '*/r/*' -type f -o -path '*/hold/*' -type f)
	umount "$BATS_TEST_TMPDIR/small"
	[[ $out == 5,*"No space left on device: "*" bytes are needed, "*" are free"* ]] || { echo "$out"; false; }
	[ -z "$left" ]
}

@test "who signed is told, and can be asked for" {
	for who in anna eve; do
		ssh-keygen -q -t ed25519 -N "" -C "$who" -f "$BATS_TEST_TMPDIR/$who"
	done
	allowed=$BATS_TEST_TMPDIR/allowed
	echo "anna@mx.example namespaces=\"qtool-evidence\" $(cat "$BATS_TEST_TMPDIR/anna.pub")" >"$allowed"
	# not signed
	run_q -Q "$Q" restore -n "$A" --all
	expect_status 0
	[[ $stderr == *"$A: it is not signed: who made it nobody can tell"* ]]
	run_q -Q "$Q" restore "$A" --all --yes --allowed-signers "$allowed"
	expect_status 4
	[[ $stderr == *"it is not signed: nothing is restored out of it"* ]]
	# by somebody else
	A=$BATS_TEST_TMPDIR/eve.tar
	"$QTOOL" -Q "$FROM" archive -o "$A" --all --sign "$BATS_TEST_TMPDIR/eve" >/dev/null
	run_q -Q "$Q" restore -n "$A" --all
	expect_status 0
	[[ $stderr == *"whose keys these are is not known"* ]]
	for more in "" --salvage; do
		run_q -Q "$Q" restore "$A" --all --yes --allowed-signers "$allowed" $more
		expect_status 4
		[[ $stderr == *"nothing is restored out of it"* ]]
	done
	# a signature of something else
	A=$BATS_TEST_TMPDIR/anna.tar
	"$QTOOL" -Q "$FROM" archive -o "$A" --all --sign "$BATS_TEST_TMPDIR/anna" >/dev/null
	mv "$A.sig" "$BATS_TEST_TMPDIR/sig"
	cp "$BATS_TEST_TMPDIR/eve.tar.sig" "$A.sig"
	run_q -Q "$Q" restore "$A" --all --yes
	expect_status 4
	[[ $stderr == *"signature: FILE.sig is not good"* ]]
	[ -z "$(find "$Q/hold" "$Q/qtool" -type f 2>/dev/null)" ]
	# nor is that left out among much that is wrong
	cp "$A" "$BATS_TEST_TMPDIR/bad.tar"
	cp "$A.sig" "$BATS_TEST_TMPDIR/bad.tar.sig"
	cp "$A.sha256" "$BATS_TEST_TMPDIR/bad.tar.sha256"
	for at in $(seq 20000 9000 200000); do
		printf '\001\002\003' | dd of="$BATS_TEST_TMPDIR/bad.tar" bs=1 seek="$at" conv=notrunc status=none
	done
	run_q -Q "$Q" restore -n --salvage "$BATS_TEST_TMPDIR/bad.tar" --all
	[[ $stderr == *" more problems are not listed"* ]]
	[[ $stderr == *"signature: FILE.sig is not good"* ]]
	# by her
	mv "$BATS_TEST_TMPDIR/sig" "$A.sig"
	run_q -Q "$Q" restore "$A" --all --yes --allowed-signers "$allowed" --identity eve@mx.example
	expect_status 4
	run_q -Q "$Q" restore "$A" --sasl "$JOE" --yes --allowed-signers "$allowed" --identity anna@mx.example
	expect_status 0
	[[ $stderr == *'signature for anna@mx.example with ED25519'* ]]
	[ -n "$(find "$Q/hold" -type f)" ]
	run_q -Q "$Q" restore 1 --all --yes --allowed-signers "$allowed"
	expect_status 2
	run_q -Q "$Q" restore "$A" --all --yes --identity anna@mx.example
	expect_status 2
}

# not_begun STATUS ERROR ARGUMENT...: the answer to a script is an object with
# that error, and nothing is restored.
not_begun() {
	local status=$1 error=$2
	shift 2
	run_q "$@"
	expect_status "$status"
	[ "$(jq -r '[.command, .done, .exit_status] | @tsv' <<<"$output")" = \
	    $'restore\t0\t'"$status" ]
	[[ $(jq -r .error <<<"$output") == *"$error"* ]] || { echo "$output"; false; }
	[ -z "$(find "$Q/hold" -type f)" ]
}

@test "what keeps it from beginning is in its answer to a script" {
	not_begun 5 "$BATS_TEST_TMPDIR/none: " -Q "$Q" restore --json --yes --all \
	    --allowed-signers "$BATS_TEST_TMPDIR/none" "$A"
	not_begun 2 "--identity: " -Q "$Q" restore --json --yes --all \
	    --identity anna@mx.example "$A"
	not_begun 5 "$BATS_TEST_TMPDIR/no-queue: " -Q "$BATS_TEST_TMPDIR/no-queue" \
	    restore --json --yes --all "$A"
}
