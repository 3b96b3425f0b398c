#!/usr/bin/env bats
# Judge and hand: what each process may do while a command runs, what is said of
# it, and what becomes of the queue when one of them is killed.

load common

setup() {
	# a sanitizer cannot look for leaks where strace looks on; others do it
	export ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_leaks=0
	Q=$BATS_TEST_TMPDIR/q
	practice_queue "$Q" 60
	OWNER=$(stat -c %u "$Q/deferred")
	# mail of every kind: what a change takes by itself
	ALL=$("$QTOOL" -Q "$Q" list --queue hold,deferred --format ids | wc -l)
	export ALL
}

queue_files() {
	find "$Q" -path "$Q/qtool" -prune -o -type f \
	    -printf '%P %i %m %U %G %s %T@\n' | LC_ALL=C sort
}

# at_question COMMAND...: run it at a terminal; at its question print what the
# system says of it and of its child, "NAME FIELD VALUE" a line, and writable
# descriptors as "NAME writes FILE"; then answer no.
at_question() {
	/usr/bin/python3 - "$@" <<'END'
import os, pty, re, subprocess, sys

FIELDS = ("Uid", "Gid", "Groups", "CapPrm", "CapEff", "CapInh", "NoNewPrivs", "Seccomp")

def describe(name, pid):
    for line in open("/proc/%d/status" % pid):
        key, value = line.rstrip("\n").split(":", 1)
        if key in FIELDS:
            print(name, key, *value.split())
    for fd in os.listdir("/proc/%d/fd" % pid):
        flags = int(re.search(r"flags:\s*(\d+)", open("/proc/%d/fdinfo/%s" % (pid, fd)).read())[1], 8)
        target = os.readlink("/proc/%d/fd/%s" % (pid, fd))
        if int(fd) > 2 and flags & os.O_ACCMODE != os.O_RDONLY and not target.startswith("socket:"):
            print(name, "writes", target)
        if int(fd) <= 2:
            print(name, "has", fd, "terminal" if target.startswith("/dev/pts/") else target)

ours, theirs = pty.openpty()
child = subprocess.Popen(sys.argv[1:], stdin=theirs, stdout=theirs, stderr=theirs, close_fds=True)
os.close(theirs)
shown, asked = b"", False
while True:
    try:
        shown += os.read(ours, 4096)
    except OSError:
        break
    if not asked and b"\nType " in shown and shown.endswith(b": "):
        asked = True
        describe("judge", child.pid)
        for pid in open("/proc/%d/task/%d/children" % (child.pid, child.pid)).read().split():
            describe("hand", int(pid))
        os.write(ours, b"no\n")
print("status", child.wait())
END
}

# slowly KILLED COMMAND...: COMMAND at a tenth of the speed; when the first
# messages are in staging judge or hand is killed.  Prints its exit status when
# all its processes have ended.
slowly() {
	/usr/bin/python3 - "$Q" "$BATS_TEST_TMPDIR/stderr" "$@" <<'END'
import glob, os, signal, subprocess, sys, time

top, stderr, killed, *command = sys.argv[1:]
slow = ["strace", "-f", "-o", "/dev/null", "-e", "trace=renameat2",
        "-e", "inject=renameat2:delay_enter=30000"]
tracer = subprocess.Popen(slow + command, stdout=subprocess.DEVNULL, stderr=open(stderr, "wb"))

def children(pid):
    out = []
    for task in glob.glob("/proc/%d/task/*/children" % pid):
        out += [int(x) for x in open(task).read().split()]
    return out

end = time.time() + 60
while len(glob.glob(top + "/qtool/tx/*/m/*/*")) < 3 and time.time() < end:
    time.sleep(0.01)
[judge] = [p for p in children(tracer.pid) if "qtool" in open("/proc/%d/comm" % p).read()]
[hand] = children(judge)
os.kill(judge if killed == "judge" else hand, signal.SIGKILL)
print("status", tracer.wait())  # strace waits for both
END
}

@test "reading: the queue's owner, one capability, filters, nothing to write to" {
	[ "$(id -u)" -eq 0 ]
	run -0 at_question "$QTOOL" -Q "$Q" delete --all
	want="judge Uid $OWNER $OWNER $OWNER $OWNER
judge NoNewPrivs 1
judge Seccomp 2
judge CapEff 0000000000000004
judge CapPrm 0000000000000004
judge CapInh 0000000000000000
judge has 0 terminal"
	while read -r line; do
		grep -qxF "$line" <<<"$output" || { echo "$line: $output"; false; }
	done <<<"$want"
	[ "$(grep -c '^judge Gid .*\b0\b' <<<"$output")" -eq 0 ]
	[ "$(grep '^judge Groups' <<<"$output" | wc -w)" -eq 3 ]
	# what a root that read the mail could have been made to write to
	[ "$(grep -c '^judge writes' <<<"$output")" -eq 0 ]
	[ "${lines[-1]}" = "status 4" ]
}

