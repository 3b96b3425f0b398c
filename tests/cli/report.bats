# qtool report: what to tell whom.

load common

setup() {
	Q=$BATS_TEST_TMPDIR/q
	R=$BATS_TEST_TMPDIR/r
	WHO='Mail team <abuse@victim.example>'
	JOE=anna.keller@victim.example
}

# report STATUS ARGS...: of $Q into $R.
report() {
	local want=$1
	shift
	run_q -Q "$Q" report -o "$R" --contact "$WHO" "$@"
	expect_status "$want"
	is_harmless <<<"$output$stderr"
}

# of FILTER: of summary.json; a word is a member
of() {
	case $1 in
	*[!a-z_]*) jq -r "$1" "$R/summary.json" ;;
	*) jq -r ".$1" "$R/summary.json" ;;
	esac
}

# What a query says of the queue.
sql() {
	"$QTOOL" -Q "$Q" query --format tsv "$1" | tail -n +2
}

# No directory, and nothing that was to become one.
nothing_left() {
	[ -z "$(find "$BATS_TEST_TMPDIR" -maxdepth 1 -name 'r*')" ]
}

# field FILE NAME: of a mail's message/feedback-report, or its header (From ...);
# parts: the types of its parts.
mail() {
	python3 - "$@" <<-'END'
		import email, email.policy, sys
		m = email.message_from_file(open(sys.argv[1]), policy=email.policy.SMTP)
		parts = list(m.iter_parts())
		if sys.argv[2] == "parts":
		    print(m.get_content_type(), m.get_param("report-type"),
		          *(p.get_content_type() for p in parts))
		elif sys.argv[2] == "text":
		    print(parts[0].get_content())
		elif m[sys.argv[2]] is not None:
		    print(m[sys.argv[2]])
		else:
		    # its fields are parsed as the header of a message without text
		    f = parts[1].get_payload()
		    f = f[0] if isinstance(f, list) else email.message_from_string(f)
		    print(*f.get_all(sys.argv[2], []), sep="\n")
	END
}

# deferred_message <CONTENT: the queue of one from 203.0.113.7 to bob.jones.
deferred_message() {
	{
		printf '# one message\nqueue deferred\n\nC auto\nT 1700000000 250000\n'
		printf 'A client_address=203.0.113.7\nA client_port=4711\n'
		printf 'S news@victim.example\nR bob.jones@example.org\nM\n'
		cat
		printf 'X\nE\n'
	} >"$BATS_TEST_TMPDIR/m.txt"
	"$TOOLS/mkqueue" "$Q" "$BATS_TEST_TMPDIR/m.txt"
}

@test "every number is that of the queue" {
	practice_queue "$Q" 300
	report 0 --sasl "$JOE" --case 2026-17
	[[ ${lines[0]} == "$R: "* ]]
	[ "$(of messages)" = "$(sql "SELECT count(*) FROM messages WHERE sasl_username = '$JOE'")" ]
	[ "$(of messages)" -gt 100 ]
	[ "$(of recipients)" = "$(sql "SELECT sum(rcpt_total) FROM messages WHERE sasl_username = '$JOE'")" ]
	[ "$(of recipients_to_do)" = "$(sql "SELECT sum(rcpt_todo) FROM messages WHERE sasl_username = '$JOE'")" ]
	[ "$(of recipients_done)" = "$(($(of recipients) - $(of recipients_to_do)))" ]
	[ "$(of persons)" = "$(sql "SELECT count(DISTINCT lower(r.address)) FROM messages m JOIN recipients r USING (host, queue_name, queue_id) WHERE m.sasl_username = '$JOE' AND r.state <> 'cancelled'")" ]
	[ "$(of '.accounts | length')" = 1 ]
	[ "$(of '.accounts[0].senders')" = "$(sql "SELECT count(DISTINCT sender) FROM messages WHERE sasl_username = '$JOE'")" ]
	# an address has one form here, and in the queue what the client's server wrote
	diff <(of '.clients[] | [.address, .messages, .recipients] | @tsv' | sort) \
	    <(sql "SELECT replace(replace(client_address, 'IPv6:', ''), ':0::', '::'), count(*), sum(rcpt_total) FROM messages WHERE sasl_username = '$JOE' GROUP BY 1" | sort)
	diff <(of '.hours[] | [.hour, .messages] | @tsv') \
	    <(sql "SELECT strftime('%Y-%m-%dT%H', arrival_time, 'unixepoch'), count(*) FROM messages WHERE sasl_username = '$JOE' GROUP BY 1 ORDER BY 1")
	[ "$(of '[.places[].messages] | add')" = "$(of messages)" ]
	# subjects that differ in a number are one
	[ "$(of '.subjects[] | select(.subject == "Invoice # is overdue").messages')" = \
	    "$(sql "SELECT count(*) FROM messages WHERE sasl_username = '$JOE' AND subject REGEXP '^Invoice [0-9]+ is overdue$'")" ]
	[ "$(of '[.recipient_domains[].recipients] | add')" -le "$(of recipients)" ]
	# the same in every form
	[ "$(jq .persons_written_to "$R/gdpr-facts.json")" = "$(of persons)" ]
	[ "$(($(wc -l <"$R/ioc.csv") - 1))" = "$(of '.clients | length')" ]
	grep -q "messages  *$(of messages)\$" "$R/account-owner.txt"
	for f in incident.md incident.html account-owner.txt delist.txt; do
		grep -qF "$(of recipients | sed -E 's/([0-9])([0-9]{3})$/\1,\2/')" "$R/$f"
	done
	[[ $(head -c 200 "$R/incident.html") == *'<!DOCTYPE html>'* ]]
	grep -q "2026-17" "$R/incident.html" "$R/delist.txt" "$R/README.txt"
}

