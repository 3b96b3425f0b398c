#!/usr/bin/env bats
# Several queues in one call: every instance that Postfix knows, and recovery of
# one after the other.

load common

setup() {
	D=$BATS_TEST_TMPDIR
	chmod 755 "$D" # the queue's owner has to come through
	practice_queue "$D/a" 40
	practice_queue "$D/b" 40
	chown -R postfix "$D"/[ab]/*
}

# instance NAME [LINE...]: a configuration whose queue is $D/NAME.
instance() {
	mkdir -p "$D/etc-$1"
	printf '%s\n' 'compatibility_level = 3.6' "queue_directory = $D/$1" \
	    "data_directory = $D/data" "myhostname = $1.example" "${@:2}" \
	    >"$D/etc-$1/main.cf"
	touch "$D/etc-$1/master.cf"
}

# as_postfix ARGS...: qtool where $D/etc-a is the default instance's.
as_postfix() {
	# shellcheck disable=SC2016 # for the inner shell
	run --separate-stderr unshare --mount sh -c \
	    'mount --bind "$1" /etc/postfix && shift && exec "$@"' \
	    sh "$D/etc-a" "$QTOOL" "$@"
}

# half_deleted DIR: a delete that was killed while it staged.
half_deleted() {
	run strace -f -o /dev/null -e inject=renameat2:signal=KILL:when=5 \
	    env ASAN_OPTIONS=detect_leaks=0 "$QTOOL" -Q "$1" delete --all --yes
	[ "$status" -ne 0 ]
	[ "$(find "$1/qtool/tx/000001/m" -type f | wc -l)" -gt 0 ]
}

@test "every instance is shown, rows with their host" {
	instance a "multi_instance_directories = $D/etc-b"
	instance b
	as_postfix --all-instances query --format tsv \
	    "SELECT host, count(*) FROM messages GROUP BY 1 ORDER BY 1"
	expect_status 0
	[ "${lines[1]}" = $'a.example\t40' ]
	[ "${lines[2]}" = $'b.example\t40' ]
}

@test "an instance whose queue is not there is named, and the others are shown" {
	instance a "multi_instance_directories = $D/etc-c $D/etc-b"
	instance b
	instance c
	as_postfix --all-instances query --format tsv \
	    "SELECT host, count(*) FROM messages GROUP BY 1 ORDER BY 1"
	expect_status 3
	[ "${lines[1]}" = $'a.example\t40' ]
	[ "${lines[2]}" = $'b.example\t40' ]
	[[ $stderr == *"$D/c: open: No such file or directory"* ]]
	[[ $stderr == *"1 of 3 instances left out"* ]]
}

@test "when no instance has a queue that is an error" {
	instance a
	rm -r "$D/a"
	as_postfix --all-instances list
	expect_status 5
	[ -z "$output" ]
	[[ $stderr == *"$D/a: open: No such file or directory"* ]]
}

@test "recover takes every queue in turn" {
	half_deleted "$D/b"
	run_q -Q "$D/a" -Q "$D/b" recover
	expect_status 0
	[ "${lines[0]}" = "$D/a:" ]
	[ "${lines[1]}" = "nothing to recover" ]
	[ "${lines[2]}" = "$D/b:" ]
	[[ ${lines[3]} == "transaction 1: aborted, "*" put back where they were" ||
	    ${lines[3]} == "transaction 1: aborted, 1 message put back where they were" ]]
	[ "$(find "$D/b/qtool/tx/000001/m" -type f | wc -l)" -eq 0 ]
}

@test "what fails in one queue keeps none of the others from its turn" {
	half_deleted "$D/b"
	mkdir -p "$D/a/qtool"
	chown nobody "$D/a/qtool"
	run_q -Q "$D/a" -Q "$D/b" recover --json
	expect_status 3
	[ "$(jq -s length <<<"$output")" -eq 2 ]
	[ "$(jq -s -r '.[0].queue_dir' <<<"$output")" = "$D/a" ]
	[ "$(jq -s '.[0].exit_status' <<<"$output")" -ne 0 ]
	[ "$(jq -s '.[1].exit_status' <<<"$output")" -eq 0 ]
	[ "$(jq -s -r '.[1].transactions[0].state' <<<"$output")" = aborted ]
	[ "$(find "$D/b/qtool/tx/000001/m" -type f | wc -l)" -eq 0 ]
}

@test "other changes are for one queue" {
	run_q -Q "$D/a" -Q "$D/b" delete --all --yes
	expect_status 2
	[[ $stderr == *"one queue at a time, not 2"* ]]
	[ ! -e "$D/a/qtool" ]
}
