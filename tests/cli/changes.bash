# changes.bash - what the tests of the commands that change a queue share.
#
# Each test has its queue in $Q.

# shellcheck disable=SC2034 # used by those who load this
JOE=anna.keller@victim.example

# Names, inodes, modes, owners, sizes and times of all files in the queues.
queue_files() {
	find "$Q" -path "$Q/qtool" -prune -o -type f \
	    -printf '%P %i %m %U %G %s %T@\n' | LC_ALL=C sort
}

sums() {
	find "$Q" -path "$Q/qtool" -prune -o -type f -exec sha256sum {} + | LC_ALL=C sort
}

# IDs in hold and deferred, of a selection.
ids() {
	"$QTOOL" -Q "$Q" list --queue hold,deferred --format ids "$@" | LC_ALL=C sort
}

# typist EARLY ANSWER COMMAND...: COMMAND at a terminal of 80 columns, EARLY
# typed before it starts and ANSWER at its question; what the terminal shows is
# printed, COMMAND's status returned.  $OUT: its standard output goes there.
typist() {
	/usr/bin/python3 - "$@" <<'END'
import fcntl, os, pty, struct, subprocess, sys, termios

early, answer, *command = sys.argv[1:]
ours, theirs = pty.openpty()
fcntl.ioctl(ours, termios.TIOCSWINSZ, struct.pack("4H", 24, 80, 0, 0))
os.write(ours, early.encode())
out = open(os.environ["OUT"], "wb") if "OUT" in os.environ else theirs
child = subprocess.Popen(command, stdin=theirs, stdout=out, stderr=theirs)
os.close(theirs)
shown, asked = b"", False
while True:
    try:
        part = os.read(ours, 4096)
    except OSError:  # EIO: the last one has closed it
        break
    shown += part
    if not asked and b"\nType " in shown and shown.endswith(b": "):
        asked = True
        os.write(ours, answer.encode() + b"\n")
sys.stdout.write(shown.decode().replace("\r\n", "\n"))
sys.exit(child.wait())
END
}

# at_terminal ANSWER ARGS...: qtool with a terminal, an answer typed.
at_terminal() {
	local answer=$1
	shift
	TERM=dumb run typist '' "$answer" "$QTOOL" "$@"
}

# answer STATUS ARGS...: exit status STATUS, one JSON object with every member
# and nothing else on standard output.
answer() {
	local want=$1
	shift
	run_q -Q "$Q" "$@" --json
	expect_status "$want"
	[ "$(jq -s length <<<"$output")" = 1 ]
	[ "$(jq -c keys_unsorted <<<"$output")" = '["command","queue_dir","transaction","state","dry_run","matched","planned","done","gone","changed","in_delivery","unfinished","foreign","already_sent","from_active","bytes","recipients","old","null_sender","deleted_before","skipped","plan","messages","transactions","undo","error","exit_status"]' ]
	[ "$(jq .exit_status <<<"$output")" = "$want" ]
	is_harmless <<<"$output"
}

# member EXPRESSION: of the last answer.
member() {
	jq -c "$1" <<<"$output"
}

# where ID: the queue that a message is in.
where() {
	"$QTOOL" -Q "$Q" list --format ids --columns queue_name "$1"
}

# in_queues SELECTION...: "queue ID" of what matches, sorted.
in_queues() {
	"$QTOOL" -Q "$Q" list --format tsv --columns queue_name,queue_id "$@" |
	    tail -n +2 | LC_ALL=C sort
}

# to_queue QUEUE ID...: moved there, as Postfix might.
to_queue() {
	local queue=$1 id
	shift
	mkdir -p "$Q/$queue"
	for id in "$@"; do
		mv "$Q/$("$QTOOL" -Q "$Q" list --format ids --columns path "$id")" "$Q/$queue/$id"
	done
}

# in_delivery FILE: a lock on it, as a delivery agent has; $! ends it.
in_delivery() {
	(exec 8<"$1" && flock -s 8 && exec sleep 60) 3>&- &
	for _ in $(seq 100); do
		flock -xn "$1" true || return 0
		sleep 0.02
	done
}

# state_of N: that of a transaction.
state_of() {
	"$QTOOL" -Q "$Q" history --json | jq -r ".[] | select(.transaction == $1) | .state"
}
