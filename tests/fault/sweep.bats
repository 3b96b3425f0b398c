#!/usr/bin/env bats
# Kill and error sweeps (sweep) and power cuts on real file systems (powercut) of
# every operation, with the change layer's driver.  Fast: every call of delete and
# hold, every second of the others, and samples of the errors; QTOOL_FULL: all,
# and qtool itself.

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
	    "$ROOT/tests/fault/driver.c" "$(dirname "$QTOOL")/libqtool.a" -pthread \
	    -Wl,--as-needed $(pkg-config --libs libcrypto libbsd-overlay sqlite3 \
	    libarchive libpcre2-8 libzstd libidn2 libpsl gmime-3.0 libseccomp)
}

# counts SCRIPT ARGUMENT...: what it counted as a TAP remark.
counts() {
	run "$ROOT/tests/fault/$1" ${QTOOL_FULL:+--full} "${@:2}"
	echo "# ${lines[0]}" >&3
	printf '%s\n' "$output"
	[ "$status" -eq 0 ]
}

# sweep PROGRAM KIND OPERATION...
sweep() {
	local operation
	for operation in "${@:3}"; do
		counts sweep "$1" "$INJECT" "$operation" "$2"
	done
}

# cut FILESYSTEM OPERATION...
cut() {
	local operation
	for operation in "${@:2}"; do
		counts powercut "$DRIVER" "$INJECT" "$1" "$operation"
	done
}

@test "delete: killed at every call" {
	sweep "$DRIVER" kill delete state-dir delete-purge
}
@test "undo, and its undo: killed" {
	sweep "$DRIVER" kill undo undo-in-place redo-delete
}
@test "purge: killed" { sweep "$DRIVER" kill purge; }
@test "archive --move: killed" { sweep "$DRIVER" kill archive archive-bad; }
@test "hold, its undo and the undo of that: killed" {
	sweep "$DRIVER" kill hold hold-state-dir undo-hold redo-hold
}
@test "release and its undo: killed" { sweep "$DRIVER" kill release undo-release; }
@test "requeue and its undo: killed" { sweep "$DRIVER" kill requeue undo-requeue; }
@test "import, its undo, the undo of that, and purge: killed" {
	sweep "$DRIVER" kill import import-state-dir undo-import redo-import purge-import
}
@test "restore and its undo: killed" { sweep "$DRIVER" kill restore undo-restore; }
@test "recover after a killed delete: killed again" { sweep "$DRIVER" kill recover; }
@test "recovery killed again and again" {
	sweep "$DRIVER" nest delete undo purge hold requeue restore redo-delete import
}
@test "every call fails" { sweep "$DRIVER" error delete undo purge hold requeue restore import; }
@test "every read fails" { sweep "$DRIVER" read delete undo hold undo-restore undo-import recover; }

@test "power cuts on ext4" { cut ext4 delete undo purge hold requeue import; }
@test "power cuts on xfs" { cut xfs delete-purge undo-in-place undo-requeue restore; }

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
	local fs kind
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
	local rest=(state-dir delete-purge undo-in-place redo-delete archive archive-bad
	    hold-state-dir undo-hold redo-hold release undo-release undo-requeue
	    undo-import redo-import purge-import import-state-dir)
	sweep "$DRIVER" error "${rest[@]}" undo-restore recover
	sweep "$DRIVER" read "${rest[@]}" purge requeue restore import
	sweep "$DRIVER" nest "${rest[@]}" undo-restore
	for fs in ext4 xfs; do
		cut "$fs" "${rest[@]}" undo-restore
	done
	cut xfs delete undo purge hold requeue
	cut ext4 undo-requeue restore
	for kind in kill error; do
		sweep "$QTOOL" "$kind" delete undo undo-in-place purge hold undo-hold
	done
}

@test "mutants: each barrier, record and comparison left out is seen (full)" {
	# fast: one of them, so that the bench itself is tried
	local names=()
	[ -n "${QTOOL_FULL:-}" ] || names=("no barrier before COMMIT")
	run "$ROOT/tests/fault/mutants" -j2 "${names[@]}"
	printf '%s\n' "$output" | sed 's/^/# /' >&3
	[ "$status" -eq 0 ]
}
