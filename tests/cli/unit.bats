#!/usr/bin/env bats
# shellcheck disable=SC2030,SC2031
# qtool-recover.service as it is installed: systemd has nothing to say about it,
# it runs before Postfix, and what it takes away leaves enough to recover with.

load common

setup() {
	PREFIX=$BATS_TEST_TMPDIR/usr
	UNIT=$PREFIX/lib/systemd/system/qtool-recover.service
}

# install_as ARGS...: what is built already, nothing is made anew.
install_as() {
	make -s -C "$ROOT" -o all B="$(dirname "$QTOOL")" install "$@"
}

# A key's values in the unit, one a line.
value() {
	sed -n "s/^$1=//p" "$UNIT"
}

@test "DESTDIR and PREFIX are honoured: the unit runs what was installed" {
	install_as DESTDIR="$BATS_TEST_TMPDIR/root" PREFIX=/opt/q
	UNIT=$BATS_TEST_TMPDIR/root/opt/q/lib/systemd/system/qtool-recover.service
	[ "$(stat -c %a "$UNIT")" = 644 ]
	[ "$(value ExecStart)" = "/opt/q/sbin/qtool --all-instances recover --no-wait" ]
	[ -x "$BATS_TEST_TMPDIR/root/opt/q/sbin/qtool" ]
	run ! grep -q "@\|$BATS_TEST_TMPDIR" <(grep -v 'SystemCallFilter\|postfix@' "$UNIT")
}

@test "systemd-analyze verify has no warning, and would have one" {
	install_as PREFIX="$PREFIX"
	run systemd-analyze verify --man=no "$UNIT"
	[ "$status" -eq 0 ]
	[ -z "$output" ] || { echo "$output"; false; }
	sed -i 's/^NoNewPrivileges=.*/&\nNoSuchKey=yes/' "$UNIT"
	run systemd-analyze verify --man=no "$UNIT"
	[[ $output == *NoSuchKey* ]]
}

@test "it is before the units of the Postfix that is installed" {
	install_as PREFIX="$PREFIX"
	[ "$(value Type)" = oneshot ]
	for unit in $(value Before); do
		# postfix@-.service is made of postfix@.service
		dpkg -L postfix | grep -q "/systemd/system/${unit/@-/@}\$"
	done
	[ "$(value Before)" = "postfix.service postfix@-.service" ]
	[ "$(value WantedBy)" = postfix.service ]
}

@test "its rights are enough to recover an interrupted delete" {
	install_as PREFIX="$PREFIX"
	Q=$BATS_TEST_TMPDIR/q
	practice_queue "$Q" 40
	chown -R postfix "$Q"/*
	before=$(find "$Q" -path "$Q/qtool" -prune -o -type f -printf '%P %i %m %U %T@\n' | sort)
	# killed at the fifth rename, in the middle of staging
	run strace -f -o /dev/null -e inject=renameat2:signal=KILL:when=5 \
	    env ASAN_OPTIONS=detect_leaks=0 "$QTOOL" -Q "$Q" delete --all --yes
	[ "$status" -ne 0 ]
	[ "$(find "$Q/qtool/tx/000001/m" -type f | wc -l)" -gt 0 ]
	caps=$(value CapabilityBoundingSet | sed 's/CAP_/+/g; s/ /,/g' | tr '[:upper:]' '[:lower:]' |
	    paste -sd,)
	run --separate-stderr unshare --net setpriv --no-new-privs --inh-caps=-all \
	    --bounding-set="-all,$caps" "$PREFIX/sbin/qtool" -Q "$Q" recover --no-wait
	expect_status 0
	[[ $output == "transaction 1: aborted, "*" put back where they were" ]]
	diff <(echo "$before") <(find "$Q" -path "$Q/qtool" -prune -o -type f \
	    -printf '%P %i %m %U %T@\n' | sort)
}

@test "its rights are enough to end an undo of requeue, which asks pickup's files" {
	install_as PREFIX="$PREFIX"
	Q=$BATS_TEST_TMPDIR/q
	practice_queue "$Q" 40
	chown -R postfix "$Q"/*
	before=$(find "$Q" -path "$Q/qtool" -prune -o -type f -printf '%i\n' | sort)
	run_q -Q "$Q" requeue --all --yes
	[ "$(find "$Q/maildrop" -type f | wc -l)" -gt 10 ]
	run strace -f -o /dev/null -e inject=renameat2:signal=KILL:when=5 \
	    env ASAN_OPTIONS=detect_leaks=0 "$QTOOL" -Q "$Q" undo
	[ "$status" -ne 0 ]
	[ "$(find "$Q/maildrop" -type f | wc -l)" -gt 2 ]
	caps=$(value CapabilityBoundingSet | sed 's/CAP_/+/g; s/ /,/g' | tr '[:upper:]' '[:lower:]' |
	    paste -sd,)
	run --separate-stderr unshare --net setpriv --no-new-privs --inh-caps=-all \
	    --bounding-set="-all,$caps" "$PREFIX/sbin/qtool" -Q "$Q" recover --no-wait
	expect_status 0
	[[ $output == "transaction 1: undone"* ]]
	[ "$(find "$Q/maildrop" -type f | wc -l)" -eq 0 ]
	diff <(echo "$before") <(find "$Q" -path "$Q/qtool" -prune -o -type f -printf '%i\n' | sort)
}