@test "it belongs to its maker alone, and is not written twice" {
	practice_queue "$Q" 30
	report 0 --all
	[ "$(find "$R" -type d ! -perm 0700)" = '' ]
	[ "$(find "$R" -type f ! -perm 0600)" = '' ]
	tree "$R" >"$BATS_TEST_TMPDIR/before"
	report 4 --all
	[[ $stderr == *'exists already and is not overwritten'* ]]
	diff "$BATS_TEST_TMPDIR/before" <(tree "$R")
	mkdir "$R-2"
	R=$R-2 report 4 --all
	rm -r "$R"
	ln -s "$BATS_TEST_TMPDIR" "$R"
	report 4 --all
}

@test "what a transaction keeps is counted like what is in the queue" {
	practice_queue "$Q" 200
	report 0 --sasl "$JOE"
	# nothing was done yet: what Postfix is free to deliver is not prevented
	[ "$(jq .recipients_waiting "$R/gdpr-facts.json")" = "$(sql "SELECT sum(rcpt_todo) FROM messages WHERE sasl_username = '$JOE' AND queue_name <> 'hold'")" ]
	[ "$(jq .recipients_waiting "$R/gdpr-facts.json")" -gt 0 ]
	grep -qF '[what was done with the ' "$R/account-owner.txt"
	of 'del(.made, .command, .source, .places, .transactions)' >"$BATS_TEST_TMPDIR/before"
	"$QTOOL" -Q "$Q" archive -o "$BATS_TEST_TMPDIR/a.tar.zst" --all >/dev/null
	"$QTOOL" -Q "$Q" delete --sasl "$JOE" --yes --note 'stolen' >/dev/null
	rm -r "$R"
	report 0 --sasl "$JOE"
	diff "$BATS_TEST_TMPDIR/before" <(of 'del(.made, .command, .source, .places, .transactions)')
	[ "$(of '.places[].place')" = 'transaction 1' ]
	[ "$(of '.transactions[0] | [.operation, .state, .reason] | @tsv')" = $'delete\tcommitted\tstolen' ]
	grep -q 'were taken out of the queue' "$R/account-owner.txt"
	[ "$(jq -c '[.recipients_prevented, .recipients_waiting]' "$R/gdpr-facts.json")" = "[$(of recipients_to_do),0]" ]
	grep -q "of these prevented  *$(of recipients_to_do | sed -E 's/([0-9])([0-9]{3})$/\1,\2/')\$" "$R/account-owner.txt" "$R/delist.txt"
	grep -q stolen "$R/incident.md"
	rm -r "$R"
	run_q -Q "$Q" --transaction 1 report -o "$R" --contact "$WHO" --all
	expect_status 0
	[ "$(of '.transactions[].reason')" = stolen ]
	grep -q stolen "$R/incident.md"
	diff "$BATS_TEST_TMPDIR/before" <(of 'del(.made, .command, .source, .places, .transactions)')
	rm -r "$R"
	run_q -A "$BATS_TEST_TMPDIR/a.tar.zst" report -o "$R" --contact "$WHO" --sasl "$JOE"
	expect_status 0
	diff "$BATS_TEST_TMPDIR/before" <(of 'del(.made, .command, .source, .places, .transactions)')
	[[ $(of '.places[].place' | sort -u) == *'archived deferred'* ]]
	[ "$(jq -c '[.recipients_prevented, .recipients_archived]' "$R/gdpr-facts.json")" = "[0,$(of recipients_to_do)]" ]
	[ "$(jq .messages <<<"$("$QTOOL" -Q "$Q" report -o "$R-2" --contact "$WHO" --all --json)")" = 200 ]
}