@test "the hand: root without what it does not need, and without the terminal" {
	run -0 at_question "$QTOOL" -Q "$Q" delete --all
	for line in "hand Uid 0 0 0 0" "hand NoNewPrivs 1" "hand Seccomp 2" \
	    "hand has 0 /dev/null" "hand has 1 /dev/null" "hand has 2 /dev/null"; do
		grep -qxF "$line" <<<"$output" || { echo "$line: $output"; false; }
	done
	caps=$(sed -n 's/^hand CapEff //p' <<<"$output")
	# chown, dac_override, dac_read_search, fowner, sys_resource, lease at most
	[ $((16#$caps & ~16#1100000f)) -eq 0 ]
	[ $((16#$caps & 16#f)) -eq 15 ]
}

@test "a command that reads has no hand, nor has one that would only say" {
	run -0 at_question "$QTOOL" -Q "$Q" delete --all
	grep -q '^hand' <<<"$output"
	for c in "list" "top" "status" "delete --all -n" "history" "archive -n --all"; do
		# shellcheck disable=SC2086 # words
		run strace -f -o "$BATS_TEST_TMPDIR/trace" -e trace=clone,clone3,fork,vfork,seccomp \
		    "$QTOOL" -Q "$Q" $c
		grep -q 'SECCOMP_SET_MODE_FILTER' "$BATS_TEST_TMPDIR/trace"
		# threads alone
		[ "$(grep -cE 'v?fork\(|clone3?\([^)]*SIGCHLD' "$BATS_TEST_TMPDIR/trace")" -eq 0 ]
	done
}

@test "status says what holds" {
	run_q -Q "$Q" status
	expect_status 0
	[[ $output == *"(read as "*" with cap_dac_read_search, Landlock ABI "*", seccomp)"* ]]
	run_q -Q "$Q" status --json
	[ "$(jq -c '.[0].protections | [.uid, .capabilities, .seccomp, .no_new_privs, .landlock_abi > 0]' \
	    <<<"$output")" = "[$OWNER,[\"dac_read_search\"],true,true,true]" ]
}

@test "a kernel without Landlock: the rest holds, it works, and it is said" {
	before=$(queue_files)
	old() {
		run --separate-stderr strace -f -o /dev/null -e trace=landlock_create_ruleset \
		    -e inject=landlock_create_ruleset:error=ENOSYS "$QTOOL" -Q "$Q" "$@"
	}
	old status
	expect_status 0
	[[ $output == *", no Landlock in this kernel, seccomp)"* ]]
	old list --format ids --queue hold,deferred
	expect_status 0
	[ "${#lines[@]}" -eq "$ALL" ]
	old delete --all --yes
	expect_status 0
	old history --json
	[ "$(jq -r '.[0].state' <<<"$output")" = committed ]
	old undo --in-place
	expect_status 0
	diff - <(queue_files) <<<"$before"
}

@test "a kernel without filters: the rest holds, it works, and it is said" {
	run --separate-stderr strace -f -o /dev/null -e trace=seccomp \
	    -e inject=seccomp:error=ENOSYS "$QTOOL" -Q "$Q" status
	expect_status 0
	[[ $output == *", no seccomp filters in this kernel)"* ]]
}

@test "a layer that is there and fails is no layer to do without" {
	before=$(queue_files)
	for call in landlock_restrict_self landlock_add_rule capset setresuid; do
		run --separate-stderr strace -f -o /dev/null -e trace=$call \
		    -e inject=$call:error=EIO "$QTOOL" -Q "$Q" delete --all --yes
		expect_status 5
		[[ $stderr == *"$call"* ]]
		[ ! -e "$Q/qtool" ]
		diff - <(queue_files) <<<"$before"
	done
}

@test "the judge is killed in the middle: the hand takes back what it has taken" {
	before=$(queue_files)
	run -0 slowly judge "$QTOOL" -Q "$Q" delete --all --yes
	diff - <(queue_files) <<<"$before"
	[ "$("$QTOOL" -Q "$Q" history --json | jq -r '.[0].state')" = aborted ]
	run -0 "$QTOOL" -Q "$Q" recover
	[ "$output" = "nothing to recover" ]
}

@test "the hand is killed in the middle: it is said, and recover takes it back" {
	before=$(queue_files)
	run -0 slowly hand "$QTOOL" -Q "$Q" delete --all --yes
	[ "$output" = "status 3" ]
	grep -q 'has ended before it had said what became of it; "qtool recover" settles it' \
	    "$BATS_TEST_TMPDIR/stderr"
	run -0 "$QTOOL" -Q "$Q" recover
	[[ $output == *"aborted"* ]]
	diff - <(queue_files) <<<"$before"
}

@test "an undo whose judge is killed is gone on with" {
	before=$(queue_files)
	"$QTOOL" -Q "$Q" delete --all --yes
	/usr/bin/python3 - "$Q" "$QTOOL" <<'END'
import glob, os, signal, subprocess, sys, time
top, qtool = sys.argv[1:]
slow = ["strace", "-f", "-o", "/dev/null", "-e", "trace=renameat2",
        "-e", "inject=renameat2:delay_enter=30000"]
n = len(glob.glob(top + "/qtool/tx/*/m/*/*"))
tracer = subprocess.Popen(slow + [qtool, "-Q", top, "undo", "--in-place"])
while len(glob.glob(top + "/qtool/tx/*/m/*/*")) > n - 3:
    time.sleep(0.01)
judge = [int(p) for t in glob.glob("/proc/%d/task/*/children" % tracer.pid) for p in open(t).read().split()]
os.kill(judge[0], signal.SIGKILL)
tracer.wait()
END
	[ "$("$QTOOL" -Q "$Q" history --json | jq -r '.[0].state')" != committed ]
	run "$QTOOL" -Q "$Q" recover
	[ "$("$QTOOL" -Q "$Q" history --json | jq -r '.[0].state')" = undone ]
	[ "$("$QTOOL" -Q "$Q" list --queue hold,deferred --format ids | wc -l)" -eq "$ALL" ]
	[ "$(wc -l <<<"$before")" -eq "$(queue_files | wc -l)" ]
}

@test "SIGTERM to the judge alone stops the hand, too" {
	before=$(queue_files)
	/usr/bin/python3 - "$Q" "$QTOOL" >"$BATS_TEST_TMPDIR/status" <<'END'
import glob, os, signal, subprocess, sys, time
top, qtool = sys.argv[1:]
slow = ["strace", "-f", "-o", "/dev/null", "-e", "trace=renameat2",
        "-e", "inject=renameat2:delay_enter=30000"]
tracer = subprocess.Popen(slow + [qtool, "-Q", top, "delete", "--all", "--yes"])
while len(glob.glob(top + "/qtool/tx/*/m/*/*")) < 3:
    time.sleep(0.01)
judge = [int(p) for t in glob.glob("/proc/%d/task/*/children" % tracer.pid) for p in open(t).read().split()]
os.kill(judge[0], signal.SIGTERM)
print(tracer.wait())
END
	[ "$(cat "$BATS_TEST_TMPDIR/status")" -eq 5 ]
	diff - <(queue_files) <<<"$before"
	[ "$("$QTOOL" -Q "$Q" history --json | jq -r '.[0].state')" = aborted ]
}

@test "the owner's files and root's: what is written goes where the user says" {
	mkdir -m 700 "$BATS_TEST_TMPDIR/roots"
	run_q -Q "$Q" archive -o "$BATS_TEST_TMPDIR/roots/x.tar" --queue hold --all
	expect_status 0
	[ "$(stat -c '%u %a' "$BATS_TEST_TMPDIR/roots/x.tar")" = "0 400" ]
	install -d -m 700 -o "$OWNER" "$BATS_TEST_TMPDIR/users"
	run_q -Q "$Q" archive -o "$BATS_TEST_TMPDIR/users/x.tar" --queue hold --all
	expect_status 0
	run_q -Q "$Q" hold --all --plan "$BATS_TEST_TMPDIR/roots/plan"
	expect_status 0
	run_q -Q "$Q" apply "$BATS_TEST_TMPDIR/roots/plan" --yes
	expect_status 0
}

@test "nothing temporary is left, and a sort that needs it works" {
	mkdir -m 1777 "$BATS_TEST_TMPDIR/tmp"
	chmod a+x "$BATS_RUN_TMPDIR" # the queue's owner is to get there
	for c in list top status "archive -o - --queue hold --all"; do
		# shellcheck disable=SC2086 # words
		TMPDIR=$BATS_TEST_TMPDIR/tmp "$QTOOL" -Q "$Q" $c >/dev/null
		[ -z "$(ls -A "$BATS_TEST_TMPDIR/tmp")" ]
	done
	TMPDIR=$BATS_TEST_TMPDIR/tmp run strace -f -o "$BATS_TEST_TMPDIR/trace" -e trace=openat \
	    "$QTOOL" -Q "$Q" query --format ids \
	    'WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 400000)
	     SELECT count(*) FROM (SELECT printf("%060d", i * 7919 % 400009) AS v FROM n ORDER BY v LIMIT 300000 OFFSET 1)'
	[ "$status" -eq 0 ]
	[ "$output" = 300000 ]
	grep -q "$BATS_TEST_TMPDIR/tmp/qtool.*O_CREAT" "$BATS_TEST_TMPDIR/trace"
	[ -z "$(ls -A "$BATS_TEST_TMPDIR/tmp")" ]
}
