# common.bash - what the cli tests share.
#
# QTOOL and TOOLS name the binary and the test tools under test; a queue is
# made anew for each file or test below BATS_*_TMPDIR.

bats_require_minimum_version 1.5.0

ROOT=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
QTOOL=${QTOOL:-$ROOT/build/qtool}
TOOLS=${TOOLS:-$ROOT/build/tools}
FIXTURES=$ROOT/fixtures
export LC_ALL=C.UTF-8 TZ=UTC
unset NO_COLOR MAIL_CONFIG

# practice_queue DIR [N]: the practice incident; DIR.truth tells what is in it.
practice_queue() {
	"$TOOLS/mkspool" -n "${2:-300}" -t "$1.truth" "$1"
}

# fixture_queue DIR FIXTURE...: names below fixtures/ without .txt, or a folder
# of them.  DIR.made gets "fixture TAB queue TAB queue ID" lines.
fixture_queue() {
	local dir=$1 f files=()
	shift
	for f in "$@"; do
		if [ -d "$FIXTURES/$f" ]; then
			files+=("$FIXTURES/$f"/*.txt)
		else
			files+=("$FIXTURES/$f.txt")
		fi
	done
	"$TOOLS/mkqueue" "$dir" "${files[@]}" >>"$dir.made"
}

# id_of DIR FIXTURE: the queue ID that a fixture got.
id_of() {
	awk -F'\t' -v f="${2##*/}" '$1 == f || $1 == f ".txt" {print $3; exit}' "$1.made"
}

# A queue as an attacker would leave it.
hostile_queue() {
	fixture_queue "$1" malformed names places modes accepted content logs \
	    maildrop edits origins
}

# Everything about a directory that a reader could change by mistake.
tree() {
	find "$1" -printf '%P %y %i %m %U %G %s %T@ %C@ %n %l\n' | LC_ALL=C sort
}

# is_harmless [FORMAT]: no byte of standard input may drive a terminal: line
# feeds and tabs alone.  A quoted CSV field keeps its carriage returns.
is_harmless() {
	local bad='[\x00-\x08\x0b-\x1f\x7f]'
	[ "${1:-}" != csv ] || bad='[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]'
	! LC_ALL=C grep -aqP "$bad"
}

# run_q ARGS...: qtool with its stderr apart ($stderr).
run_q() {
	run --separate-stderr "$QTOOL" "$@"
}

# fail with what was seen
expect_status() {
	if [ "$status" -ne "$1" ]; then
		printf 'status %s, not %s\nstdout:\n%s\nstderr:\n%s\n' \
		    "$status" "$1" "$output" "$stderr"
		return 1
	fi
}