@test "of an account among several it is not said what was done with all" {
	practice_queue "$Q" 200
	"$QTOOL" -Q "$Q" delete --sasl "$JOE" --yes >/dev/null
	report 0 --all
	[ -e "$R/account-owner-2.txt" ]
	grep -q 'were taken out of the queue' "$R/delist.txt"
	run grep -l 'were taken out' "$R"/account-owner*.txt
	[ -z "$output" ]
	run grep -L -F '[what was done with the messages]' "$R"/account-owner*.txt
	[ -z "$output" ]
	# all of the incident went the same way: so did theirs
	"$QTOOL" -Q "$Q" delete --all --yes >/dev/null
	rm -r "$R"
	run_q -Q "$Q" --transaction 2 report -o "$R" --contact "$WHO" --all
	expect_status 0
	grep -qE '^([0-9]+) of the \1 messages were taken out' "$R/account-owner-2.txt"
}

@test "a network gets a mail in ARF, and objects in XARF" {
	local ip port
	practice_queue "$Q" 300
	report 0 --sasl "$JOE" --case 2026-17
	ip=$(of '[.clients[] | select(.address | test(":") | not)][0].address')
	[ "$(mail "$R/net/$ip.eml" parts)" = "multipart/report feedback-report text/plain message/feedback-report text/rfc822-headers" ]
	[ "$(mail "$R/net/$ip.eml" From)" = "$WHO" ]
	[ "$(mail "$R/net/$ip.eml" To)" = '' ]
	[[ $(mail "$R/net/$ip.eml" Subject) == *"$ip"*2026-17* ]]
	[ "$(mail "$R/net/$ip.eml" Feedback-Type)" = abuse ]
	[ "$(mail "$R/net/$ip.eml" Source-IP)" = "$ip" ]
	[ "$(mail "$R/net/$ip.eml" Incidents)" = "$(of ".clients[] | select(.address == \"$ip\").messages")" ]
	# address and port of each connection, and no other
	diff <(mail "$R/net/$ip.eml" text | grep -o "$ip:[0-9]*" | sort -u) \
	    <(sql "SELECT DISTINCT client_address || ':' || client_port FROM messages WHERE sasl_username = '$JOE' AND client_address = '$ip'" | sort)
	port=$(mail "$R/net/$ip.eml" Source-Port)
	mail "$R/net/$ip.eml" text | grep -q "$ip:$port"
	[ "$(jq -r '[.category, .type, .protocol, .source_identifier, .xarf_version] | @tsv' "$R/net/$ip.spam.xarf.json")" = $'messaging\tspam\tsmtp\t'"$ip"$'\t4.2.0' ]
	[ "$(jq -r '[.category, .type, .protocol] | @tsv' "$R/net/$ip.login.xarf.json")" = $'connection\tlogin_attack\ttcp' ]
	# what it shows is what it has the sum of
	[ "sha256:$(jq -r '.evidence[0].payload' "$R/net/$ip.spam.xarf.json" | base64 -d | sha256sum | cut -c-64)" = \
	    "$(jq -r '.evidence[0].hash' "$R/net/$ip.spam.xarf.json")" ]
	# one customer of IPv6 is one mail
	ls "$R"/net/2001_db8_*-64.eml
}

@test "no name of a recipient, and no login, in what networks get" {
	local one two ip
	practice_queue "$Q" 200
	"$QTOOL" -Q "$Q" query --format tsv "SELECT DISTINCT r.address FROM messages m JOIN recipients r USING (host, queue_name, queue_id) WHERE m.sasl_username = '$JOE'" |
	    tail -n +2 >"$BATS_TEST_TMPDIR/names"
	[ "$(wc -l <"$BATS_TEST_TMPDIR/names")" -gt 100 ]
	report 0 --sasl "$JOE" --redact none --whole
	grep -rqFf "$BATS_TEST_TMPDIR/names" "$R/net"
	grep -rqF "$JOE" "$R/net"
	[ ! -e "$R/redact.key" ]
	for level in '' --whole '--redact full'; do
		rm -r "$R"
		# shellcheck disable=SC2086 # two words
		report 0 --sasl "$JOE" $level
		run grep -rFf "$BATS_TEST_TMPDIR/names" "$R/net"
		[ -z "$output" ]
		jq -r '.evidence[].payload' "$R"/net/*.json | base64 -d >"$BATS_TEST_TMPDIR/shown"
		grep -q '^Received: ' "$BATS_TEST_TMPDIR/shown"
		run grep -Ff "$BATS_TEST_TMPDIR/names" -e "$JOE" "$BATS_TEST_TMPDIR/shown"
		[ -z "$output" ]
		run grep -rF "$JOE" "$R/net"
		[ -z "$output" ]
	done
	# the same key, the same tokens; another, others
	ip=$(of '[.clients[] | select(.address | test(":") | not)][0].address')
	one=$(jq -r .smtp_to "$R/net/$ip.spam.xarf.json")
	[[ $one == r-????????????????@* ]]
	cp "$R/redact.key" "$BATS_TEST_TMPDIR/key"
	rm -r "$R"
	report 0 --sasl "$JOE" --redact-key "$BATS_TEST_TMPDIR/key"
	[ ! -e "$R/redact.key" ]
	[ "$(jq -r .smtp_to "$R/net/$ip.spam.xarf.json")" = "$one" ]
	rm -r "$R"
	report 0 --sasl "$JOE"
	two=$(jq -r .smtp_to "$R/net/$ip.spam.xarf.json")
	[ "$two" != "$one" ]
	[ "${two#*@}" = "${one#*@}" ]
}

@test "a login that only a Received field tells is a token, too" {
	cat >"$BATS_TEST_TMPDIR/m.txt" <<-'END'
	# a filter gave it back
	queue deferred

	C auto
	T 1700000000 250000
	A log_client_address=203.0.113.7
	A log_client_port=4711
	A client_address=127.0.0.1
	S news@victim.example
	R bob@example.org
	M
	N Received: from pc (bot.example [203.0.113.7])
	N \t(Authenticated sender: anna.keller@victim.example)
	N \tby mx.victim.example (Postfix) with ESMTPSA id ABC
	N X-Authenticated-User: anna.keller
	N
	N Hi, this is Anna.Keller
	X
	E
	END
	"$TOOLS/mkqueue" "$Q" "$BATS_TEST_TMPDIR/m.txt"
	report 0 --all --whole
	grep -q 'Authenticated sender: u-................@victim.example' "$R/net/203.0.113.7.eml"
	run grep -ri 'anna\.keller' "$R/net"
	[ -z "$output" ]
}

@test "a name in encoded words is a token in every field of an object" {
	deferred_message <<-'END'
	N Subject: =?utf-8?B?SGkgYm9iLmpvbmVz?= once
	N X-Mailer: =?utf-8?B?Ym9iLmpvbmVz?=
	N Message-ID: <=?utf-8?Q?bob=2Ejones?=@x>
	N
	END
	report 0 --all
	[[ $(jq -r .subject "$R/net/203.0.113.7.spam.xarf.json") == 'Hi r-'????????????????' once' ]]
	[[ $(jq -r .user_agent "$R/net/203.0.113.7.spam.xarf.json") == r-???????????????? ]]
	[[ $(jq -r .message_id "$R/net/203.0.113.7.spam.xarf.json") == '<r-'????????????????'@x>' ]]
}

@test "with contacts there is one mail for each who answers" {
	local c=$BATS_TEST_TMPDIR/contacts
	practice_queue "$Q" 300
	printf '# ours\n\n198.51.100.0/24\tabuse@one.example\tAS64500\n203.0.113.0/24\tabuse@one.example\n203.0.113.0/25\tabuse@two.example\r\n2001:db8::/32\tabuse@six.example\n' >"$c"
	report 0 --sasl "$JOE" --contacts "$c"
	[ "$(cd "$R/net" && ls -- *.eml)" = $'198.51.100.0-24.eml\n2001_db8__-32.eml\n203.0.113.0-25.eml' ]
	[ "$(mail "$R/net/198.51.100.0-24.eml" To)" = abuse@one.example ]
	[ "$(mail "$R/net/203.0.113.0-25.eml" To)" = abuse@two.example ]
	# every message is in one of them
	[ "$(cat "$R"/net/*.eml | awk '/^Incidents: / {n += $2} END {print n}')" = "$(of messages)" ]
	[ "$(mail "$R/net/203.0.113.0-25.eml" Incidents)" = "$(of '[.clients[] | select(.contact == "abuse@two.example").messages] | add')" ]
	grep -q '^"198.51.100.*"abuse@one.example","AS64500",no' "$R/ioc.csv"
	rm -r "$R"
	for bad in '203.0.113.0/24' $'203.0.113.1/24\tabuse@x.example' $'nonsense\tabuse@x.example' \
	    $'203.0.113.0/24\tno address' $'203.0.113.0/24\ta@b@c\tAS1'; do
		printf '# a comment\n%s\n' "$bad" >"$c"
		report 2 --sasl "$JOE" --contacts "$c"
		[[ $stderr == *"$c: line 2: "* ]]
		nothing_left
	done
	report 5 --sasl "$JOE" --contacts "$c.missing"
	nothing_left
}

@test "what cannot be made is said, and nothing is left" {
	practice_queue "$Q" 30
	report 1 --sasl nobody@victim.example
	[[ $stderr == *'no report was made: no message matches'* ]]
	nothing_left
	report 2
	[[ $stderr == *'no selection; all mail is --all'* ]]
	run_q -Q "$Q" report --all
	expect_status 2
	[[ $stderr == *'-o DIRECTORY is missing'* ]]
	# who reports is not to be seen from a directory
	run_q -Q "$Q" report -o "$R" --all
	expect_status 2
	[[ $stderr == *'--contact: is needed'* ]]
	nothing_left
	for who in nobody 'Joe <joe>' 'Joe <joe@host>' 'Joe <a b@x.example>' $'Joe\nBcc: x <a@x.example>' '<@x.example>'; do
		WHO=$who report 2 --all
		nothing_left
	done
	report 2 --all --case $'17\nBcc: x@x.example'
	report 2 --all --redact some
	report 2 --all --redact full --whole
	report 2 --all --redact none --redact-key "$Q.truth"
	report 2 --all --redact-key "$Q.truth"
	"$QTOOL" -Q "$Q" snapshot -o "$BATS_TEST_TMPDIR/s.db" >/dev/null
	run_q -D "$BATS_TEST_TMPDIR/s.db" report -o "$R" --all
	expect_status 2
	nothing_left
	run_q -Q "$Q" report -o "$BATS_TEST_TMPDIR/no/r" --contact "$WHO" --all
	expect_status 5
	run_q -Q "$Q" report --all --explain
	expect_status 0
	nothing_left
}

@test "a disk that fills up leaves nothing" {
	local full=$BATS_TEST_TMPDIR/full
	practice_queue "$Q" 200
	mkdir "$full"
	mount -t tmpfs -o size=256k tmpfs "$full"
	R=$full/r report 5 --all
	[[ $stderr == *write*'No space left on device'* ]]
	run ls -A "$full"
	umount "$full"
	[ -z "$output" ]
}

# Begin a report in the background and stop it as soon as its directory is there,
# with files in it whatever it has written so far: $pid, $tmp.
begin() {
	local i
	practice_queue "$Q" 1000
	"$@" "$QTOOL" -Q "$Q" report -o "$R" --contact "$WHO" --all >/dev/null 2>"$BATS_TEST_TMPDIR/said" &
	pid=$!
	# the process that removes it is there, too: a kill just before that leaves an
	# empty directory
	for ((i = 0; i < 100000; i++)); do
		tmp=$(compgen -G "$R.*.tmp/net") && grep -q . "/proc/$pid/task/$pid/children" && break
	done
	kill -STOP "$pid"
	tmp=${tmp%/net}
	[ -d "$tmp/net" ]
	[ ! -e "$R" ]
	touch "$tmp/one" "$tmp/net/two"
}

# The process that removes what is there outlives the one that was killed.
soon_nothing_left() {
	local i
	for ((i = 0; i < 1000; i++)); do
		! nothing_left || return 0
		sleep 0.01
	done
	ls -laR "$R".*
	return 1
}

@test "killed, it leaves nothing; interrupted, it says so" {
	begin env
	kill -KILL "$pid"
	wait "$pid" && false
	soon_nothing_left
	begin env --default-signal=INT
	kill -INT "$pid"
	kill -CONT "$pid"
	wait "$pid" && false
	grep -q 'no report was made: interrupted' "$BATS_TEST_TMPDIR/said"
	nothing_left
	# Ctrl-\ at a terminal goes to all of its processes
	begin setsid env --default-signal=QUIT
	kill -QUIT -- "-$pid"
	kill -CONT "$pid"
	wait "$pid" && false
	soon_nothing_left
}

@test "another directory put in its place is not taken for it" {
	local i=0
	begin env
	mv "$tmp" "$BATS_TEST_TMPDIR/stolen"
	mkdir "$tmp"
	kill -CONT "$pid"
	wait "$pid" || i=$?
	[ "$i" -eq 4 ]
	grep -q 'is not what was made' "$BATS_TEST_TMPDIR/said"
	[ ! -e "$R" ]
	# what was made is empty again
	[ -z "$(ls -A "$BATS_TEST_TMPDIR/stolen")" ]
}

@test "a subject without an end takes no more room than others" {
	# cut between two characters
	deferred_message <<-'END'
	N Subject: \{999:x}\xc3\xbc\{900:y}
	N
	END
	report 0 --all
	[ "$(of '.subjects[0].subject')" = "$(printf 'x%.0s' {1..999})" ]
	[ "$(jq -r '.subject | length' "$R/net/203.0.113.7.spam.xarf.json")" = 500 ]
}

@test "a hostile queue does no harm in any of its files" {
	local f
	hostile_queue "$Q"
	report 3 --all
	for f in "$R"/*.txt "$R"/*.md "$R"/*.html "$R"/*.json "$R"/net/*; do
		is_harmless <"$f"
	done
	is_harmless csv <"$R/ioc.csv"
	for f in "$R"/*.json "$R"/net/*.json; do
		jq -e type "$f" >/dev/null
	done
	for f in "$R"/net/*.eml; do
		[[ $(mail "$f" parts) == "multipart/report feedback-report text/plain message/feedback-report"* ]]
	done
	run find "$R" -name '*[^A-Za-z0-9._-]*'
	[ -z "$output" ]
	[ "$(of messages)" = "$(sql "SELECT count(*) FROM messages WHERE state <> 'foreign'")" ]
}

@test "what the operator says is in the letters" {
	practice_queue "$Q" 60
	report 0 --sasl "$JOE"
	grep -qF '[when the account was shut out]' "$R/delist.txt"
	grep -qF '[how it came to that' "$R/delist.txt"
	rm -r "$R"
	report 0 --sasl "$JOE" --stopped '2026-11-27 03:12 UTC' --cause 'phishing <b>' \
	    --prevention 'a limit of 200 a day' --organization 'Victim & Sons' --title 'Spam'
	run grep -F '[' "$R/delist.txt"
	# what cannot be known here: name and addresses, and what was not done yet
	[ "${#lines[@]}" -eq 3 ]
	grep -qF '2026-11-27 03:12 UTC' "$R/delist.txt"
	grep -qF 'phishing <b>' "$R/delist.txt"
	grep -qF 'a limit of 200 a day' "$R/delist.txt"
	grep -qF 'Victim & Sons' "$R/account-owner.txt"
	grep -qF 'phishing &lt;b&gt;' "$R/incident.html"
	run grep -F 'phishing <b>' "$R/incident.html" "$R/incident.md"
	[ -z "$output" ]
	[ "$(jq -r .reporter.org "$R"/net/*.spam.xarf.json | sort -u)" = 'Victim & Sons' ]
}
