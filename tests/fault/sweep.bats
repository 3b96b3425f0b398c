#!/usr/bin/env bats
# Kill and error sweeps: see sweep.  Fast: the change layer's driver, killed after
# every call and before every fifth, every call failing with EIO, every fifth
# with the other errors.  QTOOL_FULL: all of each, and qtool itself.

bats_require_minimum_version 1.5.0

setup_file() {
	ROOT=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
	export ROOT
	export QTOOL=${QTOOL:-$ROOT/build/qtool}
	export INJECT=$BATS_FILE_TMPDIR/inject DRIVER=$BATS_FILE_TMPDIR/driver
	local flags=(-std=gnu17 -D_GNU_SOURCE -O1 -Wall -Wextra)
	"${CC:-cc}" "${flags[@]}" -o "$INJECT" "$ROOT/tests/fault/inject.c"
	# shellcheck disable=SC2046 # words of flags
	"${CC:-cc}" "${flags[@]}" -I"$ROOT/include" -o "$DRIVER" \
	    "$ROOT/tests/fault/driver.c" "$(dirname "$QTOOL")/libqtool.a" \
	    -Wl,--as-needed $(pkg-config --libs libcrypto libbsd-overlay sqlite3 \
	    libarchive libpcre2-8 libzstd libidn2 libpsl gmime-3.0)
}

# sweep PROGRAM OPERATION KIND: prints the counts as a TAP remark.
sweep() {
	run "$ROOT/tests/fault/sweep" ${QTOOL_FULL:+--full} "$1" "$INJECT" "$2" "$3"
	echo "# ${lines[0]}" >&3
	printf '%s\n' "$output"
	[ "$status" -eq 0 ]
}

@test "delete: killed at every call" { sweep "$DRIVER" delete kill; }
@test "delete: every call fails" { sweep "$DRIVER" delete error; }
@test "delete: every read fails" { sweep "$DRIVER" delete read; }
@test "delete with plan and log elsewhere: killed" { sweep "$DRIVER" state-dir kill; }
@test "delete and purge at once: killed" { sweep "$DRIVER" delete-purge kill; }
@test "undo: killed at every call" { sweep "$DRIVER" undo kill; }
@test "undo: every call fails" { sweep "$DRIVER" undo error; }
@test "undo: every read fails" { sweep "$DRIVER" undo read; }
@test "undo in place: killed at every call" { sweep "$DRIVER" undo-in-place kill; }
@test "purge: killed at every call" { sweep "$DRIVER" purge kill; }
@test "purge: every call fails" { sweep "$DRIVER" purge error; }
@test "recover after a killed delete: killed again" { sweep "$DRIVER" recover kill; }

@test "the driver makes the calls that qtool makes" {
	local n=() program spool
	for program in "$DRIVER" "$QTOOL"; do
		spool=$BATS_TEST_TMPDIR/$(basename "$program")
		"$ROOT/tests/fault/sweep" --spool "$spool"
		run -0 --separate-stderr "$INJECT" -c "$program" -Q "$spool" \
		    delete --all --yes
		n+=("${lines[-1]}")
	done
	echo "calls: ${n[*]}"
	[ "${n[0]}" -gt 30 ]
	[ "${n[0]}" -eq "${n[1]}" ]
}

@test "everything else, and qtool itself (full)" {
	local operation kind
	if [ -z "${QTOOL_FULL:-}" ]; then
		# fast: one real delete, killed when it is half done
		local spool=$BATS_TEST_TMPDIR/spool
		"$ROOT/tests/fault/sweep" --spool "$spool"
		run "$INJECT" -n 30 -k after "$QTOOL" -Q "$spool" delete --all --yes
		[ "$status" -eq 137 ]
		run -0 "$QTOOL" -Q "$spool" recover
		[[ $output == *"transaction 1: aborted"*"put back where they were" ]]
		[ "$(find "$spool/hold" "$spool/deferred" -type f | wc -l)" -eq 5 ]
		return
	fi
	for operation in state-dir delete-purge undo-in-place recover; do
		sweep "$DRIVER" "$operation" error
	done
	for operation in state-dir delete-purge undo-in-place purge recover; do
		sweep "$DRIVER" "$operation" read
	done
	for operation in delete undo undo-in-place purge; do
		for kind in kill error; do
			sweep "$QTOOL" "$operation" "$kind"
		done
	done
}
